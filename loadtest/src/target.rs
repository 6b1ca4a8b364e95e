//! Who is put to the test, and how one writes to it and watches it.
//!
//! Always true: everything that differs between brokers stands behind [`Speech`]; a new peer is one more
//! implementation and one more line in [`speech`]. The ceilings speak as Lux does.
//!
//! Read first: `http.rs`, `websocket.rs`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::failure::Failure;
use crate::http::Request;
use crate::process::Process;
use crate::websocket::NONCE;

/// How one talks to a kind of broker. All of it is bytes, made before the clock starts.
pub trait Speech: Send + Sync {
    /// A request that replaces the state of a key.
    fn put(&self, host: &str, key: &str, state: &str) -> Request;
    /// A request that merges members into it.
    fn patch(&self, host: &str, key: &str, members: &str) -> Request;
    /// A request that reads it.
    fn get(&self, host: &str, key: &str) -> Request;
    /// The handshake of a viewer of this key, or prefix (`device-*`).
    fn watch(&self, host: &str, pattern: &str) -> Vec<u8>;
    /// How the message begins that says a viewer has its snapshot; `None` if the handshake is all.
    fn synced(&self) -> Option<&'static [u8]>;
}

/// One broker that runs.
#[derive(Clone)]
pub struct Target {
    /// What it is called in tables.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its process, if its processor time and memory are wanted.
    pub process: Option<Process>,
    host: String,
    speech: Arc<dyn Speech>,
}

impl Target {
    /// A broker at `http://host:port` that speaks as Lux does.
    ///
    /// # Errors
    /// The address is not one, or its name is not known.
    pub fn lux(name: &str, url: &str, api_key: Option<&str>, pid: Option<u32>) -> Result<Target, Failure> {
        let host = url.strip_prefix("http://").ok_or_else(|| {
            Failure::new(format!("{url} does not begin with http://; this tool speaks plain HTTP only"))
        })?;
        let host = host.trim_end_matches('/').to_owned();
        let address = host
            .to_socket_addrs()
            .map_err(Failure::of(format!("looking up {host}")))?
            .next()
            .ok_or_else(|| Failure::new(format!("{host} has no address")))?;
        let speech =
            Arc::new(Lux { authorization: api_key.map(|key| format!("Authorization: Bearer {key}\r\n")) });
        Ok(Target { name: name.to_owned(), address, process: pid.map(Process), host, speech })
    }

    /// See [`Speech::put`].
    pub fn put(&self, key: &str, state: &str) -> Request {
        self.speech.put(&self.host, key, state)
    }

    /// See [`Speech::patch`].
    pub fn patch(&self, key: &str, members: &str) -> Request {
        self.speech.patch(&self.host, key, members)
    }

    /// See [`Speech::get`].
    pub fn get(&self, key: &str) -> Request {
        self.speech.get(&self.host, key)
    }

    /// See [`Speech::watch`].
    pub fn watch(&self, pattern: &str) -> Vec<u8> {
        self.speech.watch(&self.host, pattern)
    }

    /// See [`Speech::synced`].
    pub fn synced(&self) -> Option<&'static [u8]> {
        self.speech.synced()
    }
}

/// Lux's contract.
struct Lux {
    authorization: Option<String>,
}

impl Lux {
    fn request(&self, line: &str, host: &str, fields: &str, body: &str) -> Vec<u8> {
        let authorization = self.authorization.as_deref().unwrap_or_default();
        format!("{line} HTTP/1.1\r\nHost: {host}\r\n{authorization}{fields}\r\n{body}").into_bytes()
    }

    fn write(&self, line: &str, host: &str, body: &str) -> Request {
        let fields = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        Request::new(self.request(line, host, &fields, body))
    }
}

impl Speech for Lux {
    fn put(&self, host: &str, key: &str, state: &str) -> Request {
        self.write(&format!("PUT /api/lux/{key}"), host, &format!("{{\"data\":{state}}}"))
    }

    fn patch(&self, host: &str, key: &str, members: &str) -> Request {
        self.write(&format!("PATCH /api/lux/{key}"), host, &format!("{{\"data\":{members}}}"))
    }

    fn get(&self, host: &str, key: &str) -> Request {
        Request::new(self.request(&format!("GET /api/lux/{key}"), host, "", ""))
    }

    fn watch(&self, host: &str, pattern: &str) -> Vec<u8> {
        let fields = format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {NONCE}\r\n"
        );
        self.request(&format!("GET /api/lux/stream/{pattern}"), host, &fields, "")
    }

    fn synced(&self) -> Option<&'static [u8]> {
        Some(b"{\"synced\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_whole_and_carry_the_key() {
        let lux = Target::lux("Lux", "http://127.0.0.1:7373/", Some("secret"), None).expect("an address");
        let put = String::from_utf8(lux.put("a", "42").numbered(0).to_vec()).expect("text");
        assert!(put.starts_with("PUT /api/lux/a HTTP/1.1\r\nHost: 127.0.0.1:7373\r\n"), "{put}");
        assert!(put.contains("\r\nAuthorization: Bearer secret\r\n"), "{put}");
        assert!(put.ends_with("Content-Length: 11\r\n\r\n{\"data\":42}"), "{put}");
        let watch = String::from_utf8(lux.watch("device-*")).expect("text");
        assert!(watch.starts_with("GET /api/lux/stream/device-* HTTP/1.1\r\n"), "{watch}");
        assert!(watch.ends_with("\r\n\r\n"), "{watch}");
    }

    #[test]
    fn addresses_that_are_none_are_named() {
        let refused = |url| Target::lux("Lux", url, None, None).err().expect("refused").to_string();
        assert!(refused("https://127.0.0.1:1").contains("plain HTTP"));
        assert!(refused("http://127.0.0.1").contains("127.0.0.1"));
    }
}
