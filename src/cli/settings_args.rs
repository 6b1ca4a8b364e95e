//! The flags that make [`Settings`], the same for `lux serve` and `lux check`.
//!
//! Always true: clap has let the flag win over its variable; here both win over the file.
//!
//! Read first: `settings/mod.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::access::Secret;
use crate::guard::address::Network;
use crate::operator_error::OperatorError;
use crate::settings::{
    self, AccessLogFormat, Layer, LimitName, LogFormat, Places, Settings, TlsSettings, file,
};

/// One `--limit name=value`.
pub type LimitSetting = (&'static LimitName, u64);

/// What `lux serve` can be told.
#[derive(Args, Default)]
pub struct SettingsArgs {
    /// Address and port to listen on; port 0 picks a free one [default: 127.0.0.1:7373]
    #[arg(long, value_name = "ADDR:PORT", env = "LUX_LISTEN", value_parser = settings::parse_listen)]
    pub listen: Option<SocketAddr>,

    /// How many cores to use, each with its own loop [default: all of this machine]
    #[arg(long, value_name = "N", env = "LUX_CORES", value_parser = settings::parse_cores)]
    pub cores: Option<usize>,

    #[command(flatten)]
    pub place: PlaceArgs,

    #[command(flatten)]
    pub snapshot: SnapshotArgs,

    #[command(flatten)]
    pub license: LicenseArgs,

    /// An origin whose pages may use the broker, repeatable [default: any]
    #[arg(long, value_name = "ORIGIN", env = "LUX_ALLOW_ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<String>,

    /// A limit, as state_bytes=1MiB or idle_timeout=2m, repeatable; `lux check` lists them
    #[arg(long, value_name = "NAME=VALUE", env = "LUX_LIMITS", value_delimiter = ',', value_parser = parse_limit)]
    pub limit: Vec<LimitSetting>,

    /// Let everybody who reaches the address read and write everything
    #[arg(long)]
    pub insecure_open: bool,

    /// A network of proxies whose X-Forwarded-For is believed, as 10.0.0.0/8, repeatable [default: none]
    #[arg(long, value_name = "NETWORK", env = "LUX_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,

    #[command(flatten)]
    pub tls: TlsArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// Which certificate to show.
#[derive(Args, Default)]
pub struct TlsArgs {
    /// Speak TLS with this certificate (PEM: yours first, then those that sign it)
    #[arg(long, value_name = "FILE", env = "LUX_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", env = "LUX_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Speak TLS with a certificate that Lux makes and keeps in the state directory, for a first try
    #[arg(long)]
    pub tls_self_signed: bool,
}

/// Where things are kept.
#[derive(Args, Default)]
pub struct PlaceArgs {
    /// Where Lux keeps what must outlive it [default: ~/.local/state/lux]
    #[arg(long, value_name = "DIR", env = "LUX_STATE_DIR")]
    pub state_dir: Option<PathBuf>,

    /// The file with the API keys' hashes [default: keys.toml in the state directory]
    #[arg(long, value_name = "FILE", env = "LUX_KEYS")]
    pub keys: Option<PathBuf>,

    /// A TOML file with settings; flags and LUX_* win over it
    #[arg(long, value_name = "FILE", env = "LUX_CONFIG")]
    pub config: Option<PathBuf>,
}

/// What outlives the process.
#[derive(Args, Default)]
pub struct SnapshotArgs {
    /// Keep states in memory alone: they end with the process
    #[arg(long, env = "LUX_MEMORY_ONLY", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub memory_only: Option<bool>,

    /// How often changed states go to the snapshot in the state directory [default: 5s]
    #[arg(long, value_name = "TIME", env = "LUX_SNAPSHOT_EVERY", value_parser = settings::parse_snapshot_every)]
    pub snapshot_every: Option<u64>,
}

/// Which license, and whose.
#[derive(Args, Default)]
pub struct LicenseArgs {
    /// The license's file [default: license in the state directory, or /etc/lux/license]
    #[arg(long, value_name = "FILE", env = "LUX_LICENSE")]
    pub license: Option<PathBuf>,

    /// Verify the license with the key in this file, not with the vendor's
    #[arg(long, value_name = "FILE")]
    pub vendor_key: Option<PathBuf>,
}

/// What is logged.
#[derive(Args, Default)]
pub struct LogArgs {
    /// How log lines are written: text or json [default: text]
    #[arg(long, value_name = "FORMAT", env = "LUX_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,

    /// error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL", env = "LUX_LOG_LEVEL")]
    pub log_level: Option<String>,

    /// A line for every request: off, text or json [default: off]
    #[arg(long, value_name = "FORMAT", env = "LUX_ACCESS_LOG")]
    pub access_log: Option<AccessLogFormat>,

    /// Where these lines go [default: standard error]
    #[arg(long, value_name = "FILE", env = "LUX_ACCESS_LOG_FILE")]
    pub access_log_file: Option<PathBuf>,
}

impl SettingsArgs {
    /// Puts flags, environment and file together, and checks the whole.
    ///
    /// # Errors
    /// The first thing that is wrong, with where it stands and what to write instead.
    pub fn resolve(self) -> Result<Settings, OperatorError> {
        let places = Places::of_environment();
        let config_file = self.place.config.clone();
        let (insecure_open, vendor_key) = (self.insecure_open, self.license.vendor_key.clone());
        let file = read_file(&self.place, &places)?;
        let settings = Settings {
            insecure_open,
            vendor_key,
            config_file,
            environment_key: environment_key()?,
            ..Settings::from_layers(self.into_layer(), file, &places)
        };
        settings.check()?;
        Ok(settings)
    }

    fn into_layer(self) -> Layer {
        Layer {
            listen: self.listen,
            cores: self.cores,
            state_dir: self.place.state_dir,
            keys_file: self.place.keys,
            memory_only: self.snapshot.memory_only,
            snapshot_every_ms: self.snapshot.snapshot_every,
            license: self.license.license,
            allow_origins: self.allow_origin,
            tokens: None,
            limits: self.limit,
            log_format: self.log.log_format,
            log_level: self.log.log_level,
            tls: TlsSettings {
                cert: self.tls.tls_cert,
                key: self.tls.tls_key,
                self_signed: self.tls.tls_self_signed,
            },
            trusted_proxies: self.trusted_proxy,
            access_log: self.log.access_log,
            access_log_file: self.log.access_log_file,
        }
    }
}

impl PlaceArgs {
    /// Where the key file is.
    ///
    /// # Errors
    /// As [`SettingsArgs::resolve`], as far as the file of settings goes.
    pub fn keys_file(self) -> Result<PathBuf, OperatorError> {
        Ok(self.settings()?.keys_file)
    }

    /// The settings that follow from the places alone.
    ///
    /// # Errors
    /// As [`PlaceArgs::keys_file`].
    pub fn settings(self) -> Result<Settings, OperatorError> {
        let places = Places::of_environment();
        let file = read_file(&self, &places)?;
        let flags = Layer { state_dir: self.state_dir, keys_file: self.keys, ..Layer::default() };
        Ok(Settings::from_layers(flags, file, &places))
    }
}

/// Reads the file of settings that these name; an empty layer where they name none.
///
/// # Errors
/// As [`SettingsArgs::resolve`].
pub fn read_file(place: &PlaceArgs, places: &Places) -> Result<Layer, OperatorError> {
    place.config.as_deref().map_or_else(|| Ok(Layer::default()), |path| file::read(path, places))
}

/// `LUX_API_KEY`; one that is set to nothing is not set, as container tools leave it.
fn environment_key() -> Result<Option<Secret>, OperatorError> {
    let Some(value) = std::env::var_os("LUX_API_KEY").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    let parsed = value.to_str().ok_or("an API key is plain ASCII".to_owned());
    let secret = parsed.and_then(|text| Secret::parse(text).map_err(|error| error.to_string()));
    // The value itself stays out of the message.
    secret.map(Some).map_err(|why| OperatorError::new("LUX_API_KEY holds no API key", why))
}

fn parse_limit(text: &str) -> Result<LimitSetting, String> {
    let (name, value) =
        text.split_once('=').ok_or("write it as state_bytes=1MiB; `lux check` lists the limits")?;
    let limit = LimitName::find(name.trim())?;
    Ok((limit, limit.parse(value)?))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Harness {
        #[command(flatten)]
        settings: SettingsArgs,
    }

    fn resolve(flags: &[&str]) -> Settings {
        let all = std::iter::once("lux").chain(flags.iter().copied());
        Harness::try_parse_from(all).unwrap().settings.resolve().unwrap()
    }

    #[test]
    fn a_flag_wins_over_the_file_limit_by_limit() {
        let temp = tempfile::tempdir().unwrap();
        let config = temp.path().join("lux.toml");
        std::fs::write(&config, "cores = 2\nkeys = \"k.toml\"\n[limits]\nnesting = 9\nkeys = 5\n").unwrap();
        let path = config.to_str().unwrap();
        let settings =
            resolve(&["--config", path, "--cores", "3", "--limit", "nesting=7", "--limit=drain=2s"]);
        assert_eq!((settings.cores, settings.limits.nesting_max, settings.limits.keys_max), (3, 7, 5));
        assert_eq!(settings.limits.drain_ms, 2_000);
        assert_eq!(settings.keys_file, PathBuf::from("k.toml"));
        assert_eq!(settings.config_file, Some(config));
    }

    #[test]
    fn a_limit_that_is_none_says_which_there_are() {
        for (text, hint) in [
            ("nesting", "state_bytes=1MiB"),
            ("nestin=3", "`nesting`"),
            ("drain=5", "20s"),
            ("nesting=9999", "512"),
        ] {
            assert!(parse_limit(text).unwrap_err().contains(hint), "{text}");
        }
    }
}
