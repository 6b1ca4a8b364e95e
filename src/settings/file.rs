//! The TOML file: text to a [`Layer`].
//!
//! ```toml
//! listen = "0.0.0.0:7373"
//! cores = 4
//! state_dir = "/var/lib/lux"
//! allow_origin = ["https://wall.example"]
//!
//! [limits]
//! state_bytes = "1 MiB"
//! idle_timeout = "2m"
//! ```
//!
//! Always true: a name that nobody knows is refused, not skipped, so that a slip never leaves a limit open.
//! `insecure_open` has no place here: a file left behind must not open a broker.
//!
//! Read first: `settings/mod.rs`, `toml_lines.rs`.

use std::path::{Path, PathBuf};

use super::{Layer, LimitName, Places, expand_home, parse_cores, parse_listen, parse_snapshot_every, tokens};
use crate::access::check_origin;
use crate::guard::address::Network;
use crate::operator_error::OperatorError;
use crate::toml_lines::{Document, Fault, Field, Table};

const NAMES: [&str; 17] = [
    "listen",
    "cores",
    "state_dir",
    "keys",
    "license",
    "memory_only",
    "snapshot_every",
    "allow_origin",
    "log_format",
    "log_level",
    "tls_cert",
    "tls_key",
    "tokens",
    "trusted_proxies",
    "access_log",
    "access_log_file",
    "limits",
];

/// Reads the file at `path`.
///
/// # Errors
/// The file, the line and what to write instead; or why it cannot be read.
pub fn read(path: &Path, places: &Places) -> Result<Layer, OperatorError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("the settings in {} cannot be read ({error})", path.display());
        OperatorError::new(message, "name a readable TOML file with --config, or leave --config out")
    })?;
    parse(&text, places.home.as_deref()).map_err(|fault| fault.in_file(path))
}

/// Reads the file's text; `home` is what `~/` means in it.
///
/// # Errors
/// A fault naming the line and what to write instead.
pub fn parse(text: &str, home: Option<&Path>) -> Result<Layer, Fault> {
    let document = Document::parse(text)?;
    let mut layer = Layer::default();
    for field in document.root().fields() {
        read_field(&field, &mut layer, home)?;
    }
    Ok(layer)
}

fn read_field(field: &Field<'_>, layer: &mut Layer, home: Option<&Path>) -> Result<(), Fault> {
    match field.name {
        "listen" => layer.listen = Some(value(field, parse_listen)?),
        "cores" => layer.cores = Some(value(field, parse_cores)?),
        "state_dir" => layer.state_dir = Some(path(field, home)?),
        "keys" => layer.keys_file = Some(path(field, home)?),
        "memory_only" => {
            let parse = |text: &str| text.parse().map_err(|_| "write true or false");
            layer.memory_only = Some(value(field, parse)?);
        }
        "snapshot_every" => layer.snapshot_every_ms = Some(value(field, parse_snapshot_every)?),
        "license" => layer.license = Some(path(field, home)?),
        "allow_origin" => layer.allow_origins = origins(field)?,
        "log_format" => layer.log_format = Some(value(field, str::parse)?),
        "log_level" => layer.log_level = Some(field.text()?.to_owned()),
        "tls_cert" => layer.tls.cert = Some(path(field, home)?),
        "tls_key" => layer.tls.key = Some(path(field, home)?),
        "tokens" => layer.tokens = Some(tokens::read(field.table()?, home)?),
        "trusted_proxies" => layer.trusted_proxies = networks(field)?,
        "access_log" => layer.access_log = Some(value(field, str::parse)?),
        "access_log_file" => layer.access_log_file = Some(path(field, home)?),
        "limits" => layer.limits = limits(field.table()?)?,
        "insecure_open" => {
            let remedy = "take the line out; a broker without keys is started with the flag --insecure-open";
            return Err(field.fault("a file cannot open the broker to everybody", remedy));
        }
        _ => return Err(field.unknown(&NAMES)),
    }
    Ok(())
}

