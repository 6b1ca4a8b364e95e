//! The key file on disk: read for the broker, changed for `lux key`.
//!
//! Always true: a reader sees the old file or the new one, never half of one; the file is readable by its
//! owner only; of two programs that change it at once, none loses the other's change.
//!
//! Read first: `access/keyfile.rs`, `settings/mod.rs`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::Uid;

use crate::access::{Access, Grant, KeyEntry, keyfile};
use crate::operator_error::OperatorError;
use crate::settings::Settings;
use crate::token_file::load_tokens;
use crate::toml_lines::Fault;

/// The name in logs of the key that came as `LUX_API_KEY`.
pub const ENVIRONMENT_KEY_NAME: &str = "LUX_API_KEY";

/// The table of keys that these settings ask for, and whose tokens are believed; called again on SIGHUP.
///
/// # Errors
/// The key file cannot be read, or its line and what to write there. A broker that runs keeps its old table.
pub fn load_access(settings: &Settings) -> Result<Access, OperatorError> {
    if settings.insecure_open {
        return Ok(Access::open().with_tokens(load_tokens(settings)?));
    }
    let environment = settings.environment_key.as_ref().map(|secret| KeyEntry {
        name: ENVIRONMENT_KEY_NAME.to_owned(),
        hash: secret.hash(),
        grant: Grant::all(),
        expires_at_ms: None,
    });
    // The environment's key stands first: if the file knows the same secret, it must not narrow it.
    let keys = environment.into_iter().chain(read_keys(&settings.keys_file)?).collect();
    Ok(Access::new(keys).with_tokens(load_tokens(settings)?))
}

/// The file's entries; none if there is no file.
///
/// # Errors
/// As [`load_access`].
pub fn read_keys(path: &Path) -> Result<Vec<KeyEntry>, OperatorError> {
    keyfile::parse(&read_text(path)?).map_err(|fault| fault.in_file(path))
}

/// Adds an entry. Makes the file, and its directory, if they are not there.
///
/// # Errors
/// The name is taken, or the file cannot be read or written.
pub fn add_key(path: &Path, entry: KeyEntry) -> Result<(), OperatorError> {
    change(path, |text| {
        let taken = keyfile::parse(text)?.iter().any(|known| known.name == entry.name);
        if taken { Ok(None) } else { keyfile::with_added(text, entry.clone()).map(Some) }
    })?
    .ok_or_else(|| {
        let message = format!("{} has a key `{}` already", path.display(), entry.name);
        OperatorError::new(message, format!("choose another name, or first `lux key revoke {}`", entry.name))
    })
}

/// Takes the entry of this name out; the rest of the file stays as it is.
///
/// # Errors
/// There is no such name, or the file cannot be read or written.
pub fn revoke_key(path: &Path, name: &str) -> Result<(), OperatorError> {
    change(path, |text| keyfile::without(text, name))?.ok_or_else(|| {
        let message = format!("{} has no key `{name}`", path.display());
        OperatorError::new(message, "see which there are with `lux key list`")
    })
}

/// Writes a file for its owner only, unless there is one by then; whether it did.
///
/// # Errors
/// It cannot be written.
pub fn write_if_absent(path: &Path, text: &str) -> Result<bool, OperatorError> {
    let directory = directory_of(path);
    make_private_dir(&directory)?;
    let _lock = lock(&directory).map_err(|error| cannot_write(path, &error))?;
    if path.exists() {
        return Ok(false);
    }
    write_aside(path, text).map(|()| true).map_err(|error| cannot_write(path, &error))
}

/// Makes a directory that only its owner may enter, with those above it; one that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn make_private_dir(path: &Path) -> Result<(), OperatorError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let message = format!("the directory {} cannot be made ({error})", path.display());
        OperatorError::new(message, "make it, or name another with --state-dir")
    })
}

/// Reads the text, lets `edit` make the next one, and puts that in its place; `None` where `edit` makes none.
fn change(
    path: &Path,
    edit: impl Fn(&str) -> Result<Option<String>, Fault>,
) -> Result<Option<()>, OperatorError> {
    let directory = directory_of(path);
    make_private_dir(&directory)?;
    let _lock = lock(&directory).map_err(|error| cannot_write(path, &error))?;
    let text = read_text(path)?;
    match edit(&text).map_err(|fault| fault.in_file(path))? {
        None => Ok(None),
        Some(next) => write_aside(path, &next).map(Some).map_err(|error| cannot_write(path, &error)),
    }
}

fn read_text(path: &Path) -> Result<String, OperatorError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(OperatorError::new(
            format!("the keys in {} cannot be read ({error})", path.display()),
            "let the user that Lux runs as read it, or name another file with --keys",
        )),
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> OperatorError {
    let message = format!("the keys cannot be written to {} ({error})", path.display());
    let remedy = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room on that disk; the keys that are there stay as they were"
        }
        _ => "let this user write there, or name another place with --state-dir or --keys",
    };
    OperatorError::new(message, remedy)
}

