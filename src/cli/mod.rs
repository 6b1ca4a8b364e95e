//! The program around the broker: what is typed, what it does, how it ends.
//!
//! Always true: exit code 0 is success, 1 is "the broker said no", 2 is a mistake in usage, settings or
//! surroundings. What a script reads goes to standard output; everything said to people goes to standard error.
//!
//! Read first: `settings/mod.rs`, then `failure.rs`. Each subcommand is a module of its name.

mod check;
mod client;
mod demo;
mod explain;
mod failure;
mod keys;
mod license;
mod log_pace;
mod logging;
mod output;
mod provision;
mod serve;
mod settings_args;
mod state_argument;
mod states;
mod token;
mod trust;
mod watch;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use failure::Failure;

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

const EXAMPLES: &str = "\
Start a broker; the first start makes a key and shows it once:
  lux serve

Write a state, see it, see it change:
  export LUX_API_KEY=lux_…
  lux put dashboard-main '{\"orders_per_second\": 42}'
  lux get dashboard-main
  lux watch --pretty dashboard-main

Change one member and leave the others:
  lux patch dashboard-main '{\"orders_per_second\": 43}'

Look around first, with made-up producers:
  lux demo

Exit codes: 0 done, 1 the broker said no, 2 something here is not right.";

/// A broker for current state: the newest JSON value per key, on every screen that watches
#[derive(Parser)]
#[command(name = "lux", version, styles = STYLES, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a broker
    Serve(serve::ServeArgs),
    /// Write the state of a key
    Put(states::PutArgs),
    /// Change members of a key's state (JSON Merge Patch)
    Patch(states::PatchArgs),
    /// Read the state of a key, or of all keys with a prefix
    Get(states::GetArgs),
    /// Delete the state of a key
    Delete(states::DeleteArgs),
    /// Follow keys: their states now, then every change
    Watch(watch::WatchArgs),
    /// Why a screen is old: who wrote a key, who was told, and what slow viewers have
    Explain(explain::ExplainArgs),
    /// Make, list and revoke API keys
    Key(keys::KeyArgs),
    /// Make a token: a grant to read, for a while
    Token(token::TokenArgs),
    /// Show, verify, ask for and make licenses
    License(license::LicenseCommandArgs),
    /// Say whether a broker can run here, with which limits, and what to change
    Check(check::CheckArgs),
    /// Run a broker with made-up producers, to look around
    Demo(demo::DemoArgs),
}

/// Runs what the command line asks for.
pub fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => run(cli.command),
        // Help and version come as errors too, and know how to print themselves.
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        Err(error) => Err(usage(&error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// What clap says over several lines, in one.
fn usage(error: &clap::Error) -> Failure {
    let text = error.to_string();
    let said = text.trim_start_matches("error: ").split("\n\n");
    let said =
        said.take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more information"));
    let sentence: Vec<String> =
        said.map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let remedy = match (sentence.len(), error.kind()) {
        // A value's own check says what to write instead.
        (1, ErrorKind::ValueValidation) => return Failure::Usage(sentence.join("; ")),
        (_, _) => "see --help",
    };
    Failure::operator(sentence.join("; "), remedy)
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(args),
        Command::Put(args) => states::put(args),
        Command::Patch(args) => states::patch(args),
        Command::Get(args) => states::get(args),
        Command::Delete(args) => states::delete(args),
        Command::Watch(args) => watch::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Key(args) => keys::run(args),
        Command::Token(args) => token::run(args),
        Command::License(args) => license::run(args),
        Command::Check(args) => check::run(args),
        Command::Demo(args) => demo::run(args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_slip_is_answered_in_one_sentence() {
        let said = |line: &str| match Cli::try_parse_from(line.split(' ')).map_err(|error| usage(&error)) {
            Err(Failure::Usage(sentence)) => sentence,
            Err(Failure::Operator(error)) => error.to_string(),
            _ => panic!("{line} is no slip"),
        };
        for (line, hint) in [
            ("lux serv", "'serve'"),
            ("lux put", "<KEY>"),
            ("lux put a", "JSON"),
            ("lux serve --listen 7373", "write an address"),
            ("lux serve --lisen x", "--listen"),
            ("lux watch a --once --count 1", "--count"),
            ("lux watch a --count 0", "0"),
        ] {
            let sentence = said(line);
            assert!(sentence.contains(hint) && !sentence.contains('\n'), "{line}: {sentence}");
        }
    }

    #[test]
    fn no_help_shows_an_api_key() {
        // clap prints the values of variables beside their names unless told not to.
        let mut command = Cli::command();
        for sub in command.get_subcommands_mut() {
            for argument in sub.get_arguments() {
                if argument.get_env().is_some_and(|name| name == "LUX_API_KEY") {
                    assert!(argument.is_hide_env_values_set(), "{}", sub.get_name());
                }
            }
        }
    }

    #[test]
    fn every_subcommand_says_what_it_does_and_shows_an_example() {
        for sub in Cli::command().get_subcommands() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
            let examples = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(!examples.is_empty(), "{} has no example", sub.get_name());
            // In a literal, a backslash at the end of its first line takes the indentation of the next one away.
            assert!(
                !examples.starts_with("lux "),
                "{}: its first example has lost its indentation",
                sub.get_name()
            );
        }
    }
}
