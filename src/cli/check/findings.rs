//! Facts and settings to findings: what is fine, what is doubtful, what stands in the way.
//!
//! Always true: a failed finding means that `lux serve` with the same settings does not start; a doubtful
//! one that it starts and may disappoint. Both say what to do.
//!
//! Read first: `machine.rs`, `settings/mod.rs`.

use serde::Serialize;

use crate::access::KeyEntry;
use crate::certificate;
use crate::cli::license::Report;
use crate::license::{self, Found, License};
use crate::limits::descriptors_reserved;
use crate::machine::{Bounds, Machine, Place, Port};
use crate::operator_error::OperatorError;
use crate::settings::units::{format_bytes, format_count};
use crate::settings::{Places, Settings};
use crate::terms::Standing;
use crate::token_file;

/// With so much, rings never fail for want of locked memory: each takes some hundred KiB.
const LOCKED_BYTES_PLENTY: u64 = 64 * 1024 * 1024;
const KERNEL_TARGET: (u32, u32) = (6, 1);

/// How a finding looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Fine.
    Ok,
    /// It works and may disappoint.
    Warn,
    /// `lux serve` would not start.
    Fail,
}

/// One line of `lux check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it looks.
    pub mark: Mark,
    /// What was found.
    pub found: String,
    /// What to do; none if it is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// What the key file holds.
pub type Keys = Result<Vec<KeyEntry>, OperatorError>;

/// Every finding, in the order of a start.
pub fn findings(settings: &Settings, machine: &Machine, keys: &Keys, wall_ms: u64) -> Vec<Finding> {
    vec![
        settings_finding(settings),
        kernel_finding(machine),
        ring_finding(machine),
        cores_finding(settings, machine),
        port_finding(settings, machine),
        descriptors_finding(settings, machine.descriptors),
        locked_memory_finding(machine),
        memory_finding(settings, machine.memory_bytes),
        state_dir_finding(settings, machine.state_dir),
        keys_finding(settings, keys, wall_ms),
        tls_finding(settings, wall_ms),
        tokens_finding(settings),
        license_finding(&license::find(settings), wall_ms),
    ]
}

/// Settings that cannot be put together: the only finding there is then.
pub fn broken_settings(error: &OperatorError) -> Finding {
    fail("settings", error.message.clone(), error.remedy.clone())
}

/// A finding that looks so.
pub fn ok(name: &'static str, found: impl Into<String>) -> Finding {
    Finding { name, mark: Mark::Ok, found: found.into(), remedy: None }
}

/// A finding that looks so.
pub fn warn(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, mark: Mark::Warn, found: found.into(), remedy: Some(remedy.into()) }
}

/// A finding that looks so.
pub fn fail(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding { name, mark: Mark::Fail, found: found.into(), remedy: Some(remedy.into()) }
}

fn settings_finding(settings: &Settings) -> Finding {
    match &settings.config_file {
        Some(path) => ok("settings", format!("from {}, flags and LUX_*", path.display())),
        None => ok("settings", "from flags and LUX_*, no file"),
    }
}

fn kernel_finding(machine: &Machine) -> Finding {
    match machine.kernel_version() {
        Some(version) if version >= KERNEL_TARGET => ok("kernel", &machine.kernel),
        Some(_) | None => warn(
            "kernel",
            format!("{} is older than Lux is tested with", machine.kernel),
            "use Linux 6.1 or later (Debian 12, Ubuntu 24.04, Amazon Linux 2023)",
        ),
    }
}

fn ring_finding(machine: &Machine) -> Finding {
    match &machine.ring {
        Ok(()) => ok("io_uring", "available"),
        Err(error) => fail("io_uring", error.message.clone(), error.remedy.clone()),
    }
}

fn cores_finding(settings: &Settings, machine: &Machine) -> Finding {
    let found = format!("{} of {}", settings.cores, machine.cores);
    if settings.cores <= machine.cores {
        return ok("cores", found);
    }
    let remedy = format!("set --cores {}; more loops than cores only take turns", machine.cores);
    warn("cores", found, remedy)
}

