//! Which brokers a client here believes: those of the public authorities, or those of one file.
//!
//! Always true: a file that is named is the only one believed, for requests and for streams alike.
//!
//! Read first: `client.rs`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::operator_error::OperatorError;

/// Whom to believe over TLS.
#[derive(Args, Clone, Default)]
pub struct TrustArgs {
    /// Believe a broker that shows a certificate of this file, or one signed by it (PEM), and no other
    #[arg(long, value_name = "FILE", env = "LUX_CACERT")]
    cacert: Option<PathBuf>,
}

/// The certificates that are believed; none stands for the public authorities.
#[derive(Clone, Default)]
pub struct Trust(Option<Vec<CertificateDer<'static>>>);

impl TrustArgs {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or holds no certificate.
    pub fn read(&self) -> Result<Trust, OperatorError> {
        // A variable that is set to nothing counts as none.
        let path = self.cacert.as_deref().filter(|path| !path.as_os_str().is_empty());
        path.map(read).transpose().map(Trust)
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, OperatorError> {
    let refuse = |why: String| {
        let message = format!("the certificates in {} cannot be used ({why})", path.display());
        OperatorError::new(
            message,
            "name a PEM file with --cacert or LUX_CACERT, as a broker's own certificate",
        )
    };
    let text = std::fs::read(path).map_err(|error| refuse(error.to_string()))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|error| refuse(error.to_string()))?;
    if all.is_empty() { Err(refuse("there is none in it".to_owned())) } else { Ok(all) }
}

impl Trust {
    /// For requests.
    pub fn for_requests(&self) -> TlsConfig {
        let builder = TlsConfig::builder();
        match &self.0 {
            None => builder.build(),
            Some(certificates) => {
                let all: Vec<_> =
                    certificates.iter().map(|one| Certificate::from_der(one).to_owned()).collect();
                builder.root_certs(RootCerts::new_with_certs(&all)).build()
            }
        }
    }

    /// For streams; none where the public authorities are believed.
    ///
    /// # Errors
    /// A certificate that nobody could be believed with.
    pub fn for_streams(&self) -> Result<Option<Arc<ClientConfig>>, rustls::Error> {
        let Some(certificates) = &self.0 else { return Ok(None) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate.clone())?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?;
        Ok(Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("ca.pem");
        std::fs::write(&file, "none\n").unwrap();
        let error = TrustArgs { cacert: Some(file.clone()) }.read().err().unwrap();
        assert!(error.message.contains("ca.pem") && error.remedy.contains("--cacert"), "{error}");
        std::fs::remove_file(&file).unwrap();
        assert!(TrustArgs { cacert: Some(file) }.read().is_err());
        assert!(TrustArgs::default().read().unwrap().for_streams().unwrap().is_none());
    }
}
