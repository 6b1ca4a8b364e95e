//! The broker's own connection layer with nothing behind it: what it hears on a socket, it says again.
//!
//! Always true: sockets, loop, requests, frames, outbox, limits and endings are those of `lux serve`. Only what a
//! request and a message mean is another: any path with an upgrade is an echo, any other request is answered `ok`.
//!
//! Read first: `src/conn/manners.rs`.

use std::env;
use std::net::SocketAddr;

use bytes::Bytes;
use lux::conn::call::{Call, Exchange, Protocol, Reply, Viewing};
use lux::conn::manners::{Manners, Message};
use lux::conn::route::{self, House, Plan};
use lux::conn::stream::Said;
use lux::limits::Limits;
use lux::operator_error::OperatorError;
use lux::runtime::Broker;
use lux::settings::Settings;
use lux::time::Now;
use lux::wire::request::Head;
use lux::wire::{WireError, frame, upgrade};

/// Starts the echo.
///
/// # Errors
/// What the machine lacks.
pub fn start(listen: SocketAddr, cores: usize, message_bytes_max: usize) -> Result<Broker, OperatorError> {
    let mut settings = Settings::new(env::temp_dir().join("lux-echo"));
    settings.memory_only = true;
    // An echo has no states, so nothing is kept, and nobody needs a key.
    settings.insecure_open = true;
    settings.listen = listen;
    settings.cores = cores;
    settings.limits.message_bytes_max = message_bytes_max;
    Broker::start_with(settings, Manners { plan, heed })
}

fn plan(head: &Head<'_>, house: &House, now: Now) -> Result<Plan, WireError> {
    let call = match upgrade::wanted(head) {
        true => Call::Stream(Viewing {
            protocol: Protocol::Socket { accept: upgrade::handshake(head)?.accept, subprotocol: false },
            patterns: None,
            single: true,
            since: None,
            holder: house.access.identify(None, now.wall_ms)?,
            behind: None,
        }),
        false => Call::Answered(Reply::Text(200, Bytes::from_static(b"ok\n"))),
    };
    Ok(Plan::Ready(Exchange { call, format: route::format(head, house) }))
}

fn heed(message: Message, _single: bool, _limits: &Limits) -> Said {
    Said::Answer(Bytes::from(match message {
        Message::Text(text) => frame::text(text.as_bytes()),
        Message::Binary(bytes) => frame::binary(&bytes),
    }))
}
