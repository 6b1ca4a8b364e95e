//! Everything an operator may set, as plain data.
//!
//! Always true: flags win over `LUX_*` in the environment, those over the TOML file, that over the defaults.
//! What [`Settings::check`] has passed, the broker can start with, as far as settings alone can tell.
//!
//! Read first: `limits.rs`, `operator_error.rs`. The file is read in `file.rs`, limits have their names and
//! ranges in `limit_names.rs`, sizes and durations are understood in `units.rs`.

mod access_log;
pub mod file;
mod limit_names;
mod places;
mod reload;
mod tls;
pub mod tokens;
pub mod units;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::access::{Secret, check_origin};
use crate::guard::address::Network;
use crate::limits::Limits;
use crate::operator_error::OperatorError;

pub use access_log::{AccessLog, AccessLogFormat};
pub use limit_names::{LIMIT_NAMES, LimitKind, LimitName};
pub use places::Places;
pub use reload::{AT_START_ONLY, Sources};
pub use tls::{TlsFiles, TlsSettings};
pub use tokens::TokenSettings;

/// Where the broker listens unless told otherwise: this machine only.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7373);
/// The most loops that one process runs.
pub const CORES_MAX: usize = 256;
/// Between two snapshots unless told otherwise: what a crash may cost at most.
pub const SNAPSHOT_EVERY_MS_DEFAULT: u64 = 5_000;
/// The key file's name inside the state directory.
pub const KEYS_FILE_NAME: &str = "keys.toml";

/// What a broker is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// How many loops; may be more than the machine has cores.
    pub cores: usize,
    /// Where Lux keeps what must outlive it.
    pub state_dir: PathBuf,
    /// The API keys' hashes and grants.
    pub keys_file: PathBuf,
    /// States end with the process: no snapshots.
    pub memory_only: bool,
    /// Between two snapshots, in milliseconds.
    pub snapshot_every_ms: u64,
    /// The license's file, where it is not one of the usual.
    pub license: Option<PathBuf>,
    /// The key that licenses are verified with, where it is not the vendor's. A flag only.
    pub vendor_key: Option<PathBuf>,
    /// Everybody may do everything.
    pub insecure_open: bool,
    /// Origins whose pages may use the broker; none means any.
    pub allow_origins: Vec<String>,
    /// `LUX_API_KEY`: one key with read and write on everything, beside those in the file.
    pub environment_key: Option<Secret>,
    /// Whose tokens are believed.
    pub tokens: TokenSettings,
    /// Every bound.
    pub limits: Limits,
    /// The TOML file that some of this came from.
    pub config_file: Option<PathBuf>,
    /// What is logged, and how.
    pub log: LogSettings,
    /// Which certificate to show, if TLS is to be spoken.
    pub tls: TlsSettings,
    /// Where all of this came from, to be read again; none where it came from nowhere.
    pub sources: Option<Box<Sources>>,
    /// Networks of proxies whose word about others is believed.
    pub trusted_proxies: Vec<Network>,
    /// What becomes of the access log.
    pub access_log: AccessLog,
}

/// What is logged, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// One line per event, for people or for machines.
    pub format: LogFormat,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`), or directives as `lux=debug,warn`.
    pub level: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What one source (flags and environment, or the file) says; what it leaves out is `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    /// See [`Settings::listen`].
    pub listen: Option<SocketAddr>,
    /// See [`Settings::cores`].
    pub cores: Option<usize>,
    /// See [`Settings::state_dir`].
    pub state_dir: Option<PathBuf>,
    /// See [`Settings::keys_file`].
    pub keys_file: Option<PathBuf>,
    /// See [`Settings::memory_only`].
    pub memory_only: Option<bool>,
    /// See [`Settings::snapshot_every_ms`].
    pub snapshot_every_ms: Option<u64>,
    /// See [`Settings::license`].
    pub license: Option<PathBuf>,
    /// See [`Settings::allow_origins`].
    pub allow_origins: Vec<String>,
    /// See [`Settings::tokens`].
    pub tokens: Option<TokenSettings>,
    /// Limits by name, with their values in the limit's own unit.
    pub limits: Vec<(&'static LimitName, u64)>,
    /// See [`LogSettings::format`].
    pub log_format: Option<LogFormat>,
    /// See [`LogSettings::level`].
    pub log_level: Option<String>,
    /// See [`Settings::tls`].
    pub tls: TlsSettings,
    /// See [`Settings::trusted_proxies`].
    pub trusted_proxies: Vec<Network>,
    /// See [`AccessLog::format`].
    pub access_log: Option<AccessLogFormat>,
    /// See [`AccessLog::file`].
    pub access_log_file: Option<PathBuf>,
}