fn port_finding(settings: &Settings, machine: &Machine) -> Finding {
    let (listen, port) = (settings.listen, settings.listen.port());
    match &machine.port {
        Port::Free if port == 0 => ok("listen", format!("{listen} (any free port)")),
        Port::Free => ok("listen", format!("{listen} is free")),
        Port::Taken => fail(
            "listen",
            format!("another process listens on {listen}"),
            "if that is Lux already, all is well; else stop it or choose another port with --listen",
        ),
        Port::Forbidden => fail(
            "listen",
            format!("this user may not listen on port {port}"),
            "choose a port from 1024 on, or give Lux CAP_NET_BIND_SERVICE",
        ),
        Port::Unusable(why) => fail(
            "listen",
            format!("nothing can listen on {listen} ({why})"),
            "name an address that this machine has, or 0.0.0.0 for all of them",
        ),
    }
}

fn descriptors_finding(settings: &Settings, bounds: Bounds) -> Finding {
    let cores = settings.cores as u64;
    let wanted = settings.limits.connections_max as u64 * cores;
    let reserved = descriptors_reserved(settings.cores) as u64;
    let space = bounds.hard.saturating_sub(reserved);
    if space >= wanted {
        return ok("descriptors", format!("enough for {} connections", format_count(wanted)));
    }
    let found = format!("enough for {} of {} connections", format_count(space), format_count(wanted));
    let remedy = format!(
        "raise `ulimit -Hn` or LimitNOFILE= to {}, or set --limit connections={}",
        wanted + reserved,
        space / cores.max(1)
    );
    warn("descriptors", found, remedy)
}

/// Whether rings count against locked memory differs from kernel to kernel, and from user to user: whether they
/// could be made is what says that it is enough.
fn locked_memory_finding(machine: &Machine) -> Finding {
    let bytes = machine.locked_memory.soft;
    let found = match bytes {
        u64::MAX => "unlimited".to_owned(),
        bytes => format!("up to {}", format_bytes(bytes)),
    };
    match &machine.ring {
        Ok(()) => ok("locked memory", format!("{found}, enough for the rings")),
        Err(_) if bytes < LOCKED_BYTES_PLENTY => warn(
            "locked memory",
            found,
            "raise `ulimit -l` or LimitMEMLOCK= to 64 MiB: some kernels count rings against it",
        ),
        Err(_) => ok("locked memory", found),
    }
}

fn memory_finding(settings: &Settings, memory_bytes: Option<u64>) -> Finding {
    let states = settings.limits.state_memory_bytes_max as u64;
    let wanted = format!("{} for states", format_bytes(states));
    match memory_bytes {
        None => ok("memory", wanted),
        // The rest is for connections, the kernel's buffers and everybody else.
        Some(bytes) if states <= bytes / 4 * 3 => ok("memory", format!("{wanted} of {}", rounded(bytes))),
        Some(bytes) => warn(
            "memory",
            format!("{wanted}, but there are only {}", rounded(bytes)),
            format!("set --limit state_memory={}MiB or less", bytes / 2 / (1024 * 1024)),
        ),
    }
}

fn rounded(bytes: u64) -> String {
    let unit = if bytes >= 8 << 30 { 1 << 30 } else { 1 << 20 };
    format_bytes(bytes / unit * unit)
}

fn state_dir_finding(settings: &Settings, place: Place) -> Finding {
    let path = settings.state_dir.display();
    match place {
        Place::Writable => ok("state directory", path.to_string()),
        Place::Makeable => ok("state directory", format!("{path} (will be made)")),
        // What must be written there is the first key; a broker that has its keys only reads.
        Place::Closed if has_own_keys(settings) && settings.memory_only => {
            ok("state directory", format!("{path} (not needed yet)"))
        }
        Place::Closed if has_own_keys(settings) => warn(
            "state directory",
            format!("{path} cannot be written by this user: states would be lost with the process"),
            "let this user write there, name another with --state-dir, or say --memory-only",
        ),
        Place::Closed => fail(
            "state directory",
            format!("{path} cannot be written by this user"),
            format!(
                "let this user write there, or name another with --state-dir; {} is the default",
                Places::of_environment().state_dir().display()
            ),
        ),
    }
}

fn has_own_keys(settings: &Settings) -> bool {
    settings.insecure_open || settings.environment_key.is_some() || settings.keys_file.exists()
}

