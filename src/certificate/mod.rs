//! The certificate that a broker shows, and its key: read, judged, made where nobody has one.
//!
//! Always true: what [`load`] gives, peers can be met with: the chain can be read and the key is the one that the
//! first certificate names. A bad pair is refused whole, and the message names the file. No message repeats a key.
//!
//! Read first: `settings/tls.rs`, `operator_error.rs`.

mod der;
mod self_signed;

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};

use crate::operator_error::OperatorError;
use crate::settings::{Settings, TlsFiles};

pub use self_signed::make_if_missing;

/// With less than this left, in milliseconds, a renewal is due.
const RENEWAL_DUE_MS: u64 = 14 * DAY_MS;
const DAY_MS: u64 = 24 * 3_600_000;

/// A pair that fits.
pub struct Certificate {
    /// What sessions are begun with.
    pub certified: Arc<CertifiedKey>,
    /// The SHA-256 of the first certificate, as `AB:CD:…`.
    pub fingerprint: String,
    /// How many certificates there are.
    pub chain: usize,
    /// When it ends, Unix milliseconds.
    pub ends_at_ms: u64,
    /// What may keep peers from believing it.
    pub doubt: Option<OperatorError>,
}

/// What changes about a pair of files when one of them is replaced or written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stamp([Option<Look>; 2]);

/// Device, inode, when it was written (seconds and nanoseconds), size.
type Look = (u64, u64, i64, i64, u64);

/// Reads the pair that these settings name; none where they ask for no TLS.
///
/// # Errors
/// Which file is not usable, and why.
pub fn load(settings: &Settings, wall_ms: u64) -> Result<Option<Certificate>, OperatorError> {
    settings.tls_files().map(|files| read(&files, wall_ms)).transpose()
}

/// What the pair looks like from outside, without reading it.
pub fn stamp(files: &TlsFiles) -> Stamp {
    let look = |path: &Path| {
        let meta = fs::metadata(path).ok()?;
        Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()))
    };
    Stamp([look(&files.cert), look(&files.key)])
}

fn read(files: &TlsFiles, wall_ms: u64) -> Result<Certificate, OperatorError> {
    let chain = read_chain(&files.cert)?;
    let key = read_key(&files.key)?;
    let facts = facts(&files.cert, &chain)?;
    let (fingerprint, count) = (fingerprint(&chain[0]), chain.len());
    let doubt = doubt(&files.cert, &chain, &facts, wall_ms);
    let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
        let (cert, key) = (files.cert.display(), files.key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => OperatorError::new(
                format!("the key in {key} is not the one of the certificate in {cert}"),
                "name the two that were made together; a renewal replaces both",
            ),
            other => OperatorError::new(
                format!("the key in {key} cannot be used ({other})"),
                "use an ECDSA (P-256 or P-384), Ed25519 or RSA key",
            ),
        }
    })?;
    let certified = Arc::new(certified);
    Ok(Certificate { certified, fingerprint, chain: count, ends_at_ms: facts.ends_at_ms, doubt })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, OperatorError> {
    let text = read_file(path, "certificate")?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| torn(path, "certificate", &error.to_string()))?;
    if chain.is_empty() {
        let message = format!("there is no certificate in {}", path.display());
        return Err(OperatorError::new(message, "write it as PEM: yours first, then those that sign it"));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, OperatorError> {
    let text = read_file(path, "key")?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            let message = format!("there is no private key in {}", path.display());
            OperatorError::new(message, "write it as PEM (PKCS #8, PKCS #1 or SEC 1), without a password")
        }
        other => torn(path, "key", &other.to_string()),
    })
}

fn read_file(path: &Path, what: &str) -> Result<Vec<u8>, OperatorError> {
    fs::read(path).map_err(|error| {
        let message = format!("the {what} in {} cannot be read ({error})", path.display());
        OperatorError::new(message, "let the user that Lux runs as read it, or name another file")
    })
}

fn torn(path: &Path, what: &str, why: &str) -> OperatorError {
    let message = format!("the {what} in {} is not whole ({why})", path.display());
    OperatorError::new(message, "write the whole PEM file, and rename it into place")
}

