//! How a subcommand ends when it does not end well.
//!
//! Always true: whoever reads the terminal gets one plain sentence; a script gets the exit code.
//!
//! Read first: `operator_error.rs`.

use std::io;
use std::process::ExitCode;

use anstyle::AnsiColor;

use crate::operator_error::{OPERATOR_EXIT_CODE, OperatorError};

/// The exit code of "the broker said no".
const REFUSED_EXIT_CODE: u8 = 1;

/// Why a subcommand ended early.
#[derive(Debug)]
pub enum Failure {
    /// Usage, settings or surroundings: exit code 2.
    Operator(OperatorError),
    /// The command line itself, in one sentence: exit code 2.
    Usage(String),
    /// The broker said no, and why: exit code 1.
    Refused(String),
    /// What a script was told in its own way already: exit code 2, and not a word more.
    Told,
    /// Whoever read our output has gone (`lux watch … | head`): exit code 0, and not a word.
    OutputClosed,
}

impl Failure {
    /// Usage, settings or surroundings.
    pub fn operator(message: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure::Operator(OperatorError::new(message, remedy))
    }

    /// Output that could not be written.
    pub fn output(error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::operator(format!("the output cannot be written ({error})"), "see where it goes to"),
        }
    }

    /// Says it on standard error, and what to exit with.
    pub fn report(self) -> ExitCode {
        match self {
            Failure::Operator(error) => {
                say(&error.to_string());
                ExitCode::from(OPERATOR_EXIT_CODE)
            }
            Failure::Usage(sentence) => {
                say(&sentence);
                ExitCode::from(OPERATOR_EXIT_CODE)
            }
            Failure::Refused(why) => {
                say(&why);
                ExitCode::from(REFUSED_EXIT_CODE)
            }
            Failure::Told => ExitCode::from(OPERATOR_EXIT_CODE),
            Failure::OutputClosed => ExitCode::SUCCESS,
        }
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Failure {
        Failure::Operator(error)
    }
}

fn say(text: &str) {
    let red = AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{red}lux:{red:#} {text}");
}
