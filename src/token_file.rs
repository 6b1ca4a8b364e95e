//! Files of keys that tokens are checked with: the broker's own in the state directory, and those that `[tokens]` names.
//!
//! Always true: the broker's own secret is made once, readable by its owner only, and stays until somebody takes it
//! away; whoever can read it can make tokens.
//!
//! Read first: `access/token/keyset.rs`, `settings/tokens.rs`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::access::token::{Algorithm, KeySet, TokenKey, Tokens, parse_keys, secret_key_text};
use crate::access_file;
use crate::operator_error::OperatorError;
use crate::settings::Settings;

/// The name of the file with the broker's own secrets, inside the state directory.
pub const OWN_KEYS_FILE_NAME: &str = "token-keys.json";
/// As long as what HS256 makes of it.
const SECRET_BYTES: usize = 32;

/// Keys, and the file they are from.
pub struct KeyFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub set: KeySet,
}

/// Where the broker's own secrets are.
pub fn own_keys_file(settings: &Settings) -> PathBuf {
    settings.state_dir.join(OWN_KEYS_FILE_NAME)
}

/// Makes the broker's own secret, if there is none yet; whether it did.
///
/// # Errors
/// It cannot be written, or there is no randomness.
pub fn make_own_key(settings: &Settings) -> Result<bool, OperatorError> {
    let path = own_keys_file(settings);
    if path.exists() {
        return Ok(false);
    }
    let mut secret = [0; SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(|error| {
        OperatorError::new(format!("the system gives no random bytes ({error})"), "let Lux call getrandom(2)")
    })?;
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(|error| {
        OperatorError::new(format!("the system gives no random bytes ({error})"), "let Lux call getrandom(2)")
    })?;
    let kid: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    access_file::write_if_absent(&path, &secret_key_text(&kid, &secret))
}

/// The broker's own secrets; none where there is no file.
///
/// # Errors
/// The file cannot be read, or its line and what to write there.
pub fn read_own_keys(settings: &Settings) -> Result<Option<KeyFile>, OperatorError> {
    let path = own_keys_file(settings);
    let Some(file) = read_file(&path, true)? else { return Ok(None) };
    let signs = |key: &TokenKey| key.algorithm() == Algorithm::Hs256 && key.kid().is_some();
    match file.set.keys.iter().all(signs) && file.set.left_out.is_empty() {
        true => Ok(Some(file)),
        false => Err(OperatorError::new(
            format!("{} holds more than secrets for HS256 with a kid", path.display()),
            "keep keys of others in files of their own, named by `keys` under [tokens]",
        )),
    }
}

/// The files of keys that the settings name.
///
/// # Errors
/// As [`read_own_keys`].
pub fn read_other_keys(settings: &Settings) -> Result<Vec<KeyFile>, OperatorError> {
    let read = |path: &PathBuf| read_file(path, false).map(Option::into_iter);
    settings
        .tokens
        .keys_files
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.into_iter().flatten().collect())
}

/// Everything that tokens are checked with; called again on SIGHUP.
///
/// # Errors
/// As [`read_own_keys`]. A broker that runs keeps its old keys.
pub fn load_tokens(settings: &Settings) -> Result<Tokens, OperatorError> {
    let rule = settings.tokens.rule.clone();
    let own = read_own_keys(settings)?.map(|file| file.set.keys).unwrap_or_default();
    let others = read_other_keys(settings)?.into_iter().flat_map(|file| file.set.keys).collect();
    Ok(Tokens::default().with_own(own, rule.longest_life_ms).with_others(others, rule))
}

fn read_file(path: &Path, may_lack: bool) -> Result<Option<KeyFile>, OperatorError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let set = parse_keys(&text).map_err(|fault| fault.in_file(path))?;
            Ok(Some(KeyFile { path: path.to_owned(), set }))
        }
        Err(error) if may_lack && error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(OperatorError::new(
            format!("the token keys in {} cannot be read ({error})", path.display()),
            "let the user that Lux runs as read it, or name another file under [tokens]",
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::key::Pattern;

    const NOW: u64 = 1_782_000_000_000;

    #[test]
    fn the_own_key_is_made_once_and_for_its_owner_only() {
        let temp = tempfile::tempdir().unwrap();
        let settings = Settings::new(temp.path().join("state"));
        assert!(read_own_keys(&settings).unwrap().is_none());
        assert_eq!((make_own_key(&settings), make_own_key(&settings)), (Ok(true), Ok(false)));
        let mode = fs::metadata(own_keys_file(&settings)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let tokens = load_tokens(&settings).unwrap();
        let minted = tokens.mint(&[Pattern::ALL], 60_000, NOW, None).unwrap();
        let again = load_tokens(&settings).unwrap().verify(&minted.token, NOW + 59_999).unwrap();
        assert_eq!(again.expires_at_ms, NOW + 60_000);
    }

    #[test]
    fn a_bad_file_is_named_with_its_line() {
        let temp = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(temp.path().to_owned());
        let path = temp.path().join("jwks.json");
        settings.tokens.keys_files = vec![path.clone()];
        assert!(load_tokens(&settings).unwrap_err().message.contains("jwks.json cannot be read"));
        fs::write(&path, "{\"keys\":[\n{\"kty\":\"oct\",\"k\":\"c2hvcnQ\",\"kid\":\"old\"}\n]}").unwrap();
        let error = load_tokens(&settings).unwrap_err();
        assert!(error.message.contains("jwks.json, line 2: key 1 (`old`)"), "{error}");
        assert!(error.remedy.contains("32 bytes") && !error.to_string().contains("c2hvcnQ"), "{error}");
        fs::write(own_keys_file(&settings), "{\"keys\":[]}").unwrap();
        assert!(read_own_keys(&settings).err().unwrap().message.contains("token-keys.json, line 1"));
    }
}
