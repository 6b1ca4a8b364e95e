//! Which certificate to show, if TLS is to be spoken.
//!
//! Always true: TLS is on with both files, or with a certificate of Lux's own; half of either is an error.
//!
//! Read first: `settings/mod.rs`.

use std::path::{Path, PathBuf};

use crate::operator_error::OperatorError;

/// What an operator says about TLS; nothing leaves it off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate and those that sign it, as PEM.
    pub cert: Option<PathBuf>,
    /// Its private key, as PEM.
    pub key: Option<PathBuf>,
    /// Lux makes a pair and keeps it in the state directory.
    pub self_signed: bool,
}

/// A pair of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that sign it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl TlsSettings {
    /// These settings, and where they say nothing, those.
    pub fn or(self, other: TlsSettings) -> TlsSettings {
        TlsSettings {
            cert: self.cert.or(other.cert),
            key: self.key.or(other.key),
            self_signed: self.self_signed || other.self_signed,
        }
    }

    /// Where the pair is; none where TLS is off.
    pub fn files(&self, state_dir: &Path) -> Option<TlsFiles> {
        if self.self_signed {
            let within = |name: &str| state_dir.join(name);
            return Some(TlsFiles { cert: within("self-signed.pem"), key: within("self-signed.key") });
        }
        Some(TlsFiles { cert: self.cert.clone()?, key: self.key.clone()? })
    }

    /// Whether these go together.
    ///
    /// # Errors
    /// What is missing, or too much.
    pub fn check(&self) -> Result<(), OperatorError> {
        match (&self.cert, &self.key, self.self_signed) {
            (None, None, _) | (Some(_), Some(_), false) => Ok(()),
            (Some(_), None, false) => Err(OperatorError::new(
                "`tls_cert` is set and `tls_key` is not",
                "name the certificate's key with --tls-key",
            )),
            (None, Some(_), false) => Err(OperatorError::new(
                "`tls_key` is set and `tls_cert` is not",
                "name the key's certificate with --tls-cert",
            )),
            (_, _, true) => Err(OperatorError::new(
                "a certificate is given, and Lux is told to make one",
                "leave --tls-self-signed out, or `tls_cert` and `tls_key`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls(cert: Option<&str>, key: Option<&str>, self_signed: bool) -> TlsSettings {
        TlsSettings { cert: cert.map(PathBuf::from), key: key.map(PathBuf::from), self_signed }
    }

    #[test]
    fn half_of_a_pair_is_refused_with_the_other_half() {
        assert!(tls(Some("a"), None, false).check().unwrap_err().remedy.contains("--tls-key"));
        assert!(tls(None, Some("a"), false).check().unwrap_err().remedy.contains("--tls-cert"));
        assert!(tls(Some("a"), Some("b"), true).check().unwrap_err().remedy.contains("--tls-self-signed"));
        for good in [tls(None, None, false), tls(Some("a"), Some("b"), false), tls(None, None, true)] {
            assert_eq!(good.check(), Ok(()));
        }
    }

    #[test]
    fn a_pair_may_come_from_two_sources() {
        let both = tls(Some("a"), None, false).or(tls(Some("x"), Some("b"), false));
        assert_eq!(both, tls(Some("a"), Some("b"), false));
        assert_eq!(both.files(Path::new("s")).unwrap().key, PathBuf::from("b"));
        assert!(tls(None, None, false).files(Path::new("s")).is_none());
        let own = tls(None, None, true).files(Path::new("s")).unwrap();
        assert_eq!(own.cert, PathBuf::from("s/self-signed.pem"));
    }
}
