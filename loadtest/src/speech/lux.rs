//! Lux's contract.
//!
//! Always true: the API key goes with every request.
//!
//! Read first: `speech/mod.rs`.

use crate::http::{Progress, Request};
use crate::speech::{Greeting, Said, Speech, handshake, request};

/// Lux, with the field that carries the API key.
pub struct Lux {
    authorization: String,
}

impl Lux {
    /// With this API key, if there is one.
    pub fn new(api_key: Option<&str>) -> Lux {
        let authorization = api_key.map(|key| format!("Authorization: Bearer {key}\r\n"));
        Lux { authorization: authorization.unwrap_or_default() }
    }

    fn write(&self, line: &str, host: &str, data: &str) -> Request {
        let fields = format!("{}Content-Type: application/json\r\n", self.authorization);
        request(line, host, &fields, &format!("{{\"data\":{data}}}"))
    }
}

impl Speech for Lux {
    fn put(&self, host: &str, key: &str, state: &str) -> Request {
        self.write(&format!("PUT /api/lux/{key}"), host, state)
    }

    fn patch(&self, host: &str, key: &str, members: &str) -> Option<Request> {
        Some(self.write(&format!("PATCH /api/lux/{key}"), host, members))
    }

    fn get(&self, host: &str, key: &str) -> Option<Request> {
        let authorization = &self.authorization;
        let text = format!("GET /api/lux/{key} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n");
        Some(Request::new(text.into()))
    }

    fn watch(&self, host: &str, pattern: &str) -> Option<Greeting> {
        let handshake = handshake(host, &format!("/api/lux/stream/{pattern}"), &self.authorization);
        Some(Greeting { handshake, hello: Vec::new() })
    }

    fn read_message<'a>(&self, bytes: &'a [u8]) -> Progress<Said<'a>> {
        let is_synced = bytes.starts_with(b"{\"synced\"");
        Progress::Done(if is_synced { Said::synced() } else { Said::state(bytes) }, bytes.len())
    }
}
