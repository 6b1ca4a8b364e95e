//! The command line.
//!
//! Always true: `--help` of each scenario names its defaults.
//!
//! Read first: `scenario/mod.rs`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::ceiling;
use crate::compare::Compare;
use crate::failure::Failure;
use crate::scenario::ack::Ack;
use crate::scenario::churn::Churn;
use crate::scenario::fanout::Fanout;
use crate::scenario::idle::Idle;
use crate::scenario::mixed::Mixed;
use crate::scenario::overload::Overload;
use crate::speech::Kind;
use crate::target::Target;

/// Puts load on a broker for current state and says how it fared
#[derive(Parser)]
#[command(name = "lux-loadtest", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// How fast writes are acknowledged
    Ack(Job<Ack>),
    /// How fast, and at what cost, a written state is on every screen
    Fanout(Job<Fanout>),
    /// What a viewer costs that only waits
    Idle(Job<Idle>),
    /// Everybody reconnects at once while a control group measures
    Churn(Job<Churn>),
    /// Far more updates than can be delivered, and viewers that hardly read
    Overload(Job<Overload>),
    /// A realistic day: dashboards, devices, settings, readers
    Mixed(Job<Mixed>),
    /// Run a server that does the least that could carry the same bytes
    Ceiling {
        /// Which.
        #[command(subcommand)]
        kind: ceiling::Kind,
    },
    /// Start Lux and the ceilings on a core each in turn, and put the same work to them in rounds
    Compare(Compare),
}

/// A scenario, and against whom.
#[derive(Args)]
pub struct Job<W: Args> {
    /// Against whom.
    #[command(flatten)]
    pub against: Against,
    /// The scenario's options.
    #[command(flatten)]
    pub work: W,
}

/// Against whom, and what becomes of the figures.
#[derive(Args)]
pub struct Against {
    /// The broker
    #[arg(long, env = "LUX_BROKER", default_value = "http://127.0.0.1:7373")]
    pub broker: String,
    /// Its API key
    #[arg(long, env = "LUX_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Its process, if it runs here: adds its processor time and memory to the figures
    #[arg(long)]
    pub pid: Option<u32>,
    /// How it is talked to
    #[arg(long, value_enum, default_value = "lux")]
    pub speech: Kind,
    /// Where its producers connect to, HOST:PORT, if not where viewers do
    #[arg(long, value_name = "ADDRESS")]
    pub producers_at: Option<SocketAddr>,
    /// What to call it
    #[arg(long, default_value = "Lux")]
    pub name: String,
    /// Write the figures here
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the latencies here
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

impl Against {
    /// The target these name.
    ///
    /// # Errors
    /// The address is not one.
    pub fn target(&self) -> Result<Target, Failure> {
        let mut target =
            Target::new(&self.name, self.speech, &self.broker, self.api_key.as_deref(), self.pid)?;
        target.producer_address = self.producers_at.unwrap_or(target.producer_address);
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
