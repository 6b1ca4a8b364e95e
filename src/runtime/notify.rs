//! What the process tells its supervisor: systemd, or whoever else set `NOTIFY_SOCKET` (sd_notify(3)).
//!
//! Always true: without such a socket, nothing is sent and nothing fails. A supervisor that does not listen
//! never holds the broker up: what it missed goes to the log, at `debug`.
//!
//! Read first: `runtime/mod.rs`.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// How often the watchdog is fed within the time it allows: one that is late by half still comes in time.
const FEEDS_PER_WATCHDOG: u32 = 4;

/// The supervisor of this process.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<OsString>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// Whoever the environment names; nobody, most often.
    pub fn of_environment() -> Supervisor {
        let text = |name| std::env::var(name).ok();
        let watchdog = watchdog(text("WATCHDOG_USEC"), text("WATCHDOG_PID"), std::process::id());
        Supervisor { socket: std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()), watchdog }
    }

    /// How long to wait between two feedings of the watchdog, if there is one.
    pub fn feeding_interval(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / FEEDS_PER_WATCHDOG)
    }

    /// The broker answers, or has read its files again.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// The broker reads its files again; [`Supervisor::ready`] ends it.
    pub fn reloading(&self) {
        let mut text = "RELOADING=1".to_owned();
        // systemd tells by the time which of two reloads this is about.
        if let Ok(time) = clock_gettime(ClockId::CLOCK_MONOTONIC) {
            let since_boot = Duration::from(time);
            let _ = write!(text, "\nMONOTONIC_USEC={}", since_boot.as_micros());
        }
        self.say(&text);
    }

    /// The broker drains, and may take so long for it, whatever the supervisor was told beforehand.
    pub fn stopping(&self, status: &str, within: Duration) {
        let within_us = within.as_micros();
        self.say(&format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={within_us}\nSTATUS={status}"));
    }

    /// Every core's loop has moved.
    pub fn feed(&self) {
        self.say("WATCHDOG=1");
    }

    fn say(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = send(socket, text) {
            tracing::debug!(%error, text, "the supervisor could not be told");
        }
    }
}

/// A name that begins with `@` is in the abstract namespace, any other is a path.
fn send(socket: &OsStr, text: &str) -> io::Result<()> {
    let address = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.send_to_addr(text.as_bytes(), &address).map(drop)
}

/// The watchdog's time, if it is this process that is watched.
fn watchdog(usec: Option<String>, pid: Option<String>, own_pid: u32) -> Option<Duration> {
    let is_ours = pid.is_none_or(|pid| pid.parse() == Ok(own_pid));
    let usec = usec?.parse().ok().filter(|usec| is_ours && *usec > 0)?;
    Some(Duration::from_micros(usec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervisor(socket: &OsStr) -> Supervisor {
        Supervisor { socket: Some(socket.to_owned()), watchdog: None }
    }

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let len = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    }

    #[test]
    fn each_word_is_one_datagram_to_a_path() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let supervisor = supervisor(path.as_os_str());
        supervisor.ready("it listens");
        assert_eq!(heard(&socket), "READY=1\nSTATUS=it listens");
        supervisor.reloading();
        let reloading = heard(&socket);
        let (word, time) = reloading.split_once("\nMONOTONIC_USEC=").unwrap();
        assert!(word == "RELOADING=1" && time.parse::<u64>().unwrap() > 0, "{reloading}");
        supervisor.feed();
        assert_eq!(heard(&socket), "WATCHDOG=1");
        supervisor.stopping("it drains", Duration::from_secs(7));
        assert_eq!(heard(&socket), "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\nSTATUS=it drains");
    }

    #[test]
    fn an_abstract_name_is_reached_too() {
        let name = format!("lux-notify-test-{}", std::process::id());
        let socket =
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
        supervisor(OsStr::new(&format!("@{name}"))).feed();
        assert_eq!(heard(&socket), "WATCHDOG=1");
    }

    #[test]
    fn whoever_does_not_listen_holds_nobody_up() {
        Supervisor::default().ready("nobody is there");
        supervisor(OsStr::new("/nonexistent/notify")).ready("nor here");
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("full");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        // Far more than a socket's queue holds: a sender that waits would never come to its end.
        (0..2_000).for_each(|_| supervisor(path.as_os_str()).feed());
    }

    #[test]
    fn the_watchdog_of_another_process_is_not_ours() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(watchdog(some("8000000"), None, 7), Some(Duration::from_secs(8)));
        assert_eq!(watchdog(some("8000000"), some("7"), 7), Some(Duration::from_secs(8)));
        assert_eq!(watchdog(some("8000000"), some("8"), 7), None);
        assert_eq!(watchdog(some("0"), None, 7), None);
        assert_eq!(watchdog(some("soon"), None, 7), None);
        assert_eq!(watchdog(None, None, 7), None);
        let supervisor = Supervisor { socket: None, watchdog: Some(Duration::from_secs(8)) };
        assert_eq!(supervisor.feeding_interval(), Some(Duration::from_secs(2)));
    }
}