fn facts(path: &Path, chain: &[CertificateDer<'_>]) -> Result<der::Facts, OperatorError> {
    let unreadable = |at: usize| {
        let message = format!("certificate {} in {} cannot be understood", at + 1, path.display());
        OperatorError::new(message, "write X.509 certificates as PEM")
    };
    let all: Result<Vec<_>, _> =
        chain.iter().enumerate().map(|(at, one)| der::facts(one).ok_or_else(|| unreadable(at))).collect();
    all.map(|mut all| all.swap_remove(0))
}

/// What may keep peers from believing a pair that can be used.
fn doubt(
    path: &Path,
    chain: &[CertificateDer<'_>],
    facts: &der::Facts,
    wall_ms: u64,
) -> Option<OperatorError> {
    let cert = path.display();
    if facts.ends_at_ms <= wall_ms {
        let message = format!("the certificate in {cert} expired on {}", date(facts.ends_at_ms));
        return Some(OperatorError::new(message, "renew it; clients refuse it"));
    }
    if facts.begins_at_ms > wall_ms {
        let message = format!("the certificate in {cert} begins on {}", date(facts.begins_at_ms));
        return Some(OperatorError::new(message, "look at this machine's clock, or use it later"));
    }
    let names: Vec<der::Facts> = chain.iter().filter_map(|one| der::facts(one)).collect();
    if names.windows(2).any(|pair| pair[0].issuer != pair[1].subject) {
        let message = format!("the chain in {cert} is not in order");
        return Some(OperatorError::new(message, "write each certificate behind the one that it signs"));
    }
    if facts.ends_at_ms < wall_ms + RENEWAL_DUE_MS {
        let message = format!("the certificate in {cert} expires on {}", date(facts.ends_at_ms));
        return Some(OperatorError::new(message, "renew it; Lux takes the new files by itself"));
    }
    None
}

/// A day, as RFC 3339 writes it.
pub fn date(wall_ms: u64) -> String {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_millis(wall_ms);
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(certificate) {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a String does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const NOW: u64 = 1_782_000_000_000;

    fn pair(directory: &Path, name: &str, ends: (i32, u8, u8)) -> TlsFiles {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(ends.0, ends.1, ends.2);
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let files = TlsFiles {
            cert: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        fs::write(&files.cert, cert.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    fn why(files: &TlsFiles) -> OperatorError {
        read(files, NOW).err().expect("it is refused")
    }

    #[test]
    fn a_good_pair_is_taken_with_its_facts() {
        let temp = tempfile::tempdir().unwrap();
        let certificate = read(&pair(temp.path(), "a", (2048, 1, 1)), NOW).unwrap();
        assert_eq!((certificate.chain, certificate.doubt), (1, None));
        assert_eq!(date(certificate.ends_at_ms), "2048-01-01");
        assert_eq!(certificate.fingerprint.len(), 32 * 3 - 1);
    }

    #[test]
    fn what_clients_may_not_believe_is_doubted_and_taken() {
        let temp = tempfile::tempdir().unwrap();
        let expired = read(&pair(temp.path(), "a", (2021, 3, 4)), NOW).unwrap().doubt.unwrap();
        assert!(expired.message.contains("expired on 2021-03-04"), "{expired}");
        let soon = read(&pair(temp.path(), "b", (2026, 6, 25)), NOW).unwrap().doubt.unwrap();
        assert!(soon.message.contains("expires on 2026-06-25"), "{soon}");
        let (one, other) = (pair(temp.path(), "c", (2048, 1, 1)), pair(temp.path(), "d", (2048, 1, 1)));
        let text = fs::read_to_string(&one.cert).unwrap() + &fs::read_to_string(&other.cert).unwrap();
        fs::write(&one.cert, text).unwrap();
        let certificate = read(&one, NOW).unwrap();
        assert_eq!((certificate.chain, certificate.doubt), (2, None), "one name signs itself");
    }

    #[test]
    fn a_bad_pair_names_its_file() {
        let temp = tempfile::tempdir().unwrap();
        let (good, other) = (pair(temp.path(), "a", (2048, 1, 1)), pair(temp.path(), "b", (2048, 1, 1)));
        let mixed = why(&TlsFiles { key: other.key.clone(), ..good.clone() });
        assert!(mixed.message.contains("b.key") && mixed.message.contains("a.pem"), "{mixed}");
        let text = fs::read_to_string(&good.cert).unwrap();
        fs::write(&good.cert, &text[..text.len() / 2]).unwrap();
        assert!(why(&good).message.contains("a.pem is not whole"), "{}", why(&good));
        fs::write(&good.cert, "").unwrap();
        assert!(why(&good).message.contains("no certificate in"), "{}", why(&good));
        fs::write(&other.key, text).unwrap();
        assert!(why(&other).message.contains("no private key in"), "{}", why(&other));
        let missing = TlsFiles { cert: PathBuf::from("no/such.pem"), key: other.key.clone() };
        assert!(why(&missing).message.contains("no/such.pem"), "{}", why(&missing));
    }

    #[test]
    fn a_pair_that_is_cut_anywhere_is_refused_and_no_key_is_said() {
        let temp = tempfile::tempdir().unwrap();
        let files = pair(temp.path(), "a", (2048, 1, 1));
        for path in [&files.cert, &files.key] {
            let text = fs::read_to_string(path).unwrap();
            let secret = fs::read_to_string(&files.key).unwrap();
            for len in (0..text.trim_end().len()).step_by(7) {
                fs::write(path, &text[..len]).unwrap();
                let error = why(&files).to_string();
                assert!(secret.lines().skip(1).all(|line| !error.contains(line)), "{error}");
            }
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn a_stamp_changes_with_either_file() {
        let temp = tempfile::tempdir().unwrap();
        let files = pair(temp.path(), "a", (2048, 1, 1));
        let before = stamp(&files);
        assert_eq!(before, stamp(&files));
        let aside = temp.path().join("aside");
        fs::write(&aside, fs::read(&files.key).unwrap()).unwrap();
        fs::rename(&aside, &files.key).unwrap();
        assert_ne!(before, stamp(&files), "the same bytes in another file");
    }
}
