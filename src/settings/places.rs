//! Where things are kept on this machine unless told otherwise.
//!
//! Always true: the environment is read once, by [`Places::of_environment`], and handed on from there.
//!
//! Read first: `settings/mod.rs`.

use std::env;
use std::path::PathBuf;

/// The directories that the environment names.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `STATE_DIRECTORY`, which systemd sets for a unit with `StateDirectory=`; several are split by colons.
    pub systemd_state: Option<String>,
    /// `XDG_STATE_HOME`.
    pub xdg_state: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
}

impl Places {
    /// What this process's environment says.
    pub fn of_environment() -> Places {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Places {
            systemd_state: env::var("STATE_DIRECTORY").ok().filter(|value| !value.is_empty()),
            xdg_state: path("XDG_STATE_HOME"),
            home: path("HOME"),
        }
    }

    /// Where Lux keeps its state by default: systemd's, the user's, or the system's.
    pub fn state_dir(&self) -> PathBuf {
        if let Some(first) = self.systemd_state.as_deref().and_then(|list| list.split(':').next()) {
            return PathBuf::from(first);
        }
        // The XDG specification: a relative path counts as none.
        let xdg = self.xdg_state.as_ref().filter(|path| path.is_absolute()).map(|path| path.join("lux"));
        let home = || self.home.as_ref().map(|path| path.join(".local/state/lux"));
        xdg.or_else(home).unwrap_or_else(|| PathBuf::from("/var/lib/lux"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_place_wins() {
        let mut places = Places {
            systemd_state: Some("/var/lib/lux-a:/var/lib/other".to_owned()),
            xdg_state: Some(PathBuf::from("/xdg")),
            home: Some(PathBuf::from("/home/me")),
        };
        assert_eq!(places.state_dir(), PathBuf::from("/var/lib/lux-a"));
        places.systemd_state = None;
        assert_eq!(places.state_dir(), PathBuf::from("/xdg/lux"));
        places.xdg_state = Some(PathBuf::from("relative"));
        assert_eq!(places.state_dir(), PathBuf::from("/home/me/.local/state/lux"));
        assert_eq!(Places::default().state_dir(), PathBuf::from("/var/lib/lux"));
    }
}
