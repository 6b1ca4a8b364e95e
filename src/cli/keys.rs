//! `lux key add|list|revoke`: the key file, changed by hand's shorter way.
//!
//! Always true: a secret is printed once, alone on standard output, so that `KEY=$(lux key add …)` works;
//! everything said about it goes to standard error.
//!
//! Read first: `access_file.rs`, `provision.rs`.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::settings_args::PlaceArgs;
use super::{output, provision};
use crate::access::{Grant, KeyEntry, keyfile};
use crate::access_file::{add_key, read_keys, revoke_key};
use crate::key::Pattern;
use crate::settings::units;

const EXAMPLES: &str = "\
A key for a wall screen that may see every dashboard:
  lux key add wall --read 'dashboard-*'

One for a producer, for thirty days, straight into a variable:
  LUX_API_KEY=$(lux key add importer --read 'job-*' --write 'job-*' --expires 30d)

To replace a key without a gap: add a second one, move everybody over, revoke the first.
A running broker reads the file again on SIGHUP.";

/// `lux key`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Make a key and print it, this once
    Add(AddArgs),
    /// Show every key's name, grant and expiry
    List(ListArgs),
    /// Take a key out of the file
    Revoke(RevokeArgs),
}

#[derive(Args)]
struct AddArgs {
    /// What to call it; it stands in lists and logs
    #[arg(value_parser = parse_name)]
    name: String,

    /// A key or a prefix ending in * that it may read, repeatable
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    read: Vec<Pattern>,

    /// A key or a prefix ending in * that it may write, repeatable
    #[arg(long, value_name = "PATTERN", value_parser = parse_pattern)]
    write: Vec<Pattern>,

    /// When it ends: after 30d or 12h, or at 2027-01-31T23:59:59Z [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,

    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Args)]
struct RevokeArgs {
    /// The name it was added with
    name: String,

    #[command(flatten)]
    place: PlaceArgs,
}

/// Changes or shows the key file.
///
/// # Errors
/// The file cannot be read or written, or what was asked does not fit it.
pub fn run(args: KeyArgs) -> Result<(), Failure> {
    match args.command {
        KeyCommand::Add(args) => add(args),
        KeyCommand::List(args) => list(args),
        KeyCommand::Revoke(args) => revoke(args),
    }
}

fn add(args: AddArgs) -> Result<(), Failure> {
    let now_ms = wall_ms();
    let grant = Grant { read: args.read, write: args.write };
    if grant.is_empty() {
        let remedy = "add --read '*', --write 'device-*' or the like";
        return Err(Failure::operator(format!("the key `{}` would grant nothing", args.name), remedy));
    }
    let expires_at_ms = args.expires.map(|text| parse_expiry(&text, now_ms)).transpose()?;
    let keys_file = args.place.keys_file()?;
    let secret = provision::new_secret()?;
    add_key(&keys_file, KeyEntry { name: args.name.clone(), hash: secret.hash(), grant, expires_at_ms })?;
    output::line(secret.reveal())?;
    eprintln!("this is the key `{}`; it is shown this once, only its hash is kept", args.name);
    say_reload(&keys_file);
    Ok(())
}

fn list(args: ListArgs) -> Result<(), Failure> {
    let keys_file = args.place.keys_file()?;
    let entries = read_keys(&keys_file)?;
    if entries.is_empty() {
        eprintln!("{} has no keys; make one with `lux key add NAME --read PATTERN`", keys_file.display());
        return Ok(());
    }
    for row in output::columns(&table(&entries, wall_ms())) {
        output::line(&row)?;
    }
    Ok(())
}

fn revoke(args: RevokeArgs) -> Result<(), Failure> {
    let keys_file = args.place.keys_file()?;
    revoke_key(&keys_file, &args.name)?;
    eprintln!("the key `{}` is revoked", args.name);
    say_reload(&keys_file);
    Ok(())
}

fn say_reload(keys_file: &Path) {
    eprintln!(
        "written to {}; a running broker reads it on `kill -HUP <its pid>` or `systemctl reload lux`",
        keys_file.display()
    );
}

fn table(entries: &[KeyEntry], now_ms: u64) -> Vec<Vec<String>> {
    let header = ["NAME", "READ", "WRITE", "EXPIRES", "STATE"].map(str::to_owned).to_vec();
    std::iter::once(header).chain(entries.iter().map(|entry| row(entry, now_ms))).collect()
}

fn row(entry: &KeyEntry, now_ms: u64) -> Vec<String> {
    let list = |patterns: &[Pattern]| match patterns {
        [] => "-".to_owned(),
        some => some.iter().map(Pattern::to_string).collect::<Vec<_>>().join(" "),
    };
    let expires = entry.expires_at_ms.map_or("never".to_owned(), keyfile::format_time);
    let live = entry.expires_at_ms.is_none_or(|end| now_ms < end);
    let state = if live { "live" } else { "expired" };
    vec![entry.name.clone(), list(&entry.grant.read), list(&entry.grant.write), expires, state.to_owned()]
}

fn parse_name(text: &str) -> Result<String, String> {
    keyfile::check_name(text).map(|()| text.to_owned()).map_err(str::to_owned)
}

/// Reads a key pattern as typed.
///
/// # Errors
/// What a pattern is made of.
pub fn parse_pattern(text: &str) -> Result<Pattern, String> {
    Pattern::parse(text.as_bytes()).map_err(|error| format!("{error}; a prefix ends in *"))
}

fn parse_expiry(text: &str, now_ms: u64) -> Result<u64, Failure> {
    let at = match units::parse_duration_ms(text) {
        Ok(ms) => now_ms.checked_add(ms),
        Err(_) => keyfile::parse_time(text),
    };
    // RFC 3339 has four digits for the year, so what is later than 9999 could not be read again.
    const LATEST_MS: u64 = 253_402_300_799_999;
    let at = at.filter(|at| *at <= LATEST_MS).ok_or_else(|| {
        Failure::operator(
            format!("`{text}` is no time to expire at"),
            "write 30d, 12h or 2027-01-31T23:59:59Z",
        )
    })?;
    if at <= now_ms {
        return Err(Failure::operator(format!("`{text}` is in the past"), "give --expires a later time"));
    }
    Ok(at)
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_782_000_000_000;

    #[test]
    fn expiry_is_a_span_or_a_moment() {
        let parse = |text: &str| parse_expiry(text, NOW).ok();
        assert_eq!(parse("30d"), Some(NOW + 30 * 86_400_000));
        assert_eq!(parse("2027-01-01T00:00:00Z"), Some(1_798_761_600_000));
        for wrong in ["soon", "30", "0s", "2020-01-01T00:00:00Z", "9000y"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_list_says_who_may_what_and_who_is_over() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| parse_pattern(text).unwrap()).collect();
        let grant = Grant { read: patterns(&["a", "b*"]), write: vec![] };
        let entry = |expires_at_ms| KeyEntry {
            name: "n".to_owned(),
            hash: [0; 32],
            grant: grant.clone(),
            expires_at_ms,
        };
        assert_eq!(row(&entry(None), NOW), ["n", "a b*", "-", "never", "live"]);
        assert_eq!(row(&entry(Some(NOW)), NOW)[4], "expired");
    }
}
