//! Runs an operation of this program under valgrind's callgrind.
//!
//! Always true: the counted process has no environment, since its size moves the stack, and that moves counts.
//!
//! Read first: `main.rs`.

use std::path::Path;
use std::process::{Command, Output};

use crate::operations::Operation;

/// Instructions of one unit of an operation.
pub fn count(operation: &Operation) -> Result<f64, String> {
    let short = collected(operation, operation.turns)?;
    let long = collected(operation, operation.turns * 2)?;
    Ok((long - short) as f64 / (operation.turns * operation.units) as f64)
}

fn collected(operation: &Operation, turns: u64) -> Result<u64, String> {
    let output = callgrind(operation, turns, Path::new("/dev/null"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let figure =
        text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, figure)| figure.trim());
    let figure = figure.and_then(|figure| figure.parse().ok());
    figure
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("{} under valgrind: {text}", operation.name))
}

fn callgrind(operation: &Operation, turns: u64, out: &Path) -> Result<Output, String> {
    let program = std::env::current_exe().map_err(|error| format!("finding this program: {error}"))?;
    Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--callgrind-out-file={}", out.display())])
        .arg(program)
        .args(["--run", operation.name, &turns.to_string()])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .output()
        .map_err(|error| format!("starting valgrind: {error}; on Debian it is the package valgrind"))
}

/// Prints where the instructions of an operation go, function by function; lines with their source.
pub fn profile(operation: &Operation) -> Result<(), String> {
    let out = std::env::temp_dir().join(format!("lux-{}.callgrind", operation.name));
    callgrind(operation, operation.turns * 10, &out)?;
    let status = Command::new("callgrind_annotate").arg("--threshold=95").arg(&out).status();
    println!("\nthe whole of it is in {}", out.display());
    status.map(|_| ()).map_err(|error| format!("starting callgrind_annotate: {error}"))
}