/// The lock is on the directory, since the file itself is replaced.
fn lock(directory: &Path) -> io::Result<Flock<File>> {
    Flock::lock(File::open(directory)?, FlockArg::LockExclusive).map_err(|(_, errno)| errno.into())
}

/// Writes beside the file and renames over it, so that power may fail at any moment.
fn write_aside(path: &Path, text: &str) -> io::Result<()> {
    // A link is followed, or the rename would put a file in the link's place.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let aside = path.with_file_name(name);
    // What an earlier attempt may have left could have another mode.
    let _ = fs::remove_file(&aside);
    write_whole(&aside, text, &path).and_then(|()| fs::rename(&aside, &path)).inspect_err(|_| {
        // Half a file helps nobody, least of all on a disk that is full.
        let _ = fs::remove_file(&aside);
    })?;
    File::open(directory_of(&path))?.sync_all()
}

fn write_whole(aside: &Path, text: &str, target: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(aside)?;
    file.write_all(text.as_bytes())?;
    leave_to_its_owner(&file, target)?;
    file.sync_all()
}

/// Root changes the keys of a broker that runs as another user, and must not lock it out: what is new belongs
/// to whoever owned the old file, or owns the directory.
fn leave_to_its_owner(file: &File, path: &Path) -> io::Result<()> {
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let before = fs::metadata(path).or_else(|_| fs::metadata(directory_of(path)))?;
    fchown(file, Some(before.uid()), Some(before.gid()))
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::access::{Secret, hash};
    use crate::key::Pattern;

    const SECRET: &str = "lux_some-secret-or-other";

    fn entry(name: &str) -> KeyEntry {
        let grant = Grant { read: vec![Pattern::ALL], write: vec![] };
        KeyEntry { name: name.to_owned(), hash: hash(name), grant, expires_at_ms: None }
    }

    fn names(path: &Path) -> Vec<String> {
        read_keys(path).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn keys_come_and_go_and_others_stay() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("deep/er/keys.toml");
        assert!(read_keys(&path).unwrap().is_empty());
        add_key(&path, entry("a")).unwrap();
        add_key(&path, entry("b")).unwrap();
        assert!(add_key(&path, entry("a")).unwrap_err().remedy.contains("revoke a"));
        revoke_key(&path, "a").unwrap();
        assert_eq!(names(&path), ["b"]);
        assert!(revoke_key(&path, "a").unwrap_err().remedy.contains("lux key list"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("keys.toml");
        std::thread::scope(|scope| {
            for at in 0..8 {
                let path = &path;
                scope.spawn(move || add_key(path, entry(&format!("key-{at}"))).unwrap());
            }
        });
        assert_eq!(names(&path).len(), 8);
    }

    #[test]
    fn a_link_stays_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("real.toml"), temp.path().join("keys.toml"));
        add_key(&real, entry("a")).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        add_key(&link, entry("b")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(&real), ["a", "b"]);
    }

    #[test]
    fn root_leaves_the_file_to_whoever_owns_the_directory() {
        if !Uid::effective().is_root() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("keys.toml");
        std::os::unix::fs::chown(temp.path(), Some(61_007), Some(61_008)).unwrap();
        let owner = || {
            let of_file = fs::metadata(&path).unwrap();
            (of_file.uid(), of_file.gid())
        };
        add_key(&path, entry("a")).unwrap();
        assert_eq!(owner(), (61_007, 61_008), "as the directory");
        std::os::unix::fs::chown(&path, Some(61_009), None).unwrap();
        revoke_key(&path, "a").unwrap();
        assert_eq!(owner(), (61_009, 61_008), "as the file was");
    }

    #[test]
    fn the_environment_key_stands_beside_the_files() {
        let temp = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(temp.path().to_owned());
        let file_key = KeyEntry { hash: hash(SECRET), ..entry("narrow") };
        add_key(&settings.keys_file, file_key).unwrap();
        let access = load_access(&settings).unwrap();
        let narrow = access.identify(Some(SECRET), 0).unwrap();
        assert_eq!(access.name(&narrow), "narrow");
        settings.environment_key = Some(Secret::parse(SECRET).unwrap());
        let access = load_access(&settings).unwrap();
        assert_eq!(access.name(&access.identify(Some(SECRET), 0).unwrap()), ENVIRONMENT_KEY_NAME);
        settings.insecure_open = true;
        assert!(load_access(&settings).unwrap().is_open());
    }

    #[test]
    fn a_broken_file_is_named_with_its_line_and_is_not_written_over() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("keys.toml");
        fs::write(&path, "# ours\n[[key]]\nname = 3\n").unwrap();
        let error = add_key(&path, entry("a")).unwrap_err();
        assert!(error.message.contains("keys.toml, line 3"), "{error}");
        assert!(fs::read_to_string(&path).unwrap().starts_with("# ours"));
    }
}
