//! One process: what `lux serve` and `lux demo` start.
//!
//! Always true: once [`Broker::start`] has returned, every core listens.
//!
//! Read first: `settings/mod.rs`.

use std::net::SocketAddr;

use crate::operator_error::OperatorError;
use crate::settings::Settings;

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
}

impl Broker {
    /// Starts every core and returns when all of them listen.
    ///
    /// # Errors
    /// What the machine lacks, and what to do.
    pub fn start(settings: Settings) -> Result<Broker, OperatorError> {
        let _ = Broker { address: settings.listen };
        Err(OperatorError::new("this build has no runtime", "build one that has"))
    }

    /// Where it listens; the port that was picked where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it was told to stop, by a signal or [`stop`], and has drained.
    ///
    /// # Errors
    /// What ended it instead.
    pub fn wait(self) -> Result<(), OperatorError> {
        Ok(())
    }
}

/// Tells the broker of this process to stop, as SIGTERM does.
pub fn stop() {}
