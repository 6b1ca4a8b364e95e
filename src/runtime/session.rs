//! One TLS session: bytes of the wire in, bytes of the peer out, and the other way round.
//!
//! Always true: nothing is encrypted before it is asked for, so what goes out is as fresh as what came in. What is
//! kept of a peer is one record that is not whole yet, one that was not taken, and what TLS itself has to say;
//! an idle session keeps no buffer at all.
//!
//! Read first: `runtime/lines.rs` drives this; RFC 8446 and RFC 5246 are rustls's.

use std::sync::Arc;

use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{Error, ServerConfig};

/// The header of a record: its kind, its version, its length (RFC 8446, section 5.1).
const RECORD_HEAD_BYTES: usize = 5;
/// The longest record that TLS 1.2 allows (RFC 5246, section 6.2.3); that of 1.3 is shorter.
const RECORD_BYTES_MAX: usize = RECORD_HEAD_BYTES + 16 * 1024 + 2048;
/// The kinds of records that there are (RFC 8446, appendix B.1).
const KINDS: std::ops::RangeInclusive<u8> = 20..=24;
/// What a first flight is read with: most of them fit.
const FLIGHT_READ_BYTES: usize = 2 * 1024;
/// What a record adds to its content, at the most that any of the suites here adds, rounded up.
const RECORD_EXTRA_BYTES: usize = 64;
/// The content of one record.
const RECORD_CONTENT_BYTES: usize = 16 * 1024;
/// The largest word that TLS says on its own in one go: a close, an alert.
const ALERT_BYTES_MAX: usize = 64;

/// One peer's session.
pub struct Session {
    tls: UnbufferedServerConnection,
    /// Came in, and was not looked at or is not a whole record.
    incoming: Vec<u8>,
    /// Was decrypted, and not taken yet.
    plain: Vec<u8>,
    /// To go out before anything else: flights of the handshake, tickets, alerts.
    outgoing: Vec<u8>,
    peer_closed: bool,
    said_close: bool,
    is_broken: bool,
}

/// What there is of the peer's.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// This much.
    Bytes(Box<[u8]>),
    /// Nothing until more comes in.
    NeedMore,
    /// The peer has said that it will say no more.
    Closed,
}

/// What to do where the session is ready for it.
#[derive(Clone, Copy)]
enum Job<'a> {
    Read,
    Encrypt(&'a [u8]),
    Close,
}

impl Session {
    /// A session whose handshake has not begun.
    ///
    /// # Errors
    /// The configuration contradicts itself, which that of `runtime/tls.rs` does not.
    pub fn new(config: Arc<ServerConfig>) -> Result<Session, Error> {
        Ok(Session {
            tls: UnbufferedServerConnection::new(config)?,
            incoming: Vec::new(),
            plain: Vec::new(),
            outgoing: Vec::new(),
            peer_closed: false,
            said_close: false,
            is_broken: false,
        })
    }

    /// Whether peers may be read and spoken to.
    pub fn is_open(&self) -> bool {
        !self.tls.is_handshaking()
    }

    /// How many bytes to read from the wire, if so many are wanted of what is inside.
    pub fn appetite(&self, wanted: usize) -> usize {
        match self.record_len() {
            Some(len) => len.saturating_sub(self.incoming.len()).clamp(1, RECORD_BYTES_MAX),
            None if !self.is_open() => FLIGHT_READ_BYTES,
            None => wanted.saturating_add(RECORD_EXTRA_BYTES).min(RECORD_BYTES_MAX),
        }
    }

