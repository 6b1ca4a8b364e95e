//! Brokers that take a state over HTTP and send it on as it is: nchan, and the two in `loadtest/peers` that are
//! ours.
//!
//! Always true: whoever comes is told the newest state right after the handshake, unasked, and nothing says
//! when there is none; so a viewer is live with its handshake.
//!
//! Read first: `speech/mod.rs`.

use crate::http::Request;
use crate::speech::{Greeting, Speech, handshake, request};

/// Where to write and where to watch.
pub struct Plain {
    write: &'static str,
    watch: &'static str,
}

/// nginx with nchan, as configured in `loadtest/peers/nchan`.
pub const NCHAN: Plain = Plain { write: "POST /pub/", watch: "/sub/" };
/// The brokers on `ws` and on socketify.
pub const OURS: Plain = Plain { write: "PUT /state/", watch: "/watch/" };

impl Speech for Plain {
    fn put(&self, host: &str, key: &str, state: &str) -> Request {
        request(&format!("{}{key}", self.write), host, "Content-Type: application/json\r\n", state)
    }

    fn watch(&self, host: &str, pattern: &str) -> Option<Greeting> {
        if pattern.ends_with('*') {
            return None;
        }
        let handshake = handshake(host, &format!("{}{pattern}", self.watch), "");
        Some(Greeting { handshake, hello: Vec::new() })
    }

    fn is_live_at_once(&self) -> bool {
        true
    }
}
