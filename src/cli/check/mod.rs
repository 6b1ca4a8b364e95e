//! `lux check`: whether a broker can run here, with which limits, and what to change.
//!
//! Always true: it starts nothing and writes nothing; exit code 0 means that `lux serve` with the same flags
//! would start, 2 that it would not.
//!
//! Read first: `findings.rs`, `machine.rs`.

mod findings;
mod snapshot;

use std::time::{SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::output;
use super::settings_args::SettingsArgs;
use crate::access_file::read_keys;
use crate::limits::Limits;
use crate::machine::Machine;
use crate::settings::units::format_duration_ms;
use crate::settings::{AT_START_ONLY, LIMIT_NAMES, LimitKind, LimitName, Settings};
use findings::{Finding, Mark};

const EXAMPLES: &str = "\
Examples:
  lux check                                 with the flags and variables that `lux serve` would get
  lux check --config lux.toml --cores 4
  lux check --json | jq '.checks[] | select(.mark != \"ok\")'

Any limit can be set with --limit NAME=VALUE, in LUX_LIMITS, or under [limits] in the settings file.";

/// Flags of `lux check`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    #[command(flatten)]
    settings: SettingsArgs,

    /// One JSON object on standard output
    #[arg(long)]
    json: bool,
}

/// The whole report, as `--json` prints it.
#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Finding>,
    settings: Option<SettingsReport>,
    limits: Vec<LimitReport>,
}

#[derive(Serialize)]
struct SettingsReport {
    listen: String,
    cores: usize,
    state_dir: String,
    memory_only: bool,
    snapshot_every_ms: u64,
    keys: String,
    license: Option<String>,
    config: Option<String>,
    allow_origin: Vec<String>,
    insecure_open: bool,
    environment_key: bool,
    log_format: String,
    log_level: String,
    tls_cert: Option<String>,
    tls_key: Option<String>,
    tls_self_signed: bool,
    /// What a reload does not change.
    at_start_only: &'static [&'static str],
    trusted_proxies: Vec<String>,
    access_log: String,
    access_log_file: Option<String>,
}

#[derive(Serialize)]
struct LimitReport {
    name: &'static str,
    /// In bytes, milliseconds or things.
    value: u64,
    unit: &'static str,
    is_default: bool,
    #[serde(skip)]
    text: String,
    about: &'static str,
}

/// Looks, and says what it saw.
///
/// # Errors
/// [`Failure::Told`] if something would keep `lux serve` from starting.
pub fn run(args: CheckArgs) -> Result<(), Failure> {
    let report = match args.settings.resolve() {
        Ok(settings) => Report::of(&settings),
        Err(error) => Report {
            ok: false,
            checks: vec![findings::broken_settings(&error)],
            settings: None,
            limits: Vec::new(),
        },
    };
    if args.json {
        let text = serde_json::to_string_pretty(&report);
        output::line(
            &text.map_err(|error| Failure::operator(format!("no JSON ({error})"), "leave --json out"))?,
        )?;
    } else {
        report.print()?;
    }
    if report.ok { Ok(()) } else { Err(Failure::Told) }
}

impl Report {
    fn of(settings: &Settings) -> Report {
        let machine = Machine::look(settings.listen, &settings.state_dir, settings.cores);
        let keys = read_keys(&settings.keys_file);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut checks = findings::findings(settings, &machine, &keys, since.as_millis() as u64);
        checks.push(snapshot::finding(settings, since.as_millis() as u64));
        Report {
            ok: checks.iter().all(|finding| finding.mark != Mark::Fail),
            checks,
            settings: Some(SettingsReport::of(settings)),
            limits: LIMIT_NAMES.iter().map(|name| LimitReport::of(name, &settings.limits)).collect(),
        }
    }