/// A value that some function understands.
pub(super) fn value<T, E: ToString>(
    field: &Field<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Fault> {
    let wrong = |remedy: E| field.fault(format!("`{}` cannot be this", field.name), remedy.to_string());
    parse(&field.text_or_plain()?).map_err(wrong)
}

fn path(field: &Field<'_>, home: Option<&Path>) -> Result<PathBuf, Fault> {
    path_of(field, field.text()?, home)
}

/// A path in a field, which may hold several.
pub(super) fn path_of(field: &Field<'_>, text: &str, home: Option<&Path>) -> Result<PathBuf, Fault> {
    match text {
        "" => Err(field.fault(format!("`{}` is empty", field.name), "write a path, or take the line out")),
        text => Ok(expand_home(text, home)),
    }
}

fn origins(field: &Field<'_>) -> Result<Vec<String>, Fault> {
    let check = |text: &str| match check_origin(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(shape) => Err(field.fault(format!("`{text}` is no origin"), shape)),
    };
    field.texts()?.into_iter().map(check).collect()
}

fn networks(field: &Field<'_>) -> Result<Vec<Network>, Fault> {
    let read = |text: &str| {
        text.parse().map_err(|shape: &str| field.fault(format!("`{text}` is no network"), shape))
    };
    field.texts()?.into_iter().map(read).collect()
}

fn limits(table: Table<'_>) -> Result<Vec<(&'static LimitName, u64)>, Fault> {
    let read = |field: Field<'_>| {
        let unknown = |why: String| {
            let (message, remedy) = why.split_once("; ").unwrap_or((&why, "see `lux check`"));
            Fault { line: field.line, message: message.to_owned(), remedy: remedy.to_owned() }
        };
        let limit = LimitName::find(field.name).map_err(unknown)?;
        Ok((limit, value(&field, |text| limit.parse(text))?))
    };
    table.fields().into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file_is_read() {
        let text = "listen = \"0.0.0.0:80\"\ncores = 4\nstate_dir = \"~/lux\"\nkeys = \"/etc/lux/keys.toml\"\n\
            memory_only = true\nsnapshot_every = \"1m\"\n\
            allow_origin = [\"https://a.example\"]\nlog_format = \"json\"\nlog_level = \"debug\"\n\
            [limits]\nstate_bytes = \"1 MiB\"\nkeys = 5_000\nidle_timeout = \"2m\"\n";
        let layer = parse(text, Some(Path::new("/home/me"))).unwrap();
        assert_eq!(layer.listen.unwrap().to_string(), "0.0.0.0:80");
        assert_eq!(layer.cores, Some(4));
        assert_eq!(layer.state_dir, Some(PathBuf::from("/home/me/lux")));
        assert_eq!(layer.keys_file, Some(PathBuf::from("/etc/lux/keys.toml")));
        assert_eq!((layer.memory_only, layer.snapshot_every_ms), (Some(true), Some(60_000)));
        assert_eq!(layer.allow_origins, ["https://a.example"]);
        assert_eq!(layer.log_format, Some(super::super::LogFormat::Json));
        let limits: Vec<_> = layer.limits.iter().map(|(name, value)| (name.name, *value)).collect();
        assert_eq!(limits, [("state_bytes", 1 << 20), ("keys", 5_000), ("idle_timeout", 120_000)]);
        assert!(parse("", None).unwrap().listen.is_none());
    }

    #[test]
    fn each_mistake_names_its_line_and_the_remedy() {
        for (text, line, hint) in [
            ("cores = 2\nlissen = \"a\"\n", 2, "`listen`"),
            ("tls = true\n", 1, "tls_cert"),
            ("cores = 0\n", 1, "1 to 256"),
            ("cores = \"many\"\n", 1, "1 to 256"),
            ("\nlisten = \"7373\"\n", 2, "127.0.0.1:7373"),
            ("log_format = \"xml\"\n", 1, "`json`"),
            ("memory_only = \"no\"\n", 1, "true or false"),
            ("snapshot_every = \"5\"\n", 1, "5s"),
            ("insecure_open = true\n", 1, "--insecure-open"),
            ("allow_origin = \"https://a.example/x\"\n", 1, "without a path"),
            ("[limits]\nstate_bytes = \"big\"\n", 2, "256 KiB"),
            ("[limits]\nidle_timeout = 20\n", 2, "20s"),
            ("[limits]\nnesting = 5\nstate_byte = 1\n", 3, "`state_bytes`"),
            ("limits = 3\n", 1, "[limits]"),
            ("state_dir = \"\"\n", 1, "path"),
            ("tls_cert = 3\n", 1, "text"),
            ("cores = \n", 1, "name = value"),
            ("trusted_proxies = [\"10.0.0.1/8\"]\n", 1, "10.0.0.0/8"),
            ("\ntrusted_proxies = \"alb\"\n", 2, "2001:db8::/32"),
            ("access_log = \"on\"\n", 1, "`json`"),
        ] {
            let fault = parse(text, None).unwrap_err();
            assert_eq!(fault.line, line, "{text}{fault}");
            assert!(fault.remedy.contains(hint), "{text}{fault}");
        }
    }

    /// The file that is installed with the service: what stands in it, and what would if it were not remarks.
    fn shipped() -> (String, Vec<(String, String)>) {
        let text = include_str!("../../systemd/lux.toml").to_owned();
        let is_setting = |line: &&str| {
            let name = line.split(" = ").next().unwrap_or_default();
            line.contains(" = ") && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
        };
        let lines = text.lines().map(|line| line.trim_start_matches('#')).filter(is_setting);
        let pairs = lines.filter_map(|line| line.split_once(" = "));
        let settings = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (text, settings)
    }

    #[test]
    fn the_shipped_file_names_every_setting_once() {
        let (text, settings) = shipped();
        assert!(parse(&text, None).is_ok(), "it can be used as it is");
        let (own, rest) = text.split_once("\n[limits]\n").unwrap();
        let (limits, tokens) = rest.split_once("\n[tokens]\n").unwrap();
        let times = |part: &str, name: &str| {
            let begins = |line: &&str| line.trim_start_matches('#').starts_with(&format!("{name} = "));
            part.lines().filter(begins).count()
        };
        for name in NAMES.iter().filter(|name| !["limits", "tokens"].contains(*name)) {
            assert_eq!(times(own, name), 1, "{name}");
        }
        for limit in &super::super::LIMIT_NAMES {
            assert_eq!(times(limits, limit.name), 1, "{}", limit.name);
        }
        for name in tokens::NAMES {
            assert_eq!(times(tokens, name), 1, "{name}");
        }
        let all = NAMES.len() - 2 + super::super::LIMIT_NAMES.len() + tokens::NAMES.len();
        assert_eq!(settings.len(), all, "and nothing else");
    }

    #[test]
    fn the_shipped_file_says_the_defaults() {
        let (text, _) = shipped();
        // Every setting that is a remark, without its `#`: the same broker comes out.
        // Those of [tokens] are examples: there is no provider by default.
        let defaults = text.split_once("\n[tokens]\n").unwrap().0;
        let uncomment = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            Some(_) | None => format!("{line}\n"),
        };
        let places = Places::default();
        let settle = |text: &str| {
            super::super::Settings::from_layers(Layer::default(), parse(text, None).unwrap(), &places)
        };
        let (short, long) = (settle(&text), settle(&defaults.lines().map(uncomment).collect::<String>()));
        assert_eq!(format!("{:?}", short.limits), format!("{:?}", long.limits));
        assert_eq!((short.listen, &short.log), (long.listen, &long.log));
        assert_eq!(short.access_log.format, long.access_log.format);
        assert_eq!((short.memory_only, short.snapshot_every_ms), (long.memory_only, long.snapshot_every_ms));
        assert_eq!((&short.state_dir, &short.keys_file), (&long.state_dir, &long.keys_file));
        assert_eq!(long.check(), Ok(()));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("no/such/lux.toml"), &Places::default()).err().unwrap();
        assert!(error.message.contains("no/such/lux.toml") && error.remedy.contains("--config"));
    }
}