    /// Bytes came in; they are not looked at yet.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.incoming.extend_from_slice(bytes);
    }

    /// Whether what came in can be worked on: a whole record, or what cannot become one.
    pub fn has_work(&self) -> bool {
        let is_ready = |len: usize| {
            let is_record = len <= RECORD_BYTES_MAX && KINDS.contains(&self.incoming[0]);
            self.incoming.len() >= len || !is_record
        };
        self.record_len().is_some_and(is_ready) || self.is_plain_http()
    }

    /// Whether the peer began with a request and not with a handshake: nobody has told it about TLS.
    pub fn is_plain_http(&self) -> bool {
        let is_method = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'\r' | b'\n');
        !self.is_open() && self.incoming.first().is_some_and(is_method)
    }

    /// Goes on with the handshake; whether it is over.
    ///
    /// # Errors
    /// The peer breaks the protocol, or there is nothing that both speak. What to tell it is in
    /// [`Session::take_outgoing`]; so for the others.
    pub fn shake_hands(&mut self) -> Result<bool, Error> {
        self.advance(Job::Read)?;
        Ok(self.is_open())
    }

    /// Takes up to `wanted` bytes of what the peer said.
    ///
    /// # Errors
    /// As [`Session::shake_hands`].
    pub fn take(&mut self, wanted: usize) -> Result<Taken, Error> {
        if self.said_close {
            // Whatever else it says is not for anybody.
            self.drop_incoming(self.incoming.len());
        } else if self.plain.is_empty() && self.has_work() {
            self.advance(Job::Read)?;
        }
        if self.plain.is_empty() {
            return Ok(if self.peer_closed { Taken::Closed } else { Taken::NeedMore });
        }
        let rest = self.plain.split_off(wanted.min(self.plain.len()));
        Ok(Taken::Bytes(std::mem::replace(&mut self.plain, rest).into_boxed_slice()))
    }

    /// Whether [`Session::take`] has something without another read.
    pub fn has_plain(&self) -> bool {
        !self.plain.is_empty() || self.has_work() || self.peer_closed
    }

    /// What TLS has to say on its own.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// Whether TLS has something to say on its own.
    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// What is to be sent for these bytes, and what TLS had to say in front of them.
    ///
    /// # Errors
    /// As [`Session::shake_hands`]; also where the handshake is not over.
    pub fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>, Error> {
        self.advance(Job::Encrypt(plain))?;
        Ok(self.take_outgoing())
    }

    /// Says that we say no more (RFC 8446, section 6.1); it goes out with the rest. Saying it again says nothing.
    pub fn close(&mut self) {
        if self.is_open() && !self.is_broken && !std::mem::replace(&mut self.said_close, true) {
            // A session that is broken has nobody to say it to.
            let _ = self.advance(Job::Close);
        }
    }

    /// Does what is to be done with what came in, until `job` is done or nothing more can be.
    fn advance(&mut self, job: Job<'_>) -> Result<(), Error> {
        if self.is_broken {
            return Err(Error::General("the session is broken".to_owned()));
        }
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut self.incoming);
            let mut is_over = false;
            let mut failure = None;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        self.plain.extend_from_slice(record.payload);
                    }
                    is_over = matches!(job, Job::Read);
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let write = |room: &mut [u8]| data.encode(room).map_err(needed_to_encode);
                    grow(&mut self.outgoing, ALERT_BYTES_MAX, write);
                }
                Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    is_over = match job {
                        Job::Read => true,
                        Job::Encrypt(plain) => {
                            grow(&mut self.outgoing, encrypted_bytes(plain.len()), |room| {
                                traffic.encrypt(plain, room).map_err(needed_to_encrypt)
                            })
                        }
                        Job::Close => grow(&mut self.outgoing, ALERT_BYTES_MAX, |room| {
                            traffic.queue_close_notify(room).map_err(needed_to_encrypt)
                        }),
                    };
                    failure = (!is_over).then_some(Error::EncryptError);
                }
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(ConnectionState::BlockedHandshake) if matches!(job, Job::Encrypt(_)) => {
                    failure = Some(Error::HandshakeNotComplete);
                }
                // What else there may be one day is nothing that was asked for.
                Ok(_) => is_over = true,
                Err(error) => failure = Some(error),
            }
            self.drop_incoming(discard);
            if let Some(error) = failure {
                self.collect_alert();
                return Err(error);
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// What rustls wants a peer to be told that broke the protocol. Nothing of the peer's is looked at any more.
    fn collect_alert(&mut self) {
        self.is_broken = true;
        while self.tls.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(mut data)) =
                self.tls.process_tls_records(&mut self.incoming).state
        {
            let write = |room: &mut [u8]| data.encode(room).map_err(needed_to_encode);
            grow(&mut self.outgoing, ALERT_BYTES_MAX, write);
        }
    }

    fn drop_incoming(&mut self, count: usize) {
        self.incoming.drain(..count);
        if self.incoming.is_empty() {
            self.incoming = Vec::new();
        }
    }

    /// How long the first record is that came in, header included, if its header did.
    fn record_len(&self) -> Option<usize> {
        let head = self.incoming.get(..RECORD_HEAD_BYTES)?;
        Some(RECORD_HEAD_BYTES + usize::from(u16::from_be_bytes([head[3], head[4]])))
    }
}

