//! The log: one line per event on standard error.
//!
//! Always true: set up once per process, before the first loop starts. What is logged is decided where it is
//! logged; no secret and no query string is.
//!
//! Read first: `settings/mod.rs`.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::operator_error::OperatorError;
use crate::settings::{LogFormat, LogSettings};

/// Starts logging as the settings say.
///
/// # Errors
/// The level is none, or something in this process logs already.
pub fn start(settings: &LogSettings) -> Result<(), OperatorError> {
    let filter = EnvFilter::builder().parse(&settings.level).map_err(|error| {
        OperatorError::new(format!("the log level is not understood ({error})"), "set --log-level to info")
    })?;
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    let started = match settings.format {
        LogFormat::Text => builder.with_target(false).compact().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
    };
    started.map_err(|error| OperatorError::new(format!("logging cannot start ({error})"), "start it once"))
}
