//! The address of a peer, and the networks it may lie in.
//!
//! Always true: an IPv4 address and the same one written as IPv6 (`::ffff:192.0.2.1`) are one address, and
//! look like IPv4.
//!
//! Read first: nothing.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// The bits of an IPv6 address that name a network; a household or a server has the rest to itself.
const NETWORK_BITS: u32 = 64;
/// What stands in front of an IPv4 address that is written as IPv6 (RFC 4291, section 2.5.5.2).
const MAPPED_BITS: u32 = 96;

/// Where a peer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address(u128);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Address {
        match ip {
            IpAddr::V4(v4) => Address(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => Address(v6.to_bits()),
        }
    }
}

impl Address {
    /// Reads one as proxies write it: bare, with a port, IPv6 with or without brackets.
    pub fn parse(text: &[u8]) -> Option<Address> {
        let text = core::str::from_utf8(text).ok()?;
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(ip.into());
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, port) = rest.split_once(']')?;
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return inside.parse::<Ipv6Addr>().ok().filter(|_| is_port).map(|ip| IpAddr::V6(ip).into());
        }
        let (ip, _) = text.split_once(':').filter(|(_, port)| is_port(port))?;
        ip.parse::<Ipv4Addr>().ok().map(|ip| IpAddr::V4(ip).into())
    }

    /// What is counted together: an IPv4 address alone, IPv6 by its first 64 bits.
    pub fn group(self) -> Address {
        match self.v4() {
            Some(_) => self,
            None => Address(self.0 & (u128::MAX << (128 - NETWORK_BITS))),
        }
    }

    fn v4(self) -> Option<Ipv4Addr> {
        Ipv6Addr::from_bits(self.0).to_ipv4_mapped()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.v4() {
            Some(v4) => v4.fmt(f),
            None => Ipv6Addr::from_bits(self.0).fmt(f),
        }
    }
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Addresses that begin with the same bits, as `10.0.0.0/8` or `2001:db8::/32`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    base: u128,
    bits: u32,
}

impl Network {
    /// Whether an address lies in it.
    pub fn contains(self, address: Address) -> bool {
        address.0 & self.mask() == self.base
    }

    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - self.bits).unwrap_or(0)
    }
}

impl FromStr for Network {
    type Err = &'static str;

    /// An address alone is the network of itself.
    fn from_str(text: &str) -> Result<Network, &'static str> {
        const SHAPE: &str = "write a network as 10.0.0.0/8 or 2001:db8::/32, or one address";
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| SHAPE)?;
        let (most, before) = if ip.is_ipv4() { (32, MAPPED_BITS) } else { (128, 0) };
        let bits = bits.map_or(Ok(most), |bits| bits.parse::<u32>().map_err(|_| SHAPE))?;
        if bits > most {
            return Err("IPv4 has 32 bits, IPv6 128; the number behind the / is at most that");
        }
        let network = Network { base: Address::from(ip).0, bits: before + bits };
        match network.base & !network.mask() {
            0 => Ok(network),
            _ => Err("the address goes on behind its network; write zeros there, as in 10.0.0.0/8"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = Address(self.base);
        let before = if base.v4().is_some() && self.bits >= MAPPED_BITS { MAPPED_BITS } else { 0 };
        write!(f, "{base}/{}", self.bits - before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        let plain = address("192.0.2.7");
        for text in ["192.0.2.7:443", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:80", "::ffff:c000:207"] {
            assert_eq!(address(text), plain, "{text}");
        }
        assert_eq!(plain.to_string(), "192.0.2.7");
        assert_eq!(address("[2001:DB8::1]:443"), address("2001:db8:0::1"));
        assert_eq!(address("[2001:db8::1]").to_string(), "2001:db8::1");
        for text in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.7:",
            "192.0.2.7:x",
            "[::1",
            "::1]",
            "[1.2.3.4]:5",
            "[::1]x",
            "1.2.3.4 ",
            "01.2.3.4",
            "[::1]:123456",
        ] {
            assert_eq!(Address::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn ipv6_is_counted_by_its_network() {
        assert_eq!(address("2001:db8::1").group(), address("2001:db8::ffff:1").group());
        assert_ne!(address("2001:db8::1").group(), address("2001:db8:0:1::1").group());
        assert_ne!(address("192.0.2.7").group(), address("192.0.2.8").group());
        assert_eq!(address("::ffff:192.0.2.7").group(), address("192.0.2.7"));
    }

    #[test]
    fn a_network_holds_what_begins_as_it_does() {
        let holds = |network: &str, text: &str| network.parse::<Network>().unwrap().contains(address(text));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.1.1") && !holds("10.0.0.0/8", "::10.1.1.1"));
        assert!(holds("::1/128", "::1") && holds("::1", "::1") && !holds("::1", "::2"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("2001:db8::/33", "2001:db8:7fff::"));
        assert!(!holds("2001:db8::/33", "2001:db8:8000::"));
        for text in ["10.0.0.1/8", "10.0.0.0/33", "::/129", "10/8", "", "alb", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        for text in ["10.0.0.0/8", "::1/128", "0.0.0.0/0", "::/0", "192.0.2.7/32"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
    }
}