    fn print(&self) -> Result<(), Failure> {
        for finding in &self.checks {
            print_finding(finding)?;
        }
        if let Some(settings) = &self.settings {
            print_section("Settings")?;
            print_rows(&settings.rows())?;
            let names = settings.at_start_only.join(", ");
            output::styled(&format!(
                "  A reload (SIGHUP) takes the file's changes, but for {names}: those take a restart."
            ))?;
        }
        if !self.limits.is_empty() {
            print_section("Limits")?;
            print_rows(&self.limits.iter().map(LimitReport::row).collect::<Vec<_>>())?;
        }
        output::styled(&format!("\n{}", self.verdict()))
    }

    fn verdict(&self) -> String {
        let count = |mark| self.checks.iter().filter(|finding| finding.mark == mark).count();
        match (count(Mark::Fail), count(Mark::Warn)) {
            (0, 0) => "Lux can run here.".to_owned(),
            (0, warnings) => format!("Lux can run here; {warnings} of the above may disappoint (!)."),
            (failures, _) => format!("Lux cannot run here yet: {failures} of the above must be cleared (✗)."),
        }
    }
}

impl SettingsReport {
    fn of(settings: &Settings) -> SettingsReport {
        SettingsReport {
            listen: settings.listen.to_string(),
            cores: settings.cores,
            state_dir: settings.state_dir.display().to_string(),
            memory_only: settings.memory_only,
            snapshot_every_ms: settings.snapshot_every_ms,
            keys: settings.keys_file.display().to_string(),
            license: settings.license.as_ref().map(|path| path.display().to_string()),
            config: settings.config_file.as_ref().map(|path| path.display().to_string()),
            allow_origin: settings.allow_origins.clone(),
            insecure_open: settings.insecure_open,
            environment_key: settings.environment_key.is_some(),
            log_format: settings.log.format.to_string(),
            log_level: settings.log.level.clone(),
            tls_cert: settings.tls.cert.as_ref().map(|path| path.display().to_string()),
            tls_key: settings.tls.key.as_ref().map(|path| path.display().to_string()),
            tls_self_signed: settings.tls.self_signed,
            at_start_only: &AT_START_ONLY,
            trusted_proxies: settings.trusted_proxies.iter().map(ToString::to_string).collect(),
            access_log: settings.access_log.format.to_string(),
            access_log_file: settings.access_log.file.as_ref().map(|path| path.display().to_string()),
        }
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let origins =
            if self.allow_origin.is_empty() { "any".to_owned() } else { self.allow_origin.join(", ") };
        let none = || "none".to_owned();
        let proxies = match self.trusted_proxies.is_empty() {
            true => "none".to_owned(),
            false => self.trusted_proxies.join(", "),
        };
        let access_log_file = self.access_log_file.clone().unwrap_or_else(|| "standard error".to_owned());
        let environment_key = if self.environment_key { "set" } else { "not set" };
        [
            ("listen", self.listen.clone(), "--listen, LUX_LISTEN"),
            ("cores", self.cores.to_string(), "--cores, LUX_CORES"),
            ("state_dir", self.state_dir.clone(), "--state-dir, LUX_STATE_DIR"),
            ("memory_only", self.memory_only.to_string(), "--memory-only, LUX_MEMORY_ONLY"),
            (
                "snapshot_every",
                format_duration_ms(self.snapshot_every_ms),
                "--snapshot-every, LUX_SNAPSHOT_EVERY",
            ),
            ("keys", self.keys.clone(), "--keys, LUX_KEYS"),
            (
                "license",
                self.license.clone().unwrap_or_else(|| "default".to_owned()),
                "--license, LUX_LICENSE",
            ),
            ("config", self.config.clone().unwrap_or_else(none), "--config, LUX_CONFIG"),
            ("allow_origin", origins, "--allow-origin, LUX_ALLOW_ORIGIN"),
            ("insecure_open", self.insecure_open.to_string(), "--insecure-open"),
            ("environment key", environment_key.to_owned(), "LUX_API_KEY"),
            ("log_format", self.log_format.clone(), "--log-format, LUX_LOG_FORMAT"),
            ("log_level", self.log_level.clone(), "--log-level, LUX_LOG_LEVEL"),
            ("tls_cert", self.tls_cert.clone().unwrap_or_else(none), "--tls-cert, LUX_TLS_CERT"),
            ("tls_key", self.tls_key.clone().unwrap_or_else(none), "--tls-key, LUX_TLS_KEY"),
            ("tls_self_signed", self.tls_self_signed.to_string(), "--tls-self-signed"),
            ("trusted_proxies", proxies, "--trusted-proxy, LUX_TRUSTED_PROXIES"),
            ("access_log", self.access_log.clone(), "--access-log, LUX_ACCESS_LOG"),
            ("access_log_file", access_log_file, "--access-log-file, LUX_ACCESS_LOG_FILE"),
        ]
        .map(|(name, value, source)| vec![name.to_owned(), value, source.to_owned()])
        .to_vec()
    }
}

