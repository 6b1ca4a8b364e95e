//! `lux put|patch|get|delete`: one state, once.
//!
//! Always true: a record is printed as the broker sent it, one a line; nothing is printed that the broker did
//! not acknowledge.
//!
//! Read first: `client.rs`, `state_argument.rs`.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Ask, BrokerArgs, Client, Reply};
use super::failure::Failure;
use super::keys::parse_pattern;
use super::{output, state_argument};
use crate::key::{Key, Pattern};

const PUT_EXAMPLES: &str = "\
Examples:
  lux put dashboard-main '{\"orders_per_second\": 42}'
  lux put dashboard-main @state.json
  uptime | jq -R . | lux put host-a -
  lux put lock-a '\"mine\"' --if-none-match '*'     only if there is none yet";

const PATCH_EXAMPLES: &str = "\
Examples:
  lux patch dashboard-main '{\"orders_per_second\": 43}'
  lux patch dashboard-main '{\"error\": null}'      takes the member out

Members that the patch does not name stay as they are (RFC 7396). A key without a state starts from {}.";

const GET_EXAMPLES: &str = "\
Examples:
  lux get dashboard-main
  lux get --data dashboard-main | jq .orders_per_second
  lux get 'device-*'                               every key with that prefix, one record a line";

const DELETE_EXAMPLES: &str = "\
Examples:
  lux delete job-import-7
  lux delete job-import-7 --if-match 4t9xk2.12      only if nobody has changed it since";

/// Flags of `lux put`.
#[derive(Args)]
#[command(after_help = PUT_EXAMPLES)]
pub struct PutArgs {
    #[command(flatten)]
    write: WriteArgs,
}

/// Flags of `lux patch`.
#[derive(Args)]
#[command(after_help = PATCH_EXAMPLES)]
pub struct PatchArgs {
    #[command(flatten)]
    write: WriteArgs,
}

/// Flags of `lux delete`.
#[derive(Args)]
#[command(after_help = DELETE_EXAMPLES)]
pub struct DeleteArgs {
    /// The key
    #[arg(value_parser = parse_key)]
    key: Key,

    #[command(flatten)]
    condition: Condition,

    #[command(flatten)]
    broker: BrokerArgs,
}

/// Flags of `lux get`.
#[derive(Args)]
#[command(after_help = GET_EXAMPLES)]
pub struct GetArgs {
    /// The key, or a prefix ending in *
    #[arg(value_parser = parse_pattern)]
    key: Pattern,

    /// Print only the state, without key, rev and updatedAt
    #[arg(long)]
    data: bool,

    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Args)]
struct WriteArgs {
    /// The key
    #[arg(value_parser = parse_key)]
    key: Key,

    /// JSON; - reads it from standard input, @FILE from a file
    #[arg(value_name = "JSON|-|@FILE", allow_hyphen_values = true)]
    state: String,

    /// Print nothing when it worked
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    condition: Condition,

    #[command(flatten)]
    broker: BrokerArgs,
}

/// Compare-and-set.
#[derive(Args)]
struct Condition {
    /// Only if the state is still this one: the epoch.rev of an earlier ETag
    #[arg(long, value_name = "ETAG", value_parser = parse_etag)]
    if_match: Option<String>,

    /// Only if the state is not this one; * means only if there is none
    #[arg(long, value_name = "ETAG", value_parser = parse_etag)]
    if_none_match: Option<String>,
}

#[derive(Deserialize)]
struct OnlyData<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
    next: Option<String>,
}

/// Writes the state of a key.
///
/// # Errors
/// The state is no JSON, or the broker said no.
pub fn put(args: PutArgs) -> Result<(), Failure> {
    let state = state_argument::read(&args.write.state)?;
    write("PUT", "application/json", &format!("{{\"data\":{state}}}"), &args.write)
}

/// Changes members of a key's state.
///
/// # Errors
/// The patch is no JSON, or the broker said no.
pub fn patch(args: PatchArgs) -> Result<(), Failure> {
    let patch = state_argument::read(&args.write.state)?;
    write("PATCH", "application/merge-patch+json", &patch, &args.write)
}