/// Which keys tokens are checked with, by name and file.
fn tokens_finding(settings: &Settings) -> Finding {
    let files = token_file::read_own_keys(settings).and_then(|own| {
        let others = token_file::read_other_keys(settings)?;
        Ok(own.into_iter().chain(others).collect::<Vec<_>>())
    });
    let files = match files {
        Ok(files) => files,
        Err(error) => return fail("token keys", error.message, error.remedy),
    };
    let name = |file: &token_file::KeyFile| {
        let keys = file.set.keys.iter().map(|key| key.to_string()).collect::<Vec<_>>().join(", ");
        format!("{keys} in {}", file.path.display())
    };
    let left_out: Vec<&String> = files.iter().flat_map(|file| &file.set.left_out).collect();
    let found = files.iter().map(name).collect::<Vec<_>>().join("; ");
    match left_out.first() {
        None if files.is_empty() => ok("token keys", "none yet; the first start makes one"),
        None => ok("token keys", found),
        Some(first) => {
            let found = format!("{found}; {} left out, first {first}", left_out.len());
            warn("token keys", found, "tokens signed with these are refused; take them out if that is meant")
        }
    }
}

fn keys_finding(settings: &Settings, keys: &Keys, wall_ms: u64) -> Finding {
    if settings.insecure_open {
        return warn(
            "API keys",
            "none are asked for: everybody who reaches the address may read and write everything",
            "start without --insecure-open",
        );
    }
    let entries = match keys {
        Ok(entries) => entries,
        Err(error) => return fail("API keys", error.message.clone(), error.remedy.clone()),
    };
    let expired =
        entries.iter().filter(|entry| entry.expires_at_ms.is_some_and(|end| end <= wall_ms)).count();
    let from_environment = settings.environment_key.is_some();
    let beside = if from_environment { ", and LUX_API_KEY" } else { "" };
    let found = format!("{} in {}{beside}", entries.len(), settings.keys_file.display());
    match (entries.len(), expired) {
        (0, _) if from_environment => ok("API keys", "LUX_API_KEY"),
        (0, _) => ok("API keys", "none yet; the first start makes one and shows it"),
        (all, gone) if all == gone && !from_environment => {
            warn("API keys", format!("{found}, all of them expired"), "make one with `lux key add`")
        }
        (_, 0) => ok("API keys", found),
        (_, gone) => {
            warn("API keys", format!("{found}; {gone} expired"), "see `lux key list`, and revoke them")
        }
    }
}

fn tls_finding(settings: &Settings, wall_ms: u64) -> Finding {
    let own = settings.tls_files().filter(|files| settings.tls.self_signed && !files.cert.exists());
    if own.is_some() {
        return ok("TLS", "on; the start makes a certificate that signs itself");
    }
    let certificate = match certificate::load(settings, wall_ms) {
        Ok(None) => return ok("TLS", "off; plain HTTP"),
        Ok(Some(certificate)) => certificate,
        Err(error) => return fail("TLS", error.message, error.remedy),
    };
    if let Some(doubt) = certificate.doubt {
        return warn("TLS", doubt.message, doubt.remedy);
    }
    let until = certificate::date(certificate.ends_at_ms);
    let count = certificate.chain;
    ok("TLS", format!("on; {count} in the chain, the key fits, good until {until}"))
}