impl LimitReport {
    fn of(name: &'static LimitName, limits: &Limits) -> LimitReport {
        let value = name.get(limits);
        let unit = match name.kind {
            LimitKind::Bytes => "bytes",
            LimitKind::Time => "ms",
            LimitKind::Count => "count",
        };
        let is_default = value == name.get(&Limits::default());
        LimitReport { name: name.name, value, unit, is_default, text: name.format(value), about: name.about }
    }

    fn row(&self) -> Vec<String> {
        let about = if self.is_default { self.about.to_owned() } else { format!("{} (set)", self.about) };
        vec![self.name.to_owned(), self.text.clone(), about]
    }
}

fn print_finding(finding: &Finding) -> Result<(), Failure> {
    let (sign, style) = match finding.mark {
        Mark::Ok => ("✓", AnsiColor::Green.on_default()),
        Mark::Warn => ("!", AnsiColor::Yellow.on_default().bold()),
        Mark::Fail => ("✗", AnsiColor::Red.on_default().bold()),
    };
    output::styled(&format!("{style}{sign}{style:#} {:<15}  {}", finding.name, finding.found))?;
    match &finding.remedy {
        Some(remedy) => output::styled(&format!("  {:<15}  {style}→{style:#} {remedy}", "")),
        None => Ok(()),
    }
}

fn print_section(title: &str) -> Result<(), Failure> {
    let bold = Style::new().bold();
    output::styled(&format!("\n{bold}{title}{bold:#}"))
}

fn print_rows(rows: &[Vec<String>]) -> Result<(), Failure> {
    output::columns(rows).into_iter().try_for_each(|row| output::styled(&format!("  {row}")))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn every_limit_and_setting_is_reported_and_no_secret_is() {
        let mut settings = Settings::new(PathBuf::from("state"));
        settings.environment_key = Some(super::super::provision::new_secret().unwrap());
        settings.limits.idle_timeout_ms = 120_000;
        let report = Report::of(&settings);
        let text = serde_json::to_string(&report).unwrap();
        for name in &LIMIT_NAMES {
            assert!(text.contains(&format!("\"{}\"", name.name)), "{}", name.name);
        }
        assert!(!text.contains(settings.environment_key.unwrap().reveal()));
        let idle = report.limits.iter().find(|limit| limit.name == "idle_timeout").unwrap();
        assert_eq!(idle.row(), ["idle_timeout", "2m", "between two requests of a connection (set)"]);
    }

    #[test]
    fn the_verdict_counts_what_matters() {
        let finding = |mark| Finding { name: "x", mark, found: String::new(), remedy: None };
        let verdict = |marks: &[Mark]| {
            let checks = marks.iter().map(|mark| finding(*mark)).collect();
            Report { ok: true, checks, settings: None, limits: Vec::new() }.verdict()
        };
        assert_eq!(verdict(&[Mark::Ok]), "Lux can run here.");
        assert!(verdict(&[Mark::Ok, Mark::Warn]).contains("may disappoint"));
        assert!(verdict(&[Mark::Fail, Mark::Warn]).contains("cannot run here yet: 1"));
    }
}
