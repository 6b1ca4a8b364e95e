//! Who is put to the test.
//!
//! Always true: what differs between brokers stands behind [`Speech`]. The ceilings speak as Lux does.
//!
//! Read first: `speech/mod.rs`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;

use crate::failure::Failure;
use crate::http::Request;
use crate::process::Process;
use crate::speech::{Greeting, Kind, Speech};

/// One broker that runs.
#[derive(Clone)]
pub struct Target {
    /// What it is called in tables.
    pub name: String,
    /// Where it listens for viewers.
    pub address: SocketAddr,
    /// Where it listens for producers; mostly the same.
    pub producer_address: SocketAddr,
    /// Its process, if its processor time and memory are wanted.
    pub process: Option<Process>,
    host: String,
    speech: Arc<dyn Speech>,
}

impl Target {
    /// A broker at `http://host:port`, and how one talks to it.
    ///
    /// # Errors
    /// The address is not one, or its name is not known.
    pub fn new(
        name: &str,
        kind: Kind,
        url: &str,
        api_key: Option<&str>,
        pid: Option<u32>,
    ) -> Result<Target, Failure> {
        let host = url.strip_prefix("http://").ok_or_else(|| {
            Failure::new(format!("{url} does not begin with http://; this tool speaks plain HTTP only"))
        })?;
        let host = host.trim_end_matches('/').to_owned();
        let address = host
            .to_socket_addrs()
            .map_err(Failure::of(format!("looking up {host}")))?
            .next()
            .ok_or_else(|| Failure::new(format!("{host} has no address")))?;
        Ok(Target {
            name: name.to_owned(),
            address,
            producer_address: address,
            process: pid.map(Process),
            host,
            speech: kind.speech(api_key),
        })
    }

    /// How one talks to it.
    pub fn speech(&self) -> &dyn Speech {
        &*self.speech
    }

    /// See [`Speech::put`].
    pub fn put(&self, key: &str, state: &str) -> Request {
        self.speech.put(&self.host, key, state)
    }

    /// See [`Speech::patch`].
    ///
    /// # Errors
    /// The broker cannot.
    pub fn patch(&self, key: &str, members: &str) -> Result<Request, Failure> {
        self.speech.patch(&self.host, key, members).ok_or_else(|| self.cannot("change a part of a state"))
    }

    /// See [`Speech::get`].
    ///
    /// # Errors
    /// The broker cannot.
    pub fn get(&self, key: &str) -> Result<Request, Failure> {
        self.speech.get(&self.host, key).ok_or_else(|| self.cannot("be asked for a state"))
    }

    /// See [`Speech::watch`].
    ///
    /// # Errors
    /// The broker cannot.
    pub fn watch(&self, pattern: &str) -> Result<Rc<Greeting>, Failure> {
        let greeting = self.speech.watch(&self.host, pattern);
        greeting.map(Rc::new).ok_or_else(|| self.cannot("have viewers of a prefix"))
    }

    fn cannot(&self, what: &str) -> Failure {
        Failure::new(format!("{} cannot {what}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_whole_and_carry_the_key() {
        let lux = Target::new("Lux", Kind::Lux, "http://127.0.0.1:7373/", Some("secret"), None)
            .expect("an address");
        let put = String::from_utf8(lux.put("a", "42").numbered(0).to_vec()).expect("text");
        assert!(put.starts_with("PUT /api/lux/a HTTP/1.1\r\nHost: 127.0.0.1:7373\r\n"), "{put}");
        assert!(put.contains("\r\nAuthorization: Bearer secret\r\n"), "{put}");
        assert!(put.ends_with("Content-Length: 11\r\n\r\n{\"data\":42}"), "{put}");
        let watch = lux.watch("device-*").expect("Lux can").handshake.clone();
        let watch = String::from_utf8(watch).expect("text");
        assert!(watch.starts_with("GET /api/lux/stream/device-* HTTP/1.1\r\n"), "{watch}");
        assert!(watch.ends_with("\r\n\r\n"), "{watch}");
    }

    #[test]
    fn what_a_broker_cannot_is_said() {
        let nchan = Target::new("nchan", Kind::Nchan, "http://127.0.0.1:80", None, None).expect("an address");
        let refused = nchan.watch("device-*").err().expect("it has no prefixes").to_string();
        assert_eq!(refused, "nchan cannot have viewers of a prefix");
        assert!(nchan.patch("a", "{}").is_err() && nchan.watch("a").is_ok());
    }

    #[test]
    fn addresses_that_are_none_are_named() {
        let refused =
            |url| Target::new("Lux", Kind::Lux, url, None, None).err().expect("refused").to_string();
        assert!(refused("https://127.0.0.1:1").contains("plain HTTP"));
        assert!(refused("http://127.0.0.1").contains("127.0.0.1"));
    }
}