/// A license never stands in the way: it is fine, or it is doubtful.
fn license_finding(found: &Found, wall_ms: u64) -> Finding {
    let report = Report::of(found, wall_ms);
    let own_key = |license: &License| match &license.other_key {
        Some(path) => format!("; verified with a key from {}, not the vendor's", path.display()),
        None => String::new(),
    };
    match found {
        Found::Nothing => ok("license", format!("evaluation: {}", report.says())),
        Found::Unusable(error) => warn("license", &error.message, &error.remedy),
        Found::License(license)
            if license.other_key.is_none() && report.standing() == Some(Standing::Valid) =>
        {
            ok("license", report.says())
        }
        Found::License(license) => {
            let remedy = format!("write to {}", license.terms.contact);
            warn("license", format!("{}{}", report.says(), own_key(license)), remedy)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::access::Grant;

    const NOW: u64 = 1_782_000_000_000;

    fn machine() -> Machine {
        let plenty = Bounds { soft: 1024, hard: u64::MAX };
        Machine {
            kernel: "6.1.0-18-amd64".to_owned(),
            ring: Ok(()),
            descriptors: plenty,
            locked_memory: plenty,
            cores: 4,
            memory_bytes: Some(8 << 30),
            port: Port::Free,
            state_dir: Place::Writable,
        }
    }

    fn settings() -> Settings {
        Settings { cores: 2, ..Settings::new(PathBuf::from("no/such/place")) }
    }

    fn entry(expires_at_ms: Option<u64>) -> KeyEntry {
        KeyEntry { name: "a".to_owned(), hash: [0; 32], grant: Grant::all(), expires_at_ms }
    }

    fn check(settings: &Settings, machine: &Machine, keys: Keys, name: &str) -> Finding {
        findings(settings, machine, &keys, NOW).into_iter().find(|finding| finding.name == name).unwrap()
    }

    #[test]
    fn a_good_machine_has_nothing_to_complain_of() {
        for finding in findings(&settings(), &machine(), &Ok(vec![entry(None)]), NOW) {
            assert_eq!(finding.mark, Mark::Ok, "{finding:?}");
        }
    }

    #[test]
    fn what_stands_in_the_way_fails_with_what_to_do() {
        let ring = Machine { ring: Err(OperatorError::new("no ring", "get one")), ..machine() };
        assert_eq!(check(&settings(), &ring, Ok(vec![]), "io_uring").remedy.as_deref(), Some("get one"));
        let taken = Machine { port: Port::Taken, ..machine() };
        let finding = check(&settings(), &taken, Ok(vec![]), "listen");
        assert!(finding.mark == Mark::Fail && finding.found.contains("127.0.0.1:7373"), "{finding:?}");
        let closed = Machine { state_dir: Place::Closed, ..machine() };
        assert_eq!(check(&settings(), &closed, Ok(vec![]), "state directory").mark, Mark::Fail);
        let open = Settings { insecure_open: true, ..settings() };
        assert_eq!(check(&open, &closed, Ok(vec![]), "state directory").mark, Mark::Warn);
        let passing = Settings { memory_only: true, ..open };
        assert_eq!(check(&passing, &closed, Ok(vec![]), "state directory").mark, Mark::Ok);
        let keys = Err(OperatorError::new("line 3", "write it"));
        assert_eq!(check(&settings(), &machine(), keys, "API keys").mark, Mark::Fail);
    }

    #[test]
    fn what_may_disappoint_is_said_with_the_number_that_would_not() {
        let hard = 20_000 + descriptors_reserved(2) as u64;
        let few = Machine { descriptors: Bounds { soft: 1024, hard }, ..machine() };
        let finding = check(&settings(), &few, Ok(vec![]), "descriptors");
        assert!(finding.mark == Mark::Warn && finding.found.contains("20,000 of 200,000"), "{finding:?}");
        assert!(finding.remedy.as_deref().unwrap_or_default().contains("connections=10000"), "{finding:?}");
        let small = Machine { memory_bytes: Some(1 << 30), ..machine() };
        let remedy = check(&settings(), &small, Ok(vec![]), "memory").remedy.unwrap();
        assert!(remedy.contains("state_memory=512MiB"), "{remedy}");
        let many = Settings { cores: 9, ..settings() };
        assert!(check(&many, &machine(), Ok(vec![]), "cores").remedy.unwrap().contains("--cores 4"));
        let locked_memory = Bounds { soft: 64 * 1024, hard: u64::MAX };
        let ring = Err(OperatorError::new("no ring", "get one"));
        let tight = Machine { ring, locked_memory, ..machine() };
        assert_eq!(check(&settings(), &tight, Ok(vec![]), "locked memory").mark, Mark::Warn);
        let little_is_enough = Machine { locked_memory, ..machine() };
        assert_eq!(check(&settings(), &little_is_enough, Ok(vec![]), "locked memory").mark, Mark::Ok);
        let old = Machine { kernel: "5.15.0-generic".to_owned(), ..machine() };
        assert_eq!(check(&settings(), &old, Ok(vec![]), "kernel").mark, Mark::Warn);
    }

    #[test]
    fn keys_are_counted_and_expired_ones_told() {
        let found = |keys: Vec<KeyEntry>| check(&settings(), &machine(), Ok(keys), "API keys");
        assert!(found(vec![]).found.contains("makes one"));
        assert_eq!(found(vec![entry(None), entry(Some(NOW))]).mark, Mark::Warn);
        assert!(found(vec![entry(Some(NOW))]).found.contains("all of them expired"));
        let open = Settings { insecure_open: true, ..settings() };
        assert_eq!(check(&open, &machine(), Ok(vec![]), "API keys").mark, Mark::Warn);
    }
}
