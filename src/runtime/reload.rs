//! What changes while the broker runs: on SIGHUP all that may, and the certificate by itself when its files do.
//!
//! Always true: everything new is read and judged before anything is changed, so a bad file changes nothing at all.
//! Who is connected stays, unless its own key is gone.
//!
//! Read first: `settings/reload.rs`, `runtime/mod.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;

use crate::access::Access;
use crate::access_file::load_access;
use crate::certificate::{self, Certificate, Stamp};
use crate::operator_error::OperatorError;
use crate::runtime::mesh::Command;
use crate::runtime::tls::Terms;
use crate::runtime::{descriptors, origins};
use crate::settings::{LogSettings, Settings};
use crate::shard::Rules;

/// How often the files of the certificate are looked at: two calls each time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Sets what is logged from here on.
pub type SetLogLevel = Box<dyn Fn(&LogSettings) -> Result<(), OperatorError> + Send>;

/// What was read again and is fit to be used.
pub struct Next {
    /// The settings, as far as a broker that runs takes them.
    pub settings: Settings,
    /// Who may do what from here on.
    pub access: Arc<Access>,
    /// What every core goes by from here on.
    pub rules: Rules,
    /// What waits for the next start.
    pub waiting: Vec<String>,
    certificate: Option<Certificate>,
}

/// The certificate of a broker that speaks TLS, and its files.
pub struct Renewal {
    terms: Terms,
    stamp: Stamp,
    /// Another stamp, seen once: the files may be being written.
    seen: Option<Stamp>,
    fingerprint: String,
    look_at: Instant,
}

impl Next {
    /// Reads everything again.
    ///
    /// # Errors
    /// The first file that is not usable, on which line, and what to write there.
    pub fn read(running: &Settings) -> Result<Next, OperatorError> {
        let (settings, waiting) = running.read_again()?.for_running(running);
        let access = Arc::new(load_access(&settings)?);
        let certificate = certificate::load(&settings, wall_ms())?;
        let limits = settings.limits.clone();
        let descriptors = descriptors::for_connections(limits.connections_max, settings.cores);
        let rules = Rules { origins: origins(&settings), limits, descriptors };
        Ok(Next { settings, access, rules, waiting, certificate })
    }
}

impl Renewal {
    /// Reads the pair for the first time; none where TLS is off.
    ///
    /// # Errors
    /// Which file is not usable, and why.
    pub fn begin(settings: &Settings) -> Result<Option<(Renewal, Arc<ServerConfig>)>, OperatorError> {
        certificate::make_if_missing(settings, wall_ms())?;
        let Some(files) = settings.tls_files() else { return Ok(None) };
        let stamp = certificate::stamp(&files);
        let Some(certificate) = certificate::load(settings, wall_ms())? else { return Ok(None) };
        let terms = Terms::new()?;
        let config = terms.with(certificate.certified.clone())?;
        say("TLS is spoken with this certificate", &certificate);
        let (fingerprint, look_at) = (certificate.fingerprint, Instant::now() + LOOK_EVERY);
        Ok(Some((Renewal { terms, stamp, seen: None, fingerprint, look_at }, config)))
    }

    /// The SHA-256 of the certificate that newcomers are shown.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// When the files are to be looked at next.
    pub fn look_at(&self) -> Instant {
        self.look_at
    }

    /// What was read with everything else.
    pub fn take(&mut self, settings: &Settings, next: &Next) -> Option<Command> {
        self.stamp = certificate::stamp(&settings.tls_files()?);
        self.seen = None;
        self.show(next.certificate.as_ref()?)
    }

    /// Looks whether the files are others than before, once they stay as they are.
    pub fn look(&mut self, settings: &Settings) -> Option<Command> {
        self.look_at = Instant::now() + LOOK_EVERY;
        let now = certificate::stamp(&settings.tls_files()?);
        if now == self.stamp {
            self.seen = None;
            return None;
        }
        if self.seen.as_ref() != Some(&now) {
            self.seen = Some(now);
            return None;
        }
        (self.stamp, self.seen) = (now, None);
        match certificate::load(settings, wall_ms()) {
            Ok(certificate) => self.show(certificate.as_ref()?),
            Err(error) => {
                tracing::error!(%error, "the new certificate is not usable; the old one stays");
                None
            }
        }
    }

    fn show(&mut self, certificate: &Certificate) -> Option<Command> {
        if certificate.fingerprint == self.fingerprint {
            return None;
        }
        match self.terms.with(certificate.certified.clone()) {
            Ok(config) => {
                say("newcomers are shown a new certificate", certificate);
                self.fingerprint = certificate.fingerprint.clone();
                Some(Command::Certify(config))
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate is not usable; the old one stays");
                None
            }
        }
    }
}

fn say(what: &'static str, certificate: &Certificate) {
    let until = certificate::date(certificate.ends_at_ms);
    tracing::info!(sha256 = certificate.fingerprint, until, chain = certificate.chain, "{what}");
    if let Some(doubt) = &certificate.doubt {
        tracing::warn!("{doubt}");
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