/// Lets `write` write behind what is there; it says how much it wrote, or how much room it needs, and is asked once
/// more where the first guess was too small. Whether it wrote.
fn grow(
    out: &mut Vec<u8>,
    guess: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> bool {
    let before = out.len();
    let mut room = guess;
    for _ in 0..2 {
        out.resize(before + room, 0);
        match write(&mut out[before..]) {
            Ok(written) => {
                out.truncate(before + written);
                return true;
            }
            Err(Some(needed)) => room = needed,
            Err(None) => break,
        }
    }
    out.truncate(before);
    false
}

fn encrypted_bytes(len: usize) -> usize {
    len + (len / RECORD_CONTENT_BYTES + 1) * RECORD_EXTRA_BYTES
}

fn needed_to_encode(error: EncodeError) -> Option<usize> {
    match error {
        EncodeError::InsufficientSize(size) => Some(size.required_size),
        EncodeError::AlreadyEncoded => None,
    }
}

fn needed_to_encrypt(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(size) => Some(size.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustls::crypto::ring::default_provider;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
    use rustls::sign::CertifiedKey;
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

    use super::*;
    use crate::runtime::tls::Terms;

    fn pair(version: &'static SupportedProtocolVersion) -> (Session, ClientConnection) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = params.self_signed(&key).unwrap().der().clone();
        let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let certified =
            CertifiedKey::from_der(vec![certificate.clone()], secret, &default_provider()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let session = Session::new(Terms::new().unwrap().with(Arc::new(certified)).unwrap()).unwrap();
        (session, ClientConnection::new(Arc::new(client), name).unwrap())
    }

    /// Carries what both have to say, in pieces of so many bytes, until neither has anything.
    fn carry(session: &mut Session, client: &mut ClientConnection, piece: usize) {
        loop {
            let mut said = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut said).unwrap();
            }
            for bytes in said.chunks(piece) {
                session.feed(bytes);
                while !session.is_open() && session.has_work() {
                    session.shake_hands().unwrap();
                }
            }
            let answer = session.take_outgoing();
            if said.is_empty() && answer.is_empty() {
                return;
            }
            hear(client, &answer);
        }
    }

    fn hear(client: &mut ClientConnection, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).unwrap();
            client.process_new_packets().unwrap();
        }
    }

    fn opened(version: &'static SupportedProtocolVersion, piece: usize) -> (Session, ClientConnection) {
        let (mut session, mut client) = pair(version);
        carry(&mut session, &mut client, piece);
        assert!(session.is_open() && !client.is_handshaking());
        (session, client)
    }

    #[test]
    fn a_handshake_goes_on_whatever_the_pieces() {
        for version in [&TLS12, &TLS13] {
            for piece in [1, 2, 5, 100, 100_000] {
                let (session, _) = opened(version, piece);
                assert_eq!((session.incoming.capacity(), session.plain.capacity()), (0, 0), "idle");
            }
        }
    }

    #[test]
    fn what_is_said_is_taken_in_the_sizes_that_are_wanted() {
        let (mut session, mut client) = opened(&TLS13, 1000);
        client.writer().write_all(&[7; 40_000]).unwrap();
        carry(&mut session, &mut client, 100);
        let mut taken = 0;
        while let Taken::Bytes(bytes) = session.take(1_000).unwrap() {
            assert!(bytes.len() <= 1_000 && bytes.iter().all(|byte| *byte == 7));
            taken += bytes.len();
        }
        assert_eq!(taken, 40_000);
        assert!(!session.has_plain());
        let mut said = Vec::new();
        client.send_close_notify();
        client.write_tls(&mut said).unwrap();
        session.feed(&said);
        assert_eq!(session.take(1).unwrap(), Taken::Closed);
    }

    #[test]
    fn several_records_go_out_in_one_send_and_a_close_behind() {
        for version in [&TLS12, &TLS13] {
            let (mut session, mut client) = opened(version, 1000);
            client.set_buffer_limit(None);
            let plain: Vec<u8> = (0..50_000_u32).map(|at| at as u8).collect();
            let mut said = session.encrypt(&plain).unwrap();
            session.close();
            session.close();
            said.extend(session.take_outgoing());
            let (mut heard, mut rest) = (Vec::new(), &said[..]);
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
                client.process_new_packets().unwrap();
                let mut piece = [0; 16 * 1024];
                while let Ok(len @ 1..) = client.reader().read(&mut piece) {
                    heard.extend_from_slice(&piece[..len]);
                }
            }
            assert!(heard == plain);
            assert_eq!(client.reader().read(&mut [0]).unwrap(), 0, "an end that was said");
            assert!(!session.has_outgoing());
        }
    }

    #[test]
    fn a_broken_record_ends_it_with_an_alert_and_nothing_more() {
        let (mut session, mut client) = opened(&TLS13, 1000);
        session.feed(&[23, 3, 3, 0, 20]);
        session.feed(&[7; 20]);
        assert!(session.take(10).is_err());
        assert!(session.has_outgoing());
        let alert = session.take_outgoing();
        assert!(client.read_tls(&mut &alert[..]).is_ok() && client.process_new_packets().is_err());
        assert!(session.encrypt(b"x").is_err() && session.take(10).is_err());
        session.close();
        assert!(!session.has_outgoing());
    }

    #[test]
    fn a_request_in_the_open_is_told_from_a_handshake_at_its_first_byte() {
        let (mut session, _) = pair(&TLS13);
        assert!(!session.has_work());
        session.feed(b"G");
        assert!(session.has_work() && session.is_plain_http());
        for not_yet in [&[0x16][..], &[0x80, 1], &[0x16, 3, 1, 0, 1]] {
            let (mut session, _) = pair(&TLS13);
            session.feed(not_yet);
            assert!(!session.has_work(), "{not_yet:?}");
        }
        for never in [&[0x80, 1, 2, 3, 4][..], &[0x16, 3, 1, 0xff, 0xff]] {
            let (mut session, _) = pair(&TLS13);
            session.feed(never);
            assert!(session.has_work() && session.shake_hands().is_err(), "{never:?}");
        }
    }

    #[test]
    fn before_the_handshake_is_over_nothing_is_encrypted() {
        let (mut session, _) = pair(&TLS13);
        assert!(session.encrypt(b"x").is_err());
        assert!(!session.has_outgoing());
    }
}
