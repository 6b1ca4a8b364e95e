//! Settings read again while the broker runs: what may change then, and what waits for the next start.
//!
//! Always true: a file that cannot be used changes nothing. Flags and the environment are those of the start, and
//! win over the file as they did then.
//!
//! Read first: `settings/mod.rs`.

use super::{Layer, Places, Settings, file, units};
use crate::operator_error::OperatorError;

/// The settings that a broker takes only at its start, by the names they have in the file or as flags.
pub const AT_START_ONLY: [&str; 10] = [
    "listen",
    "cores",
    "state_dir",
    "log_format",
    "memory_only",
    "snapshot_every",
    "trusted_proxies",
    "access_log",
    "access_log_file",
    "tls (on or off)",
];

/// What settings were put together from, but for the file.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Flags and the environment.
    pub flags: Layer,
    /// Where things are kept unless told otherwise.
    pub places: Places,
}

impl Settings {
    /// The same sources with the file as it is now.
    ///
    /// # Errors
    /// What is wrong with the file, on which line, and what to write instead.
    pub fn read_again(&self) -> Result<Settings, OperatorError> {
        let Some(sources) = &self.sources else { return Ok(self.clone()) };
        let file = match &self.config_file {
            Some(path) => file::read(path, &sources.places)?,
            None => Layer::default(),
        };
        let next = Settings {
            insecure_open: self.insecure_open,
            vendor_key: self.vendor_key.clone(),
            config_file: self.config_file.clone(),
            environment_key: self.environment_key.clone(),
            ..Settings::from_layers(sources.flags.clone(), file, &sources.places)
        };
        next.check()?;
        Ok(next)
    }

    /// These settings for a broker that runs with `running`: what it takes only at its start stays as it is there.
    /// Says what waits, as `cores (2, and 4 from the next start on)`.
    pub fn for_running(mut self, running: &Settings) -> (Settings, Vec<String>) {
        let mut waiting = Vec::new();
        let mut keep = |name: &str, now: String, next: String| {
            if now != next {
                waiting.push(format!("{name} ({now}, and {next} from the next start on)"));
            }
        };
        keep("listen", running.listen.to_string(), self.listen.to_string());
        keep("cores", running.cores.to_string(), self.cores.to_string());
        keep("state_dir", running.state_dir.display().to_string(), self.state_dir.display().to_string());
        keep("log_format", running.log.format.to_string(), self.log.format.to_string());
        keep("memory_only", running.memory_only.to_string(), self.memory_only.to_string());
        let every = |settings: &Settings| units::format_duration_ms(settings.snapshot_every_ms);
        keep("snapshot_every", every(running), every(&self));
        let proxies = |settings: &Settings| {
            let all: Vec<String> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
            if all.is_empty() { "none".to_owned() } else { all.join(" ") }
        };
        keep("trusted_proxies", proxies(running), proxies(&self));
        keep("access_log", running.access_log.format.to_string(), self.access_log.format.to_string());
        let file = |settings: &Settings| {
            let path = settings.access_log.file.as_ref().map(|path| path.display().to_string());
            path.unwrap_or_else(|| "standard error".to_owned())
        };
        keep("access_log_file", file(running), file(&self));
        let on_or_off = |settings: &Settings| if settings.tls_files().is_some() { "on" } else { "off" };
        keep("tls", on_or_off(running).to_owned(), on_or_off(&self).to_owned());
        if self.tls_files().is_some() != running.tls_files().is_some() {
            self.tls = running.tls.clone();
        }
        (self.listen, self.cores, self.log.format) = (running.listen, running.cores, running.log.format);
        (self.memory_only, self.snapshot_every_ms) = (running.memory_only, running.snapshot_every_ms);
        (self.trusted_proxies, self.access_log) =
            (running.trusted_proxies.clone(), running.access_log.clone());
        self.state_dir = running.state_dir.clone();
        (self, waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::settings::LimitName;

    fn started(config: &Path, flags: Layer) -> Settings {
        let layer = file::read(config, &Places::default()).unwrap();
        let settings = Settings::from_layers(flags, layer, &Places::default());
        let vendor_key = Some(PathBuf::from("v.pem"));
        Settings { config_file: Some(config.to_owned()), vendor_key, insecure_open: true, ..settings }
    }

    #[test]
    fn the_file_is_read_again_and_flags_still_win() {
        let temp = tempfile::tempdir().unwrap();
        let config = temp.path().join("lux.toml");
        std::fs::write(&config, "log_level = \"warn\"\n[limits]\nnesting = 7\n").unwrap();
        let flags = Layer { limits: vec![(LimitName::find("keys").unwrap(), 5)], ..Layer::default() };
        let running = started(&config, flags);
        std::fs::write(&config, "log_level = \"debug\"\n[limits]\nnesting = 9\nkeys = 50\n").unwrap();
        let next = running.read_again().unwrap();
        assert_eq!((next.log.level.as_str(), next.limits.nesting_max, next.limits.keys_max), ("debug", 9, 5));
        assert!(next.insecure_open && next.vendor_key == running.vendor_key, "flags that no layer has");
        std::fs::write(&config, "\nnesting = 9\n").unwrap();
        let error = next.read_again().unwrap_err();
        assert!(error.message.contains("lux.toml, line 2"), "{error}");
        assert_eq!(Settings::new(PathBuf::from("s")).read_again().unwrap().limits, running_defaults());
    }

    fn running_defaults() -> crate::limits::Limits {
        crate::limits::Limits::default()
    }

    #[test]
    fn what_only_a_start_takes_waits_and_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let config = temp.path().join("lux.toml");
        std::fs::write(&config, "cores = 2\nstate_dir = \"a\"\n").unwrap();
        let running = started(&config, Layer::default());
        std::fs::write(&config, "cores = 4\nlisten = \"127.0.0.1:1\"\nstate_dir = \"b\"\nmemory_only = true\nsnapshot_every = \"9s\"\ntrusted_proxies = [\"10.0.0.0/8\"]\naccess_log = \"json\"\naccess_log_file = \"a.log\"\nlog_format = \"json\"\ntls_cert = \"c\"\ntls_key = \"k\"\n").unwrap();
        let (next, waiting) = running.read_again().unwrap().for_running(&running);
        assert_eq!((next.cores, next.listen), (2, running.listen));
        assert_eq!(next.state_dir, PathBuf::from("a"));
        assert!(next.tls_files().is_none());
        assert_eq!(waiting.len(), AT_START_ONLY.len(), "{waiting:?}");
        for (name, line) in AT_START_ONLY.iter().zip(&waiting) {
            assert!(line.starts_with(name.split(' ').next().unwrap()), "{line}");
        }
        let (_, again) = running.read_again().unwrap().for_running(&next);
        assert_eq!(again.len(), waiting.len(), "it goes on waiting");
    }
}