impl Settings {
    /// The defaults of this machine, with everything kept in `state_dir`.
    pub fn new(state_dir: PathBuf) -> Settings {
        Settings {
            listen: LISTEN_DEFAULT,
            cores: cores_of_machine(),
            keys_file: state_dir.join(KEYS_FILE_NAME),
            state_dir,
            memory_only: false,
            snapshot_every_ms: SNAPSHOT_EVERY_MS_DEFAULT,
            license: None,
            vendor_key: None,
            insecure_open: false,
            allow_origins: Vec::new(),
            environment_key: None,
            tokens: TokenSettings::default(),
            limits: Limits::default(),
            config_file: None,
            log: LogSettings::default(),
            tls: TlsSettings::default(),
            sources: None,
            trusted_proxies: Vec::new(),
            access_log: AccessLog::default(),
        }
    }

    /// Puts the sources together: `flags` (with the environment) over `file` over the defaults.
    pub fn from_layers(flags: Layer, file: Layer, places: &Places) -> Settings {
        let sources = Some(Box::new(Sources { flags: flags.clone(), places: places.clone() }));
        let state_dir = flags.state_dir.or(file.state_dir).unwrap_or_else(|| places.state_dir());
        let defaults = Settings::new(state_dir);
        let mut limits = defaults.limits.clone();
        for (name, value) in file.limits.into_iter().chain(flags.limits) {
            name.set(&mut limits, value);
        }
        let allow_origins =
            if flags.allow_origins.is_empty() { file.allow_origins } else { flags.allow_origins };
        Settings {
            listen: flags.listen.or(file.listen).unwrap_or(defaults.listen),
            cores: flags.cores.or(file.cores).unwrap_or(defaults.cores),
            keys_file: flags.keys_file.or(file.keys_file).unwrap_or(defaults.keys_file),
            memory_only: flags.memory_only.or(file.memory_only).unwrap_or(defaults.memory_only),
            snapshot_every_ms: flags
                .snapshot_every_ms
                .or(file.snapshot_every_ms)
                .unwrap_or(defaults.snapshot_every_ms),
            license: flags.license.or(file.license),
            allow_origins,
            tokens: file.tokens.unwrap_or(defaults.tokens),
            limits,
            log: LogSettings {
                format: flags.log_format.or(file.log_format).unwrap_or_default(),
                level: flags.log_level.or(file.log_level).unwrap_or(defaults.log.level),
            },
            tls: flags.tls.or(file.tls),
            sources,
            trusted_proxies: [flags.trusted_proxies, file.trusted_proxies]
                .into_iter()
                .find(|networks| !networks.is_empty())
                .unwrap_or_default(),
            access_log: AccessLog {
                format: flags.access_log.or(file.access_log).unwrap_or_default(),
                file: flags.access_log_file.or(file.access_log_file),
            },
            ..Settings::new(defaults.state_dir)
        }
    }

    /// Where the certificate and its key are; none where TLS is off.
    pub fn tls_files(&self) -> Option<TlsFiles> {
        self.tls.files(&self.state_dir)
    }

    /// Whether a broker can be started with this.
    ///
    /// # Errors
    /// The first thing that is wrong, with what to set instead.
    pub fn check(&self) -> Result<(), OperatorError> {
        if self.cores == 0 || self.cores > CORES_MAX {
            let message = format!("{} is no number of cores that Lux can run", self.cores);
            return Err(OperatorError::new(message, format!("set --cores to 1 … {CORES_MAX}")));
        }
        for origin in &self.allow_origins {
            check_origin(origin).map_err(|shape| {
                OperatorError::new(format!("`{origin}` is not an origin that --allow-origin can take"), shape)
            })?;
        }
        for name in &LIMIT_NAMES {
            name.check(name.get(&self.limits))?;
        }
        check_together(&self.limits)?;
        self.tls.check()?;
        self.log.check()
    }
}

