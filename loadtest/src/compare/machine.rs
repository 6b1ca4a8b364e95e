//! What figures depend on: kernel, processor, commit, and who else was busy.
//!
//! Always true: no name of a host and no path is among it.
//!
//! Read first: nothing.

use std::fs;
use std::process::Command;

use serde::Serialize;

use crate::compare::Compare;

/// The machine, as far as it matters.
#[derive(Serialize)]
pub struct Machine {
    /// A neutral name.
    pub name: String,
    /// Year, month, day (UTC).
    pub date: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Model of the processor, and how many there are.
    pub processor: String,
    /// What was built, short.
    pub commit: String,
    /// How it was run.
    pub command: String,
    /// Runnable tasks over the last minute, before it began.
    pub load_before: String,
}

impl Machine {
    /// Looks around.
    pub fn look(options: &Compare) -> Machine {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cpuinfo = read("/proc/cpuinfo");
        let field = |name: &str| {
            let line = cpuinfo.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let processors = cpuinfo.lines().filter(|line| line.starts_with("processor")).count().max(cores);
        Machine {
            name: options.machine.clone().unwrap_or_else(|| format!("{processors}core-linux")),
            date: output("date", &["-u", "+%F"]),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            processor: format!("{processors} × {}", field("model name").unwrap_or_default()),
            commit: output("git", &["rev-parse", "--short", "HEAD"]),
            command: options.command.clone().unwrap_or_else(|| "lux-loadtest compare".to_owned()),
            load_before: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// What a program prints, or "unknown".
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
