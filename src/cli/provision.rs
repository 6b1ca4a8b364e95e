//! The first key: made when a broker starts and knows none, so that it never has to run open.
//!
//! Always true: the secret is shown once and kept nowhere; a start that fails takes its key back, since
//! nobody has seen it.
//!
//! Read first: `access_file.rs`, `access/secret.rs`.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};

use crate::access::{Grant, KeyEntry, SECRET_RANDOM_BYTES, Secret, make_secret};
use crate::access_file::{add_key, read_keys, revoke_key};
use crate::operator_error::OperatorError;
use crate::runtime::Broker;
use crate::settings::Settings;

/// What the first key is called in the key file.
pub const FIRST_KEY_NAME: &str = "first";

/// A secret out of the system's randomness.
///
/// # Errors
/// The system has none, as in a container with a very old kernel.
pub fn new_secret() -> Result<Secret, OperatorError> {
    let mut random = [0; SECRET_RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| {
        OperatorError::new(format!("the system gives no random bytes ({error})"), "let Lux call getrandom(2)")
    })?;
    Ok(make_secret(random))
}

/// Makes the first key if these settings know none, and adds its hash to the key file.
///
/// # Errors
/// The key file cannot be read or written.
pub fn make_first_key(settings: &Settings) -> Result<Option<Secret>, OperatorError> {
    let configured = settings.insecure_open || settings.environment_key.is_some();
    if configured || !read_keys(&settings.keys_file)?.is_empty() {
        return Ok(None);
    }
    let secret = new_secret()?;
    let entry = KeyEntry {
        name: FIRST_KEY_NAME.to_owned(),
        hash: secret.hash(),
        grant: Grant::all(),
        expires_at_ms: None,
    };
    add_key(&settings.keys_file, entry)?;
    Ok(Some(secret))
}

/// Takes the first key back, because the start failed before anybody saw it.
pub fn take_back_first_key(settings: &Settings) {
    // The start's own error is what the operator must hear; a key that nobody knows does no harm.
    let _ = revoke_key(&settings.keys_file, FIRST_KEY_NAME);
}

/// Where this machine reaches a broker, and how it believes it.
pub struct Place {
    /// Scheme, host and port.
    pub url: String,
    scheme: &'static str,
    /// The certificate to believe, and its SHA-256, where TLS is spoken.
    tls: Option<(PathBuf, String)>,
}

impl Place {
    /// Of a broker that runs.
    pub fn of(broker: &Broker) -> Place {
        let tls = broker.certificate().map(|(cert, fingerprint)| (cert, fingerprint.to_owned()));
        let scheme = if tls.is_some() { "https" } else { "http" };
        Place { url: reachable_url(scheme, broker.address()), scheme, tls }
    }

    /// What curl is to be told beside the address.
    fn curl_flags(&self) -> String {
        self.tls.as_ref().map_or_else(String::new, |(cert, _)| format!(" --cacert {}", cert.display()))
    }
}

/// Says where the broker listens, in one write: whoever reads along never sees half an address.
pub fn say_address(place: &Place, address: SocketAddr) {
    let mut line = format!("listening on {}://{address}\n", place.scheme);
    if let Some((cert, fingerprint)) = &place.tls {
        line.push_str(&format!("certificate {}, SHA-256 {fingerprint}\n", cert.display()));
    }
    // Where nobody reads standard error any more there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Shows the first key, this once, with what to do with it.
pub fn show_first_key(secret: &Secret, place: &Place, keys_file: &Path) {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let key_style = AnsiColor::Yellow.on_default().bold();
    let (key, url) = (secret.reveal(), &place.url);
    anstream::eprintln!(
        "\n{bold}No API key is configured, so Lux made one. It is shown this once:{bold:#}\n\n  \
         {key_style}{key}{key_style:#}\n\n\
         Write a state:\n  {}\n\
         Watch it live:\n  {url}/  {dim}(the console asks for the key){dim:#}\n\
         {dim}Only its hash is kept, in {}. `lux key add` makes more.{dim:#}\n",
        curl_line(place, key),
        keys_file.display(),
    );
}

/// A line that can be pasted into a shell and writes a first state.
pub fn curl_line(place: &Place, key: &str) -> String {
    let (url, flags) = (&place.url, place.curl_flags());
    format!(
        "curl{flags} -X PUT {url}/api/lux/dashboard-main -H 'Authorization: Bearer {key}' -d \
         '{{\"data\":{{\"orders_per_second\":42}}}}'"
    )
}

/// Where this machine reaches a broker that listens here: "any address" is no address to connect to.
fn reachable_url(scheme: &str, address: SocketAddr) -> String {
    let reachable = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, v6.port())),
        SocketAddr::V4(_) | SocketAddr::V6(_) => address,
    };
    format!("{scheme}://{reachable}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_file::load_access;

    #[test]
    fn the_first_start_makes_a_key_that_may_do_everything_and_the_second_none() {
        let temp = tempfile::tempdir().unwrap();
        let settings = Settings::new(temp.path().join("state"));
        let secret = make_first_key(&settings).unwrap().unwrap();
        let access = load_access(&settings).unwrap();
        let holder = access.identify(Some(secret.reveal()), 0).unwrap();
        assert!(access.may_read(&holder, &crate::key::Pattern::ALL));
        assert_eq!(make_first_key(&settings).unwrap(), None);
        let text = std::fs::read_to_string(&settings.keys_file).unwrap();
        assert!(!text.contains(secret.reveal()), "the secret is kept nowhere");
    }

    #[test]
    fn a_failed_start_takes_its_key_back() {
        let temp = tempfile::tempdir().unwrap();
        let settings = Settings::new(temp.path().to_owned());
        let first = make_first_key(&settings).unwrap().unwrap();
        take_back_first_key(&settings);
        let second = make_first_key(&settings).unwrap().unwrap();
        assert!(first != second);
    }

    #[test]
    fn whoever_brings_a_key_or_opens_the_door_gets_none() {
        let temp = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(temp.path().to_owned());
        settings.environment_key = Some(new_secret().unwrap());
        assert_eq!(make_first_key(&settings).unwrap(), None);
        settings.environment_key = None;
        settings.insecure_open = true;
        assert_eq!(make_first_key(&settings).unwrap(), None);
        assert!(!settings.keys_file.exists());
    }

    #[test]
    fn any_address_is_reached_on_this_machine() {
        let url = |text: &str| reachable_url("http", text.parse().unwrap());
        assert_eq!(url("0.0.0.0:7373"), "http://127.0.0.1:7373");
        assert_eq!(url("[::]:7373"), "http://[::1]:7373");
        assert_eq!(url("192.0.2.7:80"), "http://192.0.2.7:80");
    }

    #[test]
    fn a_pasted_line_believes_the_certificate() {
        let tls = Some((PathBuf::from("state/self-signed.pem"), "AB:CD".to_owned()));
        let place = Place { url: "https://127.0.0.1:7373".to_owned(), scheme: "https", tls };
        let line = curl_line(&place, "k");
        assert!(
            line.starts_with("curl --cacert state/self-signed.pem -X PUT https://127.0.0.1:7373/api"),
            "{line}"
        );
    }
}
