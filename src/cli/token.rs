//! `lux token`: a short-lived token, made here with the broker's own secret.
//!
//! Always true: it asks no broker; the token stands alone on standard output, so that `TOKEN=$(lux token …)` works.
//!
//! Read first: `token_file.rs`, `access/token/mint.rs`.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::failure::Failure;
use super::keys::parse_pattern;
use super::output;
use super::settings_args::PlaceArgs;
use crate::access::keyfile::format_time;
use crate::key::Pattern;
use crate::settings::units;
use crate::token_file;

const EXAMPLES: &str = "\
A token for a wall screen, for an hour:
  lux token --read 'dashboard-*' --for 1h

Straight into a reader's hands; it is shown wherever an API key is:
  LUX_API_KEY=$(lux token --read 'job-*' --for 15m) lux watch 'job-*'

For a broker that runs as a service:
  sudo lux token --state-dir /var/lib/lux --read 'dashboard-*' --for 8h

A token reads and never writes. It cannot be taken back before it ends, other than with all others: take the
broker's secret away (token-keys.json in its state directory) and reload it. A backend makes tokens with
POST /api/lux/_token and its API key; those end with that key.";

/// `lux token`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct TokenArgs {
    /// A key or a prefix ending in * that it may read, repeatable
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern, required = true)]
    read: Vec<Pattern>,

    /// How long it lives, as 90s, 15m, 8h or 1d
    #[arg(long = "for", value_name = "TIME", value_parser = units::parse_duration_ms, default_value = "1h")]
    for_ms: u64,

    #[command(flatten)]
    place: PlaceArgs,
}

/// Makes a token and prints it.
///
/// # Errors
/// The secret cannot be read or made, or what was asked is no token.
pub fn run(args: TokenArgs) -> Result<(), Failure> {
    let settings = args.place.settings()?;
    let is_new = token_file::make_own_key(&settings)?;
    let tokens = token_file::load_tokens(&settings)?;
    let minted = tokens.mint(&args.read, args.for_ms, wall_ms(), None).map_err(|fault| {
        Failure::operator(fault.to_string(), "see `lux token --help`, and `longest_life` under [tokens]")
    })?;
    output::line(&minted.token)?;
    let path = token_file::own_keys_file(&settings);
    eprintln!("it reads {} until {}", list(&args.read), format_time(minted.expires_at_ms));
    if is_new {
        eprintln!("the secret it is signed with was made just now, in {}; reload the broker", path.display());
    }
    Ok(())
}

fn list(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::to_string).collect::<Vec<_>>().join(" ")
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
