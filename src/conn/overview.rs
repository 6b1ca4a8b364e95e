//! Requests about the broker itself: what it has counted, and why a screen is old.
//!
//! Always true: whoever asks reads every key. What is told names viewers and API keys, never a state or a secret.
//!
//! Read first: `conn/route.rs`.

use crate::conn::call::Call;
use crate::conn::route::{ALLOW_PAGE, House, identify, may_read, only_get};
use crate::key::{Key, Pattern};
use crate::time::Now;
use crate::wire::request::Head;
use crate::wire::{WireError, query};

/// The counters of all cores.
pub(super) fn metrics(head: &Head<'_>, house: &House, now: Now) -> Result<Call, WireError> {
    only_get(head, ALLOW_PAGE)?;
    let holder = identify(head, house, now)?;
    may_read(house, &holder, &Pattern::ALL)?;
    Ok(Call::Metrics)
}

/// Why viewers of a key have what they have. That tells of viewers, not of states, so it asks for as much as
/// the metrics do.
pub(super) fn explain(head: &Head<'_>, house: &House, now: Now) -> Result<Call, WireError> {
    only_get(head, ALLOW_PAGE)?;
    let holder = identify(head, house, now)?;
    may_read(house, &holder, &Pattern::ALL)?;
    for pair in query::pairs(head.query) {
        let (name, value) = pair?;
        if name == "key" {
            return Ok(Call::Explain(Key::parse(value.as_bytes()).map_err(WireError::BadKey)?));
        }
    }
    Err(WireError::BadQuery("key", "the key that is to be explained"))
}
