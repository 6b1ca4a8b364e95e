//! TLS on the one port: sessions, certificates, and the promises to viewers, over it.
//!
//! Always true: the client is rustls's, driven from here; the broker's own session code is not. Certificates are made
//! for each test.
//!
//! Read first: `peer.rs`.

mod certificates;
mod peer;
mod promises;
mod sessions;

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use crate::harness::{Broker, Setup};
use peer::Trust;

/// A certificate and its key, in files.
pub struct Pair {
    /// The certificate's file.
    pub cert: PathBuf,
    /// The key's file.
    pub key: PathBuf,
    _home: TempDir,
}

/// The PEM of a new certificate for the loopback, and of its key.
pub fn make() -> (String, String) {
    let params = CertificateParams::new(vec!["localhost".to_string(), "127.0.0.1".to_string()]).unwrap();
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

impl Pair {
    /// A pair that nobody else has.
    pub fn new() -> Pair {
        let home = TempDir::new().unwrap();
        let pair = Pair { cert: home.path().join("cert.pem"), key: home.path().join("key.pem"), _home: home };
        pair.renew();
        pair
    }

    /// Puts a new certificate and a new key in the place of the old ones.
    pub fn renew(&self) {
        let (cert, key) = make();
        put_in_place(&self.cert, &cert);
        put_in_place(&self.key, &key);
    }

    /// Whoever believes the certificate that is in the file now.
    pub fn trust(&self) -> Trust {
        Trust::in_pem(&std::fs::read_to_string(&self.cert).unwrap())
    }

    /// A broker that shows it.
    #[track_caller]
    pub fn start(&self, setup: Setup) -> Broker {
        let (cert, key) = (self.cert.to_str().unwrap(), self.key.to_str().unwrap());
        setup.args(&["--tls-cert", cert, "--tls-key", key]).start()
    }
}

/// Written aside and renamed, as whoever renews certificates does.
pub fn put_in_place(path: &Path, text: &str) {
    let aside = path.with_extension("aside");
    std::fs::write(&aside, text).unwrap();
    std::fs::rename(&aside, path).unwrap();
}
