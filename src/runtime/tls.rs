//! How this broker speaks TLS: versions, protocol, certificate, tickets.
//!
//! Always true: TLS 1.2 and 1.3 on ring, HTTP/1.1 and nothing else inside. Sessions are resumed by tickets, whose
//! keys are drawn in this process, live nowhere else, and are replaced every six hours; they outlast a change of the
//! certificate.
//!
//! Read first: `certificate.rs`; one session is in `runtime/session.rs`.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::operator_error::OperatorError;

/// What stays the same while certificates come and go.
pub struct Terms {
    tickets: Arc<dyn ProducesTickets>,
}

impl Terms {
    /// New ticket keys.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn new() -> Result<Terms, OperatorError> {
        let tickets = ring::Ticketer::new().map_err(|error| explain(&error))?;
        Ok(Terms { tickets })
    }

    /// What newcomers are met with.
    ///
    /// # Errors
    /// None that an operator could cause.
    pub fn with(&self, certificate: Arc<CertifiedKey>) -> Result<Arc<ServerConfig>, OperatorError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| explain(&error))?;
        let mut config =
            builder.with_no_client_auth().with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.ticketer = self.tickets.clone();
        // Tickets bring their session with them: nothing is kept here, and no lock is shared by the cores.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

fn explain(error: &rustls::Error) -> OperatorError {
    OperatorError::new(format!("TLS cannot be spoken here ({error})"), "see that getrandom(2) works")
}
