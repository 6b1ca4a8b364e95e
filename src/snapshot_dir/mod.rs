//! Where snapshots are kept: a directory in the state directory, with one file of states and, between two
//! brokers, the mark of a clean stop.
//!
//! Always true: a file takes its name when it is whole and on disk; one that is replaced goes after that. All
//! of it is for its owner only. One broker at a time has the directory.
//!
//! Read first: `snapshot/mod.rs`; then `load.rs` and `write.rs`.

pub mod inspect;
pub mod load;
pub mod write;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::snapshot::Source;
use crate::snapshot::mark::Mark;

const MARK_NAME: &str = "clean-stop";
/// After a `kill -9` the kernel lets go of the directory some milliseconds after the process is gone.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// The directory.
#[derive(Clone, Debug)]
pub struct SnapshotDir {
    path: PathBuf,
}

/// The right to the directory; given back when it is dropped.
pub struct Lock(#[allow(dead_code, reason = "it is held, not read")] Flock<File>);

/// Why there is no right to it.
#[derive(Debug)]
pub enum NoLock {
    /// Another broker has it.
    Taken,
    /// The system does not let us.
    Io(io::Error),
}

impl SnapshotDir {
    /// The one in this state directory.
    pub fn of(state_dir: &Path) -> SnapshotDir {
        SnapshotDir { path: state_dir.join("snapshot") }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it, if it is not there, and takes it for this process.
    ///
    /// # Errors
    /// See [`NoLock`].
    pub fn lock(&self) -> Result<Lock, NoLock> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let until = Instant::now() + LOCK_PATIENCE;
        let mut file = File::open(&self.path)?;
        loop {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Lock(lock)),
                Err((back, Errno::EWOULDBLOCK)) if Instant::now() < until => file = back,
                Err((_, Errno::EWOULDBLOCK)) => return Err(NoLock::Taken),
                Err((_, errno)) => return Err(NoLock::Io(errno.into())),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether a broker has it now.
    pub fn is_locked(&self) -> bool {
        let Ok(file) = File::open(&self.path) else { return false };
        matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    }

    /// The generations there are files of, newest first.
    ///
    /// # Errors
    /// What the system says; that there is no directory is none.
    pub fn generations(&self) -> io::Result<Vec<u64>> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("states-")?.strip_suffix(".lux"));
            found.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(found)
    }

    /// The file of a generation.
    pub fn file(&self, generation: u64) -> PathBuf {
        self.path.join(format!("states-{generation}.lux"))
    }

    /// The mark of a clean stop, if there is one that can be read.
    pub fn mark(&self) -> Option<Mark> {
        fs::read(self.path.join(MARK_NAME)).ok().and_then(|bytes| Mark::read(&bytes))
    }

    /// Takes the mark away, for good: when this returns, no later start finds it.
    ///
    /// # Errors
    /// What the system says. The mark may then be there or not.
    pub fn take_mark(&self) -> io::Result<()> {
        match fs::remove_file(self.path.join(MARK_NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        self.sync()
    }

    /// Leaves a mark.
    ///
    /// # Errors
    /// What the system says; there is none then.
    pub fn put_mark(&self, mark: &Mark) -> io::Result<()> {
        let aside = self.path.join(format!("{MARK_NAME}.new"));
        let mut file = self.create(&aside)?;
        file.write_all(&mark.bytes())?;
        file.sync_all()?;
        fs::rename(&aside, self.path.join(MARK_NAME))?;
        self.sync()
    }

    /// A new file, for its owner only.
    fn create(&self, path: &Path) -> io::Result<File> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// What was renamed or removed in it stays so if the power fails.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

impl Source for File {
    fn len(&self) -> io::Result<u64> {
        self.metadata().map(|data| data.len())
    }

    fn read_at(&self, at: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(buffer, at)
    }
}

impl From<io::Error> for NoLock {
    fn from(error: io::Error) -> NoLock {
        NoLock::Io(error)
    }
}

/// Unix milliseconds, now.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
