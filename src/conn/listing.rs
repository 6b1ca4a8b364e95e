//! Which page of which listing a query asks for.
//!
//! Always true: what stands in the query is understood or refused by name; names that are not known are skipped.
//!
//! Read first: `conn/call.rs`.

use compact_str::CompactString;

use crate::conn::call::Listing;
use crate::key::Pattern;
use crate::limits::LIST_RECORDS_MAX;
use crate::wire::WireError;
use crate::wire::query;

/// Reads `?prefix=…&after=…&limit=…&data=…`, all of which may be missing.
///
/// # Errors
/// What cannot be understood.
pub fn of_query(text: &str) -> Result<Listing, WireError> {
    let mut listing =
        Listing { prefix: CompactString::default(), after: None, limit: LIST_RECORDS_MAX, with_data: true };
    for pair in query::pairs(text) {
        let (name, value) = pair?;
        match name.as_ref() {
            "prefix" => listing.prefix = prefix(value.strip_suffix('*').unwrap_or(&value))?,
            "after" => listing.after = Some(prefix(&value)?),
            "limit" => listing.limit = limit(&value)?,
            "data" => listing.with_data = with_data(&value)?,
            _ => {}
        }
    }
    Ok(listing)
}

/// The beginning of a key. A caller who takes `device-*` for it, as people write, drops the star first.
fn prefix(value: &str) -> Result<CompactString, WireError> {
    match Pattern::parse(format!("{value}*").as_bytes()).map_err(WireError::BadKey)? {
        Pattern::Prefix(prefix) => Ok(prefix),
        Pattern::Exact(_) => unreachable!("it ends in a star"),
    }
}

fn limit(value: &str) -> Result<usize, WireError> {
    match value.parse::<usize>() {
        Ok(limit) if limit >= 1 => Ok(limit.min(LIST_RECORDS_MAX)),
        Ok(_) | Err(_) => Err(WireError::BadQuery("limit", "a whole number, 1 to 1000")),
    }
}

fn with_data(value: &str) -> Result<bool, WireError> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(WireError::BadQuery("data", "0 or 1")),
    }
}
