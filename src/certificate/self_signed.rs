//! A certificate for a first try: signed by itself, so believed by whoever is told to.
//!
//! Always true: it stays the same over restarts, since it is kept in the state directory; its key is readable by its
//! owner only. One that has expired, or is not whole, is made anew.
//!
//! Read first: `certificate/mod.rs`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair};

use super::read;
use crate::access_file::make_private_dir;
use crate::operator_error::OperatorError;
use crate::settings::{Settings, TlsFiles};

/// How long it is good for.
const LIFE: Duration = Duration::from_secs(2 * 365 * 24 * 3600);
/// A client whose clock is behind believes it all the same.
const BEFORE: Duration = Duration::from_secs(24 * 3600);

/// Makes the pair, if the settings ask for one and there is none that can be used.
///
/// # Errors
/// It cannot be made or kept.
pub fn make_if_missing(settings: &Settings, wall_ms: u64) -> Result<(), OperatorError> {
    let Some(files) = settings.tls_files().filter(|_| settings.tls.self_signed) else { return Ok(()) };
    if read(&files, wall_ms).is_ok_and(|certificate| certificate.ends_at_ms > wall_ms) {
        return Ok(());
    }
    make_private_dir(&settings.state_dir)?;
    make(&files, settings.listen.ip())
}

fn make(files: &TlsFiles, listen: IpAddr) -> Result<(), OperatorError> {
    let refuse = |error: rcgen::Error| {
        OperatorError::new(
            format!("no certificate can be made ({error})"),
            "give one with --tls-cert and --tls-key",
        )
    };
    let mut params = CertificateParams::new(names(listen)).map_err(refuse)?;
    params.distinguished_name.push(DnType::CommonName, "Lux, signed by itself");
    let now = SystemTime::now();
    (params.not_before, params.not_after) = ((now - BEFORE).into(), (now + LIFE).into());
    let key = KeyPair::generate().map_err(refuse)?;
    let certificate = params.self_signed(&key).map_err(refuse)?;
    write(&files.key, &key.serialize_pem())?;
    write(&files.cert, &certificate.pem())
}

/// This machine by every name under which a first try reaches it.
fn names(listen: IpAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned()];
    let host = nix::sys::utsname::uname().ok();
    names.extend(
        host.and_then(|host| host.nodename().to_str().map(str::to_owned)).filter(|name| !name.is_empty()),
    );
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST), listen];
    names.extend(addresses.iter().filter(|address| !address.is_unspecified()).map(IpAddr::to_string));
    names.sort();
    names.dedup();
    names
}

/// Written aside and renamed, so that nobody ever reads half of one.
fn write(path: &Path, text: &str) -> Result<(), OperatorError> {
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&aside, path)).map_err(|error| {
        let message = format!("the certificate cannot be kept in {} ({error})", path.display());
        OperatorError::new(message, "let this user write there, or name another place with --state-dir")
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::certificate::load;

    #[test]
    fn it_is_made_once_and_stays() {
        let temp = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(temp.path().join("state"));
        assert!(make_if_missing(&settings, 0).is_ok() && load(&settings, 0).unwrap().is_none());
        settings.tls.self_signed = true;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        let made = || {
            make_if_missing(&settings, now).unwrap();
            load(&settings, now).unwrap().unwrap()
        };
        let (first, second) = (made(), made());
        assert_eq!((&first.fingerprint, &first.doubt), (&second.fingerprint, &None));
        let key = settings.tls_files().unwrap().key;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&key, "half of").unwrap();
        assert_ne!(made().fingerprint, first.fingerprint, "made anew");
        let late = now + 3 * LIFE.as_millis() as u64;
        make_if_missing(&settings, late).unwrap();
        assert_ne!(load(&settings, now).unwrap().unwrap().fingerprint, first.fingerprint);
    }
}
