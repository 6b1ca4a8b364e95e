//! A peer that speaks TLS, by rustls's client.
//!
//! Always true: every read has a deadline; an end without `close_notify` is an error, and seen as one.
//!
//! Read first: `harness/http.rs`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use crate::harness::{API_KEY, Answer, Broker, PATIENCE, Request, Viewer};

/// A TLS stream over any kind of transport.
pub type Stream<T = TcpStream> = StreamOwned<ClientConnection, T>;

/// Whom a peer believes, and how it speaks; what it remembers of sessions is shared by its copies.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Believes the certificates in this text, and speaks what both speak.
    pub fn in_pem(pem: &str) -> Trust {
        Trust::with(pem, &[&TLS13, &TLS12], &["http/1.1"])
    }

    /// The same with these versions, and these protocols inside.
    pub fn with(pem: &str, versions: &[&'static SupportedProtocolVersion], inside: &[&str]) -> Trust {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = inside.iter().map(|name| name.as_bytes().to_vec()).collect();
        Trust(Arc::new(config))
    }

    /// A session over this transport, whose handshake has not begun.
    pub fn over<T: Read + Write>(&self, transport: T) -> Stream<T> {
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(self.0.clone(), name).unwrap(), transport)
    }

    /// A session with this broker, whose handshake is over.
    pub fn try_connect(&self, broker: &Broker) -> io::Result<Stream> {
        let mut stream = self.over(transport(broker));
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// The same where it has to work.
    #[track_caller]
    pub fn connect(&self, broker: &Broker) -> Stream {
        self.try_connect(broker).unwrap_or_else(|why| panic!("no session: {why}\n{}", broker.stderr()))
    }

    /// One request on a session of its own.
    #[track_caller]
    pub fn ask(&self, broker: &Broker, request: &Request) -> Answer {
        ask(&mut self.connect(broker), request)
    }

    /// A viewer of `/api/lux/stream…`.
    #[track_caller]
    pub fn view(&self, broker: &Broker, rest: &str) -> Viewer<Stream> {
        Viewer::open_over(self.connect(broker), rest, &[("authorization", &format!("Bearer {API_KEY}"))])
    }

    /// Whether this broker shows a certificate that is believed, and what else is wrong with it.
    pub fn believes(&self, broker: &Broker) -> Result<(), String> {
        self.try_connect(broker).map(|_| ()).map_err(|why| why.to_string())
    }
}

/// A bare connection with deadlines.
pub fn transport(broker: &Broker) -> TcpStream {
    let stream = broker.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// How the handshake of this session went: whole, or resumed.
pub fn kind<T: Read + Write>(stream: &Stream<T>) -> HandshakeKind {
    stream.conn.handshake_kind().expect("the handshake is over")
}

/// One request and its answer.
#[track_caller]
pub fn ask<T: Read + Write>(stream: &mut Stream<T>, request: &Request) -> Answer {
    stream.write_all(&request.bytes()).expect("the broker takes a request");
    stream.flush().expect("the broker takes a request");
    answer(stream, &request.method)
}

/// The next answer, to a request with this method.
#[track_caller]
pub fn answer<T: Read + Write>(stream: &mut Stream<T>, method: &str) -> Answer {
    let (mut seen, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        if let Some((answer, used)) = Answer::parse(&seen, method, false) {
            assert_eq!(used, seen.len(), "one answer to one request");
            return answer;
        }
        let len = stream.read(&mut piece).expect("an answer");
        assert!(len > 0, "closed before the answer was whole: {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&piece[..len]);
    }
}

/// Reads to the end, which must have been said.
#[track_caller]
pub fn expect_close_notify<T: Read + Write>(stream: &mut Stream<T>) {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("an end that was said, and not just a lost connection");
}

/// A transport that sends and reads a byte at a time.
pub struct Drip(pub TcpStream);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        self.0.read(&mut buffer[..len])
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What comes until the end, however that comes.
pub fn read_out(stream: &mut impl Read) -> Vec<u8> {
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return all,
            Ok(len) => all.extend_from_slice(&piece[..len]),
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            Err(why) => {
                assert_ne!(why.kind(), ErrorKind::WouldBlock, "no end in {PATIENCE:?}");
                return all;
            }
        }
    }
}
