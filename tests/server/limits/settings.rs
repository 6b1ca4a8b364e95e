//! Where limits are set: the file, the environment, the command line.
//!
//! Always true: a flag wins over the environment, that over the file; a mistake is refused with one
//! sentence, not guessed at.
//!
//! Read first: `limits/mod.rs`.

use crate::harness::{Setup, put};

#[track_caller]
fn assert_nesting_of(setup: Setup, levels: usize) {
    let broker = setup.start();
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    broker.ask(put("n", &nested(levels))).expect(201);
    broker.ask(put("n", &nested(levels + 1))).trouble(413).names(levels);
    broker.stop();
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = || Setup::cores(1).limit("nesting", "10");
    assert_nesting_of(file(), 10);
    assert_nesting_of(file().env("LUX_LIMITS", "nesting=11"), 11);
    assert_nesting_of(file().env("LUX_LIMITS", "nesting=11").args(&["--limit", "nesting=12"]), 12);
}

#[test]
fn a_setting_that_is_wrong_is_said_in_one_sentence() {
    for setup in [
        Setup::cores(1).limit("nestin", "10"),
        Setup::cores(1).limit("nesting", "many"),
        Setup::cores(1).args(&["--limit", "nesting=0"]),
        Setup::cores(1).args(&["--allow-origin", "not an origin"]),
        Setup::cores(1).args(&["--config", "/nonexistent/lux.toml"]),
        Setup::cores(0),
    ] {
        let (code, stderr) = setup.start_refused();
        assert_eq!(code, 2, "{stderr}");
        assert!(!stderr.contains("panicked") && !stderr.trim().is_empty(), "{stderr}");
        assert!(stderr.lines().count() <= 8, "short: {stderr}");
    }
}
