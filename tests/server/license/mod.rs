//! Licenses: made by a vendor of the tests' own, shown and verified by the program, told by a broker.
//!
//! Always true: a broker with any license, or with none, gives the same answers; nothing stops it.
//!
//! Read first: `harness/mod.rs`.

mod command;
mod serving;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::harness::run_lux;

/// A vendor with a key of their own, and a desk for files.
struct Vendor {
    desk: TempDir,
}

impl Vendor {
    fn new() -> Vendor {
        let vendor = Vendor { desk: tempfile::tempdir().unwrap() };
        let made = run_lux(&["license", "issue", "--new-key", &vendor.path("vendor.key")], &[]);
        assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
        fs::write(vendor.path("vendor.pub"), made.stdout).unwrap();
        vendor
    }

    fn path(&self, name: &str) -> String {
        self.desk.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the text of a license into this file.
    fn keep(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A license of one day that ended so many days ago; of ten years, if it did not.
    fn license(&self, ended_days_ago: Option<u64>) -> String {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let now = SystemTime::now();
        let (issued, span) = match ended_days_ago {
            Some(days) => (now - DAY * (days as u32 + 1), "1d"),
            None => (now, "3650d"),
        };
        self.issue(&["--issued", &humantime::format_rfc3339_seconds(issued).to_string(), "--for", span])
    }

    fn issue(&self, more: &[&str]) -> String {
        let key = self.path("vendor.key");
        let mut args =
            vec!["license", "issue", "--key", &key, "--customer", "Example GmbH", "--tier", "team"];
        args.extend(["--contact", "help@vendor.example", "--id", "lux-0017"]);
        args.extend(more);
        let made = run_lux(&args, &[]);
        assert_eq!(made.status.code(), Some(0), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    }
}

/// Runs `lux license …` where no license lies about: exit code, standard output, standard error.
fn license(args: &[&str]) -> (i32, String, String) {
    let home = tempfile::tempdir().unwrap();
    let state = PathBuf::from(home.path()).join("state");
    let all: Vec<&str> = std::iter::once("license").chain(args.iter().copied()).collect();
    let done = run_lux(&all, &[("LUX_STATE_DIR", state.to_str().unwrap())]);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}
