//! What the kernel knows about a process: its processor time and its memory.
//!
//! Always true: processor time is the scheduler's own, in nanoseconds, of all threads that live, workers of
//! io_uring included; it lacks what a device's interrupt costs.
//!
//! Read first: nothing.

use std::fs;

use crate::failure::Failure;

/// One process to be watched.
#[derive(Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// Time of all its threads so far, nanoseconds, with its children's.
    ///
    /// # Errors
    /// There is no such process, or it may not be looked at.
    pub fn times(self) -> Result<Times, Failure> {
        let mut sum = self.own_times()?;
        for child in self.children() {
            // One that ends between the listing and the reading is left out.
            sum = sum.and(child.times().unwrap_or_default());
        }
        Ok(sum)
    }

    /// The processes it has started; brokers with a master have workers.
    fn children(self) -> Vec<Process> {
        let path = format!("/proc/{0}/task/{0}/children", self.0);
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Process).collect()
    }

    fn own_times(self) -> Result<Times, Failure> {
        let path = format!("/proc/{}/task", self.0);
        let tasks = fs::read_dir(&path).map_err(Failure::of(format!("reading {path}")))?;
        let mut sum = Times::default();
        for task in tasks.filter_map(Result::ok) {
            // A thread that ends between the listing and the reading is left out.
            let times = Times::read(&fs::read_to_string(task.path().join("schedstat")).unwrap_or_default());
            sum = sum.and(times);
        }
        Ok(sum)
    }

    /// Resident memory with its children's, bytes; what they share counts as often as it is mapped. The exact count where the kernel gives it: that in `status` may be a few
    /// dozen pages behind.
    ///
    /// # Errors
    /// There is no such process, or it may not be looked at.
    pub fn resident_bytes(self) -> Result<u64, Failure> {
        let children = self.children().into_iter().filter_map(|child| child.resident_bytes().ok());
        Ok(self.own_resident_bytes()? + children.sum::<u64>())
    }

    fn own_resident_bytes(self) -> Result<u64, Failure> {
        let exact = format!("/proc/{}/smaps_rollup", self.0);
        if let Some(kib) = fs::read_to_string(exact).ok().and_then(|text| kib(&text, "Rss:")) {
            return Ok(kib * 1024);
        }
        let path = format!("/proc/{}/status", self.0);
        let text = fs::read_to_string(&path).map_err(Failure::of(format!("reading {path}")))?;
        kib(&text, "VmRSS:")
            .map(|kib| kib * 1024)
            .ok_or_else(|| Failure::new(format!("{path} names no VmRSS")))
    }
}

/// Where threads spent their time, nanoseconds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Times {
    /// On a processor.
    pub running: u64,
    /// Ready, while something else was on it: how noisy the machine was.
    pub waiting: u64,
}

/// Times of the calling thread so far.
pub fn own_times() -> Times {
    Times::read(&fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default())
}

impl Times {
    /// Out of a `schedstat` file.
    fn read(text: &str) -> Times {
        let mut fields = text.split_whitespace().map(|field| field.parse().unwrap_or_default());
        Times { running: fields.next().unwrap_or_default(), waiting: fields.next().unwrap_or_default() }
    }

    /// Both together.
    fn and(self, other: Times) -> Times {
        Times { running: self.running + other.running, waiting: self.waiting + other.waiting }
    }

    /// What was added since.
    pub fn since(self, earlier: Times) -> Times {
        Times {
            running: self.running.saturating_sub(earlier.running),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }
}

fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn this_process_has_used_time_and_memory() {
        let process = Process(std::process::id());
        assert!(process.times().expect("we may look at ourselves").running > 0);
        assert!(process.resident_bytes().expect("we may look at ourselves") > 100_000);
        // A thread that has just begun is counted with the scheduler's next look at it.
        let deadline = Instant::now() + Duration::from_secs(5);
        while own_times().running == 0 {
            assert!(Instant::now() < deadline, "this thread runs, and no time is counted");
        }
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Process(u32::MAX).times().is_err());
        assert!(Process(u32::MAX).resident_bytes().is_err());
    }
}
