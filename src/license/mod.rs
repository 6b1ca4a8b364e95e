//! The license: found, verified without a network, said in the log.
//!
//! Always true: whatever is wrong with a license, the broker runs, as an evaluation. Nothing here opens a
//! connection, and nothing but `show`, `/metrics` and the log asks what was found.
//!
//! Read first: `terms.rs`; then `text.rs` for the file, `vendor.rs` for the keys, `host.rs` for the fingerprint.

pub mod host;
pub mod text;
pub mod vendor;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::access::keyfile::format_time;
use crate::operator_error::OperatorError;
use crate::settings::Settings;
use crate::terms::{Held, Standing, Terms};
use text::Refusal;
use vendor::VendorKey;

/// Its name inside the state directory.
pub const FILE_NAME: &str = "license";
/// Where else it is looked for, behind the state directory.
pub const SYSTEM_FILE: &str = "/etc/lux/license";

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No file: an evaluation.
    Nothing,
    /// A file that is no license of the vendor's, and what to do: an evaluation too.
    Unusable(OperatorError),
    /// A license, in force or not.
    License(License),
}

/// A verified license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct License {
    /// What it says.
    pub terms: Terms,
    /// Where it is.
    pub file: PathBuf,
    /// With whose key it was verified, if not with the vendor's.
    pub other_key: Option<PathBuf>,
}

/// Looks where these settings say, or else in the state directory and in `/etc/lux`.
pub fn find(settings: &Settings) -> Found {
    let places = match &settings.license {
        Some(path) => vec![path.clone()],
        None => vec![settings.state_dir.join(FILE_NAME), PathBuf::from(SYSTEM_FILE)],
    };
    for path in places {
        match read_file(&path) {
            Ok(bytes) => return judge(&bytes, &path, settings.vendor_key.as_deref()),
            // The usual places may be empty, or closed to whoever only tries Lux; what was named should be there.
            Err(_) if settings.license.is_none() && fs::metadata(&path).is_err() => {}
            Err(error) => return Found::Unusable(unreadable(&path, &error)),
        }
    }
    Found::Nothing
}

/// Finds the license, says it in one line of the log, and gives what the cores show of it.
pub fn find_and_log(settings: &Settings) -> Option<Arc<Held>> {
    match find(settings) {
        Found::Nothing => {
            tracing::info!("no license: this is an evaluation, which lacks nothing");
            None
        }
        Found::Unusable(error) => {
            tracing::warn!(%error, "the license is not usable; Lux runs as an evaluation, which lacks nothing");
            None
        }
        Found::License(license) => {
            log(&license);
            Some(Arc::new(Held { is_vendors: license.other_key.is_none(), terms: license.terms }))
        }
    }
}

fn log(license: &License) {
    let License { terms, other_key, .. } = license;
    let (customer, tier, expires) = (&*terms.customer, &*terms.tier, format_time(terms.expires_at_ms));
    if let Some(key) = other_key {
        let key = key.display();
        tracing::warn!(%key, "the license was verified with a key from a file, not with the vendor's");
    }
    match terms.standing(wall_ms()) {
        Standing::Valid => tracing::info!(customer, tier, expires, "licensed"),
        Standing::Early => {
            let issued = format_time(terms.issued_at_ms);
            tracing::warn!(
                customer,
                tier,
                issued,
                "the license is from the future; see this machine's clock"
            );
        }
        Standing::Grace => {
            let grace_ends = format_time(terms.grace_ends_at_ms());
            let contact = &*terms.contact;
            tracing::warn!(customer, tier, expires, grace_ends, contact, "the license has ended; renew it");
        }
        Standing::Expired => {
            let contact = &*terms.contact;
            tracing::warn!(
                customer,
                tier,
                expires,
                contact,
                "the license has ended, and its grace; nothing stops"
            );
        }
    }
}

fn judge(bytes: &[u8], path: &Path, other_key: Option<&Path>) -> Found {
    let key = match other_key.map(VendorKey::of_file).transpose() {
        Ok(key) => key.unwrap_or_else(VendorKey::built_in),
        Err(error) => return Found::Unusable(error),
    };
    match text::read(bytes, &key) {
        Ok(terms) => {
            Found::License(License { terms, file: path.to_owned(), other_key: other_key.map(Path::to_owned) })
        }
        Err(refusal) => {
            let message = format!("{} is no license that holds: {refusal}", path.display());
            Found::Unusable(OperatorError::new(message, remedy(&refusal)))
        }
    }
}

fn remedy(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::OtherVersion(_) => "use a newer Lux, or ask the vendor for one that this Lux knows",
        Refusal::TooLarge | Refusal::NoLicense => "name the file that the vendor sent",
        Refusal::NotText | Refusal::Unsigned | Refusal::NotTheVendors => {
            "put the vendor's file there as it came, byte for byte"
        }
        Refusal::Line(..) | Refusal::Twice(_) | Refusal::Missing(_) | Refusal::NoTime => {
            "ask the vendor for another"
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> OperatorError {
    let message = format!("the license in {} cannot be read ({error})", path.display());
    OperatorError::new(message, "let the user that Lux runs as read it, or name another with --license")
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than a license may have tells that it is none.
    File::open(path)?.take(text::FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Unix milliseconds, now.
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::vendor::SigningKey;
    use super::*;

    fn terms(customer: &str) -> Terms {
        Terms {
            id: "lux-1".to_owned(),
            customer: customer.to_owned(),
            entitlement: "production".to_owned(),
            tier: "team".to_owned(),
            issued_at_ms: 1_000,
            expires_at_ms: 2_000,
            contact: "help@vendor.example".to_owned(),
            others: vec![],
        }
    }

    #[test]
    fn the_file_that_was_named_comes_first_and_must_be_there() {
        let temp = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(temp.path().join("state"));
        let key = SigningKey::make().unwrap();
        let public = temp.path().join("vendor.pub");
        fs::write(&public, key.vendor_key().hex() + "\n").unwrap();
        settings.vendor_key = Some(public.clone());
        fs::create_dir(&settings.state_dir).unwrap();
        fs::write(settings.state_dir.join(FILE_NAME), text::write(&terms("ours"), &key).unwrap()).unwrap();
        let customer = |found: Found| match found {
            Found::License(license) => {
                assert_eq!(license.other_key, Some(public.clone()));
                license.terms.customer
            }
            Found::Nothing => "nobody".to_owned(),
            Found::Unusable(error) => error.to_string(),
        };
        assert_eq!(customer(find(&settings)), "ours");
        let named = temp.path().join("named");
        settings.license = Some(named.clone());
        assert!(customer(find(&settings)).contains("cannot be read"));
        fs::write(&named, text::write(&terms("theirs"), &key).unwrap()).unwrap();
        assert_eq!(customer(find(&settings)), "theirs");
        settings.vendor_key = Some(temp.path().join("no.key"));
        assert!(customer(find(&settings)).contains("no.key"));
        settings.vendor_key = None;
        assert!(customer(find(&settings)).contains("does not fit"));
    }

    #[test]
    fn a_huge_file_and_a_directory_are_no_licenses() {
        let temp = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(temp.path().to_owned());
        settings.license = Some(temp.path().to_owned());
        assert!(matches!(find(&settings), Found::Unusable(_)));
        settings.license = Some(PathBuf::from("/dev/zero"));
        assert!(matches!(find(&settings), Found::Unusable(_)), "and it is not read to its end");
    }
}
