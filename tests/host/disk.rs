//! A disk that is full, or may not be written.
//!
//! Always true: keys that are there stay there and go on counting; what could not be kept is not shown.
//!
//! Read first: `help/rights.rs`.

use std::process::Command;

use crate::harness::API_KEY;
use crate::help::rights::{is_root, skip};

/// Runs lines of shell in a mount namespace of their own: in it `$DISK` is a disk of 64 KiB, and `$LUX` the
/// program. Gives back what they said.
#[track_caller]
fn on_a_small_disk(lines: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=64k,mode=755 lux-test \"$DISK\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-ec", &format!("{mount}\n{lines}")])
        .env_remove("LUX_API_KEY")
        .env("DISK", home.path())
        .env("LUX", env!("CARGO_BIN_EXE_lux"))
        .output()
        .expect("unshare runs");
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8(text).expect("UTF-8");
    assert!(output.status.success(), "{lines}\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn may_mount() -> bool {
    if !is_root() {
        skip("to mount a disk takes root");
        return false;
    }
    let probe = Command::new("unshare").args(["--mount", "true"]).status();
    let may = probe.is_ok_and(|status| status.success());
    if !may {
        skip("no mount namespace can be made");
    }
    may
}

const FILL: &str = "dd if=/dev/zero of=\"$DISK/filler\" bs=4k status=none 2>/dev/null || true";

#[test]
fn a_full_disk_takes_no_key_away() {
    if !may_mount() {
        return;
    }
    let said = on_a_small_disk(&format!(
        r#"
        "$LUX" key add wall --read 'a*' --state-dir "$DISK" >/dev/null 2>&1
        cp "$DISK/keys.toml" "$DISK/../keys.before.$$"
        {FILL}
        "$LUX" key add late --read 'b*' --state-dir "$DISK" || echo "add ended with $?"
        "$LUX" key revoke wall --state-dir "$DISK" || echo "revoke ended with $?"
        cmp "$DISK/keys.toml" "$DISK/../keys.before.$$" && echo 'the keys are as they were'
        ls -A "$DISK" | tr '\n' ' '; echo
        rm "$DISK/filler" "$DISK/../keys.before.$$"
        "$LUX" key add late --read 'b*' --state-dir "$DISK" >/dev/null && echo 'there is room again'
        "$LUX" key list --state-dir "$DISK"
        "#
    ));
    for line in
        ["add ended with 2", "revoke ended with 2", "the keys are as they were", "there is room again"]
    {
        assert!(said.contains(line), "{line}:\n{said}");
    }
    assert_eq!(said.matches("No space left on device").count(), 2, "{said}");
    assert!(said.contains("make room"), "the remedy is the one for a full disk:\n{said}");
    assert!(!said.contains("lux_"), "no key is shown that was not kept:\n{said}");
    assert!(!said.contains("keys.toml.new"), "half a file is not left behind:\n{said}");
    assert!(said.contains("wall") && said.contains("late"), "{said}");
}

#[test]
fn a_first_start_that_cannot_keep_its_key_shows_none() {
    if !may_mount() {
        return;
    }
    for trouble in [FILL, "mount -o remount,ro \"$DISK\""] {
        let said = on_a_small_disk(&format!(
            r#"
            {trouble}
            "$LUX" serve --listen 127.0.0.1:0 --state-dir "$DISK/state" || echo "ended with $?"
            "#
        ));
        assert!(said.contains("ended with 2"), "{said}");
        assert!(!said.contains("lux_") && !said.contains("listening on"), "{said}");
        assert_eq!(said.trim().lines().count(), 2, "one plain sentence:\n{said}");
    }
}

#[test]
fn a_broker_with_keys_of_its_own_needs_no_disk() {
    if !may_mount() {
        return;
    }
    let said = on_a_small_disk(&format!(
        r#"
        {FILL}
        mount -o remount,ro "$DISK"
        LUX_API_KEY={API_KEY} "$LUX" serve --listen 127.0.0.1:0 --state-dir "$DISK/state" 2>"$DISK/../log.$$" &
        until grep -q 'listening on' "$DISK/../log.$$"; do kill -0 $!; done
        kill $! && wait $! && echo "served and stopped"
        rm "$DISK/../log.$$"
        "#
    ));
    assert!(said.contains("served and stopped"), "{said}");
}

#[test]
fn a_full_disk_stops_snapshots_and_not_the_broker() {
    if !may_mount() {
        return;
    }
    let said = on_a_small_disk(&format!(
        r#"
        log="$DISK/../log.$$"
        broker() {{
            : >"$log"
            LUX_API_KEY={API_KEY} "$LUX" serve --cores 2 --listen 127.0.0.1:0 --state-dir "$DISK" \
                --snapshot-every 100ms 2>"$log" &
            until grep -q 'listening on' "$log"; do kill -0 $!; done
            LUX_BROKER="$(sed -n 's/^listening on //p' "$log")"
            export LUX_BROKER LUX_API_KEY={API_KEY}
        }}
        broker
        until ls "$DISK/snapshot" | grep -q lux; do kill -0 $!; done
        {FILL}
        head -c 20000 /dev/zero | tr '\0' x | sed 's/.*/"&"/' >"$DISK/../state.$$"
        "$LUX" put large @"$DISK/../state.$$" >/dev/null
        until grep -q 'no snapshot can be written' "$log"; do kill -0 $!; done
        "$LUX" put small 1 >/dev/null && echo 'it takes states'
        "$LUX" get small >/dev/null && echo 'it serves them'
        rm "$DISK/filler"
        until grep -q 'snapshots are written again' "$log"; do kill -0 $!; done
        grep -c 'no snapshot can be written' "$log" | sed 's/^/times it was said: /'
        grep -o 'make room on that disk' "$log"
        kill $! && wait $! && echo 'stopped'
        broker
        test "$("$LUX" get large | wc -c)" -gt 20000 && echo 'everything is there again'
        kill $! && wait $!
        rm "$log" "$DISK/../state.$$"
        "#
    ));
    for line in [
        "it takes states",
        "it serves them",
        "times it was said: 1",
        "make room on that disk",
        "stopped",
        "everything is there again",
    ] {
        assert!(said.contains(line), "{line}:\n{said}");
    }
}
