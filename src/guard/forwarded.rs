//! What proxies say about whom they speak for: `X-Forwarded-For` and `X-Forwarded-Proto`.
//!
//! Always true: a word is believed only from a configured network. Each hop *appends* the address it saw, so
//! only the right end was written by somebody we know; whatever stands left of the first address that is not
//! a proxy of ours may have been sent by that very peer, and is not looked at.
//!
//! Read first: `address.rs`.

use smallvec::SmallVec;

use crate::guard::address::{Address, Network};
use crate::wire::request::Head;

/// The networks of our own proxies.
#[derive(Clone, Default, Debug)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    /// Proxies in these networks.
    pub fn new(networks: Vec<Network>) -> Proxies {
        Proxies(networks)
    }

    /// Whether nobody's word is believed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether what this peer says about others is believed.
    pub fn trusts(&self, address: Address) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Where a request comes from that arrived from `socket`: the rightmost address that is no proxy of ours.
    /// A word that is no address ends the walk: the hop that passed it on is the last that is known.
    pub fn origin(&self, socket: Address, head: &Head<'_>) -> Address {
        if !self.trusts(socket) {
            return socket;
        }
        let hops: SmallVec<[&[u8]; 8]> = head.elements("x-forwarded-for").collect();
        let mut known = socket;
        for hop in hops.iter().rev() {
            let Some(address) = Address::parse(hop) else { return known };
            known = address;
            if !self.trusts(address) {
                return address;
            }
        }
        known
    }

    /// `http` or `https`, as the proxy in front was asked; `None` where nobody says so who is believed.
    pub fn scheme(&self, socket: Option<Address>, head: &Head<'_>) -> Option<&'static [u8]> {
        if !socket.is_some_and(|socket| self.trusts(socket)) {
            return None;
        }
        match head.elements("x-forwarded-proto").last()? {
            word if word.eq_ignore_ascii_case(b"https") => Some(b"https"),
            word if word.eq_ignore_ascii_case(b"http") => Some(b"http"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::wire::request;

    fn proxies() -> Proxies {
        Proxies::new(["10.0.0.0/8", "::1/128"].map(|text| text.parse().unwrap()).to_vec())
    }

    /// What a request with these lines says, from this socket.
    fn origin(socket: &str, lines: &str) -> String {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        let head = request::parse(text.as_bytes(), &Limits::default()).unwrap();
        proxies().origin(Address::parse(socket.as_bytes()).unwrap(), &head).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_not_ours_is_the_origin() {
        for (socket, lines, expected) in [
            ("10.0.0.1", "X-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
            ("::1", "x-forwarded-for: 203.0.113.9:5123\r\n", "203.0.113.9"),
            ("::ffff:10.0.0.1", "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"),
            ("10.0.0.1", "X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.9.9.9\r\n", "203.0.113.9"),
            ("10.0.0.1", "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
            ("10.0.0.1", "X-Forwarded-For: 10.2.2.2, 10.3.3.3\r\n", "10.2.2.2"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "X-Forwarded-For: ,, \r\n", "10.0.0.1"),
        ] {
            assert_eq!(origin(socket, lines), expected, "{socket} {lines}");
        }
    }

    #[test]
    fn nobody_else_is_believed_and_nothing_behind_a_bad_word() {
        let forged = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n";
        assert_eq!(origin("192.0.2.1", forged), "192.0.2.1");
        assert_eq!(origin("10.0.0.1", "X-Forwarded-For: 203.0.113.9, unknown\r\n"), "10.0.0.1");
        assert_eq!(origin("10.0.0.1", "X-Forwarded-For: 203.0.113.9, <x>, 10.4.4.4\r\n"), "10.4.4.4");
    }

    #[test]
    fn the_scheme_is_believed_as_the_address_is() {
        let scheme = |socket: &str, value: &str| {
            let text = format!("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-Proto: {value}\r\n\r\n");
            let head = request::parse(text.as_bytes(), &Limits::default()).unwrap();
            proxies().scheme(Address::parse(socket.as_bytes()), &head)
        };
        assert_eq!(scheme("10.0.0.1", "https"), Some(&b"https"[..]));
        assert_eq!(scheme("10.0.0.1", "https, HTTP"), Some(&b"http"[..]));
        assert_eq!(scheme("10.0.0.1", "gopher"), None);
        assert_eq!(scheme("192.0.2.1", "https"), None);
    }
}
