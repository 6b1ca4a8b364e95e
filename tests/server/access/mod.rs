//! Who may do what: keys, grants, the key file, origins.
//!
//! Always true: who may not is told so, and learns nothing else: neither whether a key has a state, nor
//! anything of a secret.
//!
//! Read first: `harness/broker.rs`.

mod bearer;
mod first_start;
mod grants;
mod origins;
mod reload;
mod secrecy;
mod tokens;

use std::path::Path;

use crate::harness::{Broker, Setup, run_lux};

/// Makes a key in this file with `lux key add`: the secret.
#[track_caller]
fn add_key(file: &Path, name: &str, grant: &[&str]) -> String {
    let file = file.to_str().unwrap();
    let args = [&["key", "add", name, "--keys", file], grant].concat();
    let output = run_lux(&args, &[("HOME", "/nonexistent")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "lux key add: {stderr}");
    let secret = String::from_utf8(output.stdout).unwrap().trim().to_string();
    assert!((16..=128).contains(&secret.len()), "a key of {} characters", secret.len());
    secret
}

/// Takes a key out of this file with `lux key revoke`.
#[track_caller]
fn revoke_key(file: &Path, name: &str) {
    let output =
        run_lux(&["key", "revoke", name, "--keys", file.to_str().unwrap()], &[("HOME", "/nonexistent")]);
    assert!(output.status.success(), "lux key revoke: {}", String::from_utf8_lossy(&output.stderr));
}

/// A broker with a key file, and the secrets of the keys that were asked for.
#[track_caller]
fn broker_with_keys(cores: usize, keys: &[(&str, &[&str])]) -> (Broker, tempfile::TempDir, Vec<String>) {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("keys.toml");
    let secrets = keys.iter().map(|(name, grant)| add_key(&file, name, grant)).collect();
    let broker = Setup::cores(cores).args(&["--keys", file.to_str().unwrap()]).start();
    (broker, home, secrets)
}
