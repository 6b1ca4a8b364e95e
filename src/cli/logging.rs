//! The log: one line per event on standard error.
//!
//! Always true: set up once per process, before the first loop starts. What is logged is decided where it is
//! logged; no secret and no query string is. No kind of line comes more often than `log_pace.rs` lets it.
//!
//! Read first: `settings/mod.rs`.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, format};

use super::log_pace::Paced;
use crate::operator_error::OperatorError;
use crate::runtime::SetLogLevel;
use crate::settings::{LogFormat, LogSettings};

/// Starts logging as the settings say; what it gives sets another level later.
///
/// # Errors
/// The level is none, or something in this process logs already.
pub fn start(settings: &LogSettings) -> Result<SetLogLevel, OperatorError> {
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(settings)?)
        .with_writer(io::stderr)
        .with_ansi(colours);
    match settings.format {
        LogFormat::Text => {
            let text = format().with_target(false).with_ansi(colours).compact();
            let builder = builder.event_format(Paced::new(text, settings.format)).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(|error| refuse(&error))?;
            Ok(Box::new(move |next| handle.reload(filter(next)?).map_err(|error| refuse(&error))))
        }
        LogFormat::Json => {
            let json = Paced::new(format().json().flatten_event(true), settings.format);
            let builder = builder.fmt_fields(JsonFields::new()).event_format(json).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.try_init().map_err(|error| refuse(&error))?;
            Ok(Box::new(move |next| handle.reload(filter(next)?).map_err(|error| refuse(&error))))
        }
    }
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, OperatorError> {
    EnvFilter::builder().parse(&settings.level).map_err(|error| {
        OperatorError::new(format!("the log level is not understood ({error})"), "set --log-level to info")
    })
}

fn refuse(error: &dyn std::fmt::Display) -> OperatorError {
    OperatorError::new(format!("logging cannot start ({error})"), "start it once")
}
