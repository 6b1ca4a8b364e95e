//! MQTT 3.1.1, as Mosquitto speaks it.
//!
//! Always true: producers write retained messages with QoS 1, so each is acknowledged; viewers read with QoS 0
//! over WebSocket, so none waits for a word of theirs. A key's dashes part its topic's levels.
//!
//! Read first: `speech/mod.rs`; section numbers are those of the OASIS standard.

use crate::http::{Progress, Request};
use crate::speech::{Greeting, Reply, Said, Speech, binary, handshake};

/// MQTT.
pub struct Mqtt;

const PROTOCOL: &str = "Sec-WebSocket-Protocol: mqtt\r\n";

fn topic(pattern: &str) -> String {
    pattern.replace('-', "/").replace('*', "+")
}

/// A packet: its first byte, what follows its length.
fn packet(first: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut length: usize = rest.iter().map(|part| part.len()).sum();
    let mut packet = vec![first];
    // Seven bits a byte, lowest first (section 2.2.3).
    while length > 127 {
        packet.push(0x80 | (length & 127) as u8);
        length >>= 7;
    }
    packet.push(length as u8);
    packet.extend(rest.concat());
    packet
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

/// CONNECT (section 3.1): a clean session, no keep-alive, a name that the broker makes.
fn connect() -> Vec<u8> {
    packet(0x10, &[&string("MQTT"), &[4, 0b10], &[0, 0], &string("")])
}

/// Reads one packet: its first byte, and what follows its length.
fn read_packet(bytes: &[u8]) -> Progress<(u8, &[u8])> {
    let mut length = 0;
    for (at, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 127) << (7 * at);
        if byte & 0x80 == 0 {
            let begins = at + 2;
            return match bytes.get(begins..begins + length) {
                Some(rest) => Progress::Done((bytes[0], rest), begins + length),
                None => Progress::NeedMore,
            };
        }
    }
    if bytes.len() > 4 { Progress::Broken("a packet with a length that is none") } else { Progress::NeedMore }
}

impl Speech for Mqtt {
    fn put(&self, _host: &str, key: &str, state: &str) -> Request {
        // PUBLISH (section 3.3), QoS 1, retained.
        let topic = string(&topic(key));
        let bytes = packet(0x33, &[&topic, &[0, 1], state.as_bytes()]);
        let id_at = bytes.len() - state.len() - 2;
        Request::new(bytes).with_id_at(id_at)
    }

    fn producer_greeting(&self) -> Vec<u8> {
        connect()
    }

    fn read_reply(&self, bytes: &[u8]) -> Progress<Reply> {
        read_packet(bytes).and_then(|(first, rest)| match (first, rest) {
            (0x20, [_, 0]) => Ok(Reply::Greeted),
            (0x40, _) => Ok(Reply::Answer(200)),
            (0x20, _) => Err("the connection was refused"),
            _ => Ok(Reply::Aside),
        })
    }

    fn watch(&self, host: &str, pattern: &str) -> Option<Greeting> {
        let subscribe = packet(0x82, &[&[0, 1], &string(&topic(pattern)), &[0]]);
        let hello = [binary(&connect()), binary(&subscribe)].concat();
        Some(Greeting { handshake: handshake(host, "/mqtt", PROTOCOL), hello })
    }

    fn read_message<'a>(&self, bytes: &'a [u8]) -> Progress<Said<'a>> {
        read_packet(bytes).and_then(|(first, rest)| match (first >> 4, rest) {
            (3, state) => Ok(Said::state(state)),
            (9, [.., 0..=2]) => Ok(Said::synced()),
            (9, _) => Err("the subscription was refused"),
            (2, [_, refused]) if *refused > 0 => Err("the connection was refused"),
            _ => Ok(Said::default()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_packet_is_read_back_and_never_early() {
        let bytes = packet(0x30, &[&[7; 300]]);
        assert_eq!(bytes.len(), 303);
        for cut in 0..bytes.len() {
            assert_eq!(read_packet(&bytes[..cut]), Progress::NeedMore, "cut at {cut}");
        }
        assert_eq!(read_packet(&bytes), Progress::Done((0x30, &[7; 300][..]), 303));
        assert!(matches!(read_packet(&[0x30, 255, 255, 255, 255, 1]), Progress::Broken(_)));
    }

    #[test]
    fn each_write_has_an_id_of_its_own_and_its_acknowledgement_is_an_answer() {
        let mut put = Mqtt.put("h", "load-a-00001", "{\"mark\":\"abcd-0000000000\"}");
        assert_eq!(put.numbered(300)[16..18], [1, 44]);
        assert_eq!(Mqtt.read_reply(&[0x40, 2, 1, 44]), Progress::Done(Reply::Answer(200), 4));
        assert_eq!(Mqtt.read_reply(&[0x20, 2, 0, 0]), Progress::Done(Reply::Greeted, 4));
        assert!(matches!(Mqtt.read_reply(&[0x20, 2, 0, 5]), Progress::Broken(_)));
    }

    #[test]
    fn a_prefix_is_one_level_of_topics() {
        assert_eq!(topic("load-abcd-fanout-*"), "load/abcd/fanout/+");
    }
}