impl Default for LogSettings {
    fn default() -> LogSettings {
        LogSettings { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl LogSettings {
    fn check(&self) -> Result<(), OperatorError> {
        let filter = tracing_subscriber::EnvFilter::builder().parse(&self.level);
        filter.map(|_| ()).map_err(|_| {
            let message = format!("`{}` is no log level", self.level);
            OperatorError::new(message, "set --log-level to error, warn, info, debug or trace")
        })
    }
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<LogFormat, &'static str> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("write `text` or `json`"),
        }
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

/// What limits owe each other.
fn check_together(limits: &Limits) -> Result<(), OperatorError> {
    if limits.state_memory_bytes_max < limits.state_bytes_max {
        let message = "the limit `state_memory` has no space for one state of `state_bytes`";
        return Err(OperatorError::new(message, "raise `state_memory` or lower `state_bytes`"));
    }
    if limits.message_bytes_max < crate::limits::KEY_BYTES_MAX + 64 {
        let message = "the limit `message_bytes` has no space for one command with one key";
        return Err(OperatorError::new(message, "raise it to 1 KiB or more"));
    }
    Ok(())
}

/// Reads an address as an operator writes it.
///
/// # Errors
/// What to write instead.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    match port {
        Some(port) => Ok(SocketAddr::new(LISTEN_DEFAULT.ip(), port)),
        None => Err("write an address and a port, as 127.0.0.1:7373, 0.0.0.0:7373 or [::]:7373".to_owned()),
    }
}

/// Reads a number of cores.
///
/// # Errors
/// What to write instead.
pub fn parse_cores(text: &str) -> Result<usize, String> {
    let fits = |cores: &usize| (1..=CORES_MAX).contains(cores);
    text.parse().ok().filter(fits).ok_or_else(|| format!("write a number from 1 to {CORES_MAX}"))
}

/// Reads how often snapshots are written, in milliseconds.
///
/// # Errors
/// What to write instead.
pub fn parse_snapshot_every(text: &str) -> Result<u64, String> {
    let fits = |ms: &u64| (100..=3_600_000).contains(ms);
    units::parse_duration_ms(text)
        .ok()
        .filter(fits)
        .ok_or_else(|| "write a time from 100ms to 1h, as 5s".into())
}

/// How many cores this process may use.
pub fn cores_of_machine() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(CORES_MAX))
}

/// The path with a leading `~/` taken as the home directory, as in a file no shell has looked at.
pub fn expand_home(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        (Some(_), None) | (None, _) => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(PathBuf::from("state"))
    }

    #[test]
    fn the_defaults_are_fit_to_start_with() {
        let settings = settings();
        assert_eq!(settings.check(), Ok(()));
        assert_eq!(settings.listen.to_string(), "127.0.0.1:7373");
        assert_eq!(settings.keys_file, PathBuf::from("state/keys.toml"));
        assert!(!settings.insecure_open);
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let nesting = LimitName::find("nesting").unwrap();
        let keys = LimitName::find("keys").unwrap();
        let flags = Layer { cores: Some(3), limits: vec![(nesting, 7)], ..Layer::default() };
        let file = Layer {
            cores: Some(2),
            listen: Some("127.0.0.1:80".parse().unwrap()),
            state_dir: Some(PathBuf::from("there")),
            limits: vec![(nesting, 9), (keys, 50)],
            log_level: Some("warn".to_owned()),
            ..Layer::default()
        };
        let settings = Settings::from_layers(flags, file, &Places::default());
        assert_eq!((settings.cores, settings.listen.port()), (3, 80));
        assert_eq!((settings.limits.nesting_max, settings.limits.keys_max), (7, 50));
        assert_eq!(settings.keys_file, PathBuf::from("there/keys.toml"));
        assert_eq!(settings.log.level, "warn");
        assert_eq!(settings.limits.patterns_max, Limits::default().patterns_max);
    }

    #[test]
    fn what_cannot_work_is_refused_with_what_to_set() {
        let no_cores = Settings { cores: 0, ..settings() };
        assert!(no_cores.check().unwrap_err().remedy.contains("--cores"));
        let path = Settings { allow_origins: vec!["https://a.example/x".to_owned()], ..settings() };
        assert!(path.check().unwrap_err().remedy.contains("https://example.com"));
        let mut small = settings();
        small.limits.state_memory_bytes_max = 64 * 1024;
        assert!(small.check().unwrap_err().message.contains("state_memory"));
        let mut deep = settings();
        deep.limits.nesting_max = 100_000;
        assert!(deep.check().unwrap_err().message.contains("nesting"));
        let mut loud = settings();
        loud.log.level = "very=loud=indeed".to_owned();
        assert!(loud.check().unwrap_err().remedy.contains("--log-level"));
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(parse_listen("localhost:80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(parse_listen("[::]:7373").unwrap().to_string(), "[::]:7373");
        for wrong in ["7373", ":7373", "example.com:80", "127.0.0.1", "localhost:99999"] {
            assert!(parse_listen(wrong).unwrap_err().contains("127.0.0.1:7373"), "{wrong}");
        }
    }
}
