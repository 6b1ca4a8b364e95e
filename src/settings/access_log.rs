//! Whether requests are written down, how and where.
//!
//! Always true: off unless asked for.
//!
//! Read first: `settings/mod.rs`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What becomes of the access log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessLog {
    /// How a line is written.
    pub format: AccessLogFormat,
    /// Where to; standard error unless there is a file.
    pub file: Option<PathBuf>,
}

/// How a line of the access log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AccessLogFormat {
    /// Not at all.
    #[default]
    Off,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for AccessLogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<AccessLogFormat, &'static str> {
        match text {
            "off" => Ok(AccessLogFormat::Off),
            "text" => Ok(AccessLogFormat::Text),
            "json" => Ok(AccessLogFormat::Json),
            _ => Err("write `off`, `text` or `json`"),
        }
    }
}

impl fmt::Display for AccessLogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccessLogFormat::Off => "off",
            AccessLogFormat::Text => "text",
            AccessLogFormat::Json => "json",
        })
    }
}