/// Deletes the state of a key.
///
/// # Errors
/// The broker said no, also where there was nothing.
pub fn delete(args: DeleteArgs) -> Result<(), Failure> {
    let (fields, path) = (args.condition.fields(), format!("/{}", args.key));
    args.broker.client()?.ask(&Ask { method: "DELETE", path: &path, fields, body: None })?;
    Ok(())
}

/// Prints the record of a key, or of every key with a prefix.
///
/// # Errors
/// The broker said no, also where there is no state.
pub fn get(args: GetArgs) -> Result<(), Failure> {
    let client = args.broker.client()?;
    match &args.key {
        Pattern::Exact(key) => print_record(&get_path(&client, &format!("/{key}"))?.body, args.data),
        Pattern::Prefix(prefix) => list(&client, prefix, args.data),
    }
}

fn write(method: &str, content_type: &str, body: &str, args: &WriteArgs) -> Result<(), Failure> {
    let mut fields = args.condition.fields();
    fields.push(("content-type", content_type.to_owned()));
    if args.quiet {
        fields.push(("prefer", "return=minimal".to_owned()));
    }
    let path = format!("/{}", args.key);
    let reply = args.broker.client()?.ask(&Ask { method, path: &path, fields, body: Some(body) })?;
    if args.quiet { Ok(()) } else { output::line(reply.body.trim_end()) }
}

fn list(client: &Client, prefix: &str, only_data: bool) -> Result<(), Failure> {
    let mut after = String::new();
    loop {
        let reply = get_path(client, &format!("?prefix={prefix}{after}"))?;
        let page: Page<'_> = serde_json::from_str(&reply.body).map_err(|error| not_lux(&error))?;
        for record in &page.records {
            print_record(record.get(), only_data)?;
        }
        match page.next {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(()),
        }
    }
}

fn get_path(client: &Client, path: &str) -> Result<Reply, Failure> {
    client.ask(&Ask { method: "GET", path, fields: Vec::new(), body: None })
}

fn print_record(record: &str, only_data: bool) -> Result<(), Failure> {
    if !only_data {
        return output::line(record.trim_end());
    }
    let record: OnlyData<'_> = serde_json::from_str(record).map_err(|error| not_lux(&error))?;
    output::line(record.data.get())
}

/// What answered is no broker of this version.
pub fn not_lux(error: &serde_json::Error) -> Failure {
    let message = format!("the answer is none that Lux knows ({error})");
    Failure::operator(message, "see that --broker names a Lux broker, and of this version")
}

impl Condition {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let field = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        field("if-match", &self.if_match)
            .into_iter()
            .chain(field("if-none-match", &self.if_none_match))
            .collect()
    }
}

/// A key, as it stands on a command line.
///
/// # Errors
/// What a key may be.
pub fn parse_key(text: &str) -> Result<Key, String> {
    Key::parse(text.as_bytes()).map_err(|error| error.to_string())
}

/// An entity tag with or without its quotes, which shells eat.
fn parse_etag(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match inner.split_once('.') {
        _ if inner == "*" => Ok("*".to_owned()),
        Some((epoch, rev)) if plain(epoch) && rev.parse::<u64>().is_ok() => Ok(format!("\"{inner}\"")),
        Some(_) | None => Err("write epoch.rev as in an ETag, for example 4t9xk2.12, or *".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_need_no_quotes() {
        for (text, sent) in [("4t9xk2.12", "\"4t9xk2.12\""), ("\"4t9xk2.12\"", "\"4t9xk2.12\""), ("*", "*")] {
            assert_eq!(parse_etag(text).as_deref(), Ok(sent));
        }
        for wrong in ["", "12", "a.b", ".1", "a.1\r\nx: y", "W/\"a.1\""] {
            assert!(parse_etag(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn keys_are_checked_before_anything_is_sent() {
        assert!(parse_key("a/b").unwrap_err().contains("A-Z"));
        assert!(parse_key("device-*").is_err());
        assert!(parse_key("dashboard-main").is_ok());
    }

    #[test]
    fn a_page_is_read_with_its_records_untouched() {
        let text = "{\"epoch\":\"e\",\"records\":[{\"key\":\"a\",\"rev\":1,\"data\":1.0}],\"next\":\"a\"}";
        let page: Page<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(page.records[0].get(), "{\"key\":\"a\",\"rev\":1,\"data\":1.0}");
        assert_eq!(page.next.as_deref(), Some("a"));
    }
}
