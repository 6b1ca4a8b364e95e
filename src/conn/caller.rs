//! Who asks: the page, the API key, the address, as far as a head and its connection say.
//!
//! Always true: what a head says of its sender's address or scheme counts only from a proxy that is believed.
//!
//! Read first: `guard/forwarded.rs`, `conn/route.rs`.

use crate::conn::route::House;
use crate::guard::address::Address;
use crate::guard::visit::Visit;
use crate::wire::request::Head;

/// Whether the page that asks, if a page asks, may: one of an allowed origin, or one of the broker's own. A
/// proxy that is believed says whether the broker is http or https to the page.
pub fn allows_origin(head: &Head<'_>, house: &House) -> bool {
    let origin = head.field("origin");
    let (scheme, host) = match origin.and_then(|origin| origin.iter().position(|byte| *byte == b':')) {
        Some(colon) => origin.unwrap_or_default().split_at(colon),
        None => (&b""[..], &b""[..]),
    };
    let said = house.guard.proxies.scheme(house.guard.caller, head);
    let is_scheme = said.map_or(matches!(scheme, b"http" | b"https"), |said| said == scheme);
    let is_own = is_scheme && host.strip_prefix(b"://").is_some_and(|own| Some(own) == head.field("host"));
    is_own || house.origins.allows(origin)
}

/// What the access log is to say of this request, once it has an answer.
pub fn visit(head: &Head<'_>, house: &House) -> Visit {
    let guard = &house.guard;
    let key = guard.holder.borrow().as_ref().map_or("", |holder| house.access.name(holder));
    let address = guard.caller.map(|socket| guard.proxies.origin(socket, head));
    Visit::of(head, key, address, guard.clock_us)
}

/// For whom a proxy of ours opens a stream; nothing where the peer speaks for itself, and was counted when it
/// connected.
pub fn behind_proxy(head: &Head<'_>, house: &House) -> Option<Address> {
    let proxies = &house.guard.proxies;
    let socket = house.guard.caller.filter(|socket| proxies.trusts(*socket))?;
    Some(proxies.origin(socket, head)).filter(|origin| !proxies.trusts(*origin))
}
