//! `lux license show|verify|request|issue`, as somebody types it.
//!
//! Always true: a license that does not hold is exit code 2, with the reason and what to do in one sentence.
//!
//! Read first: `license/mod.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Vendor, license};
use crate::harness::run_lux;

#[test]
fn a_license_goes_from_the_vendor_to_whoever_verifies_it() {
    let vendor = Vendor::new();
    let (file, key) = (vendor.keep("license", vendor.license(None)), vendor.path("vendor.pub"));
    let (code, out, err) = license(&["verify", &file, "--vendor-key", &key]);
    assert_eq!(code, 0, "{err}");
    for said in ["valid", "Example GmbH", "team", "production", "help@vendor.example", "lux-0017"] {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert!(out.contains(&format!("a key from {key}, not the vendor's")), "loudly: {out}");
    let (code, _, err) = license(&["verify", &file]);
    assert_eq!(code, 2, "another vendor's");
    assert!(err.contains("does not fit"), "{err}");
}

#[test]
fn any_changed_byte_is_refused_with_a_reason() {
    let vendor = Vendor::new();
    let text = vendor.license(None);
    let key = vendor.path("vendor.pub");
    // Every byte is tried beside the code; here one of each line, and where the lines end.
    for at in (0..text.len()).step_by(23).chain([text.len() - 1]) {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let file = vendor.keep("changed", &bytes);
        let (code, out, err) = license(&["verify", &file, "--vendor-key", &key]);
        assert_eq!((code, &*out), (2, ""), "byte {at}");
        assert!(
            err.starts_with("lux: ") && err.contains("is no license that holds: ") && err.contains("; "),
            "{err}"
        );
    }
    let file = vendor.keep("cut", &text[..text.len() / 2]);
    let (code, _, err) = license(&["verify", &file, "--vendor-key", &key]);
    assert!(code == 2 && err.contains("whole signature"), "{err}");
}

#[test]
fn an_ended_license_has_its_grace_and_then_holds_no_longer() {
    let vendor = Vendor::new();
    let key = vendor.path("vendor.pub");
    for (ended, code_wanted, state) in [(29, 0, "grace"), (31, 2, "expired")] {
        let file = vendor.keep("ended", vendor.license(Some(ended)));
        let (code, _, err) = license(&["verify", &file, "--vendor-key", &key]);
        assert_eq!(code, code_wanted, "{state}: {err}");
        let (code, out, _) = license(&["show", "--license", &file, "--vendor-key", &key, "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((code, &shown["state"]), (0, &state.into()), "{out}");
    }
    let future = vendor.issue(&["--issued", "2999-01-01T00:00:00Z", "--for", "1d"]);
    let (code, _, err) = license(&["verify", &vendor.keep("early", future), "--vendor-key", &key]);
    assert!(code == 2 && err.contains("clock"), "{err}");
}

#[test]
fn json_has_the_same_to_say() {
    let vendor = Vendor::new();
    let (file, key) = (vendor.keep("license", vendor.license(None)), vendor.path("vendor.pub"));
    let (code, out, _) = license(&["verify", &file, "--vendor-key", &key, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["state"], &shown["verified_with"]), (0, &"valid".into(), &key.into()));
    assert_eq!((&shown["license"]["id"], &shown["license"]["tier"]), (&"lux-0017".into(), &"team".into()));
    let (code, out, err) = license(&["verify", &file, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &shown["state"], &*err), (2, &"evaluation".into(), ""));
    assert!(shown["says"].as_str().unwrap().contains("does not fit"), "{out}");
}

#[test]
fn without_a_license_it_is_an_evaluation() {
    let (code, out, _) = license(&["show"]);
    assert!(code == 0 && out.starts_with("evaluation: "), "{out}");
    let (code, _, err) = license(&["verify"]);
    assert!(code == 2 && err.contains("lux license request"), "{err}");
    let (code, _, err) = license(&["verify", "no-such-file"]);
    assert!(code == 2 && err.contains("no-such-file"), "{err}");
}

#[test]
fn a_request_says_four_things_and_no_more() {
    let names =
        |out: &str| out.lines().map(|line| line.split(" = ").next().unwrap().to_owned()).collect::<Vec<_>>();
    let value = |out: &str, at: usize| out.lines().nth(at).unwrap().split(" = ").nth(1).unwrap().to_owned();
    let (code, out, _) = license(&["request", "--contact", "ops@customer.example"]);
    assert_eq!(code, 0);
    assert_eq!(names(&out), ["license", "version", "host", "contact"]);
    assert_eq!((value(&out, 0), value(&out, 3)), ("none".to_owned(), "ops@customer.example".to_owned()));
    assert_eq!(value(&out, 1), env!("CARGO_PKG_VERSION"));
    let host = value(&out, 2);
    let is_hash = host.len() == 32 && host.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(is_hash || host == "none", "{host}");
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    assert!(machine.trim().is_empty() || !out.contains(machine.trim()), "the machine's id stays here");

    let vendor = Vendor::new();
    let (file, key) = (vendor.keep("license", vendor.license(Some(99))), vendor.path("vendor.pub"));
    let whence = ["--license", &file, "--vendor-key", &key];
    let (_, out, _) = license(&[&["request", "--contact", "ops@customer.example"], &whence[..]].concat());
    assert_eq!((names(&out).len(), value(&out, 0), value(&out, 2)), (4, "lux-0017".to_owned(), host));
}

#[test]
fn a_request_needs_somebody_to_answer() {
    for contact in [&["request"][..], &["request", "--contact", ""], &["request", "--contact", "a\nhost = b"]]
    {
        let (code, out, err) = license(contact);
        assert!(code == 2 && out.is_empty() && err.contains("contact"), "{err}");
    }
}

#[test]
fn the_key_that_signs_is_its_owners_and_is_never_written_over() {
    let vendor = Vendor::new();
    let path = vendor.path("vendor.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).unwrap();
    let again = run_lux(&["license", "issue", "--new-key", &path], &[]);
    assert_eq!((again.status.code(), fs::read(&path).unwrap()), (Some(2), before));
}

#[test]
fn nothing_is_issued_that_could_not_be_read() {
    let vendor = Vendor::new();
    let key = vendor.path("vendor.key");
    let whole =
        ["issue", "--key", &key, "--customer", "A", "--tier", "team", "--contact", "h", "--for", "1d"];
    assert_eq!(license(&whole).0, 0);
    for (flag, value, hint) in [
        ("--customer", "A\ntier = enterprise", "--customer"),
        ("--tier", "The Best", "--tier"),
        ("--for", "0s", "a second"),
        ("--for", "1", "30d"),
        ("--key", "no-such.key", "no-such.key"),
    ] {
        let mut args = whole.to_vec();
        let at = args.iter().position(|arg| *arg == flag).unwrap();
        args[at + 1] = value;
        let (code, out, err) = license(&args);
        assert!(code == 2 && out.is_empty() && err.contains(hint), "{flag} {value}: {err}");
    }
    for missing in ["--key", "--customer", "--tier", "--contact", "--for"] {
        let mut args = whole.to_vec();
        let at = args.iter().position(|arg| *arg == missing).unwrap();
        args.drain(at..at + 2);
        let (code, _, err) = license(&args);
        assert!(code == 2 && err.contains(missing), "{missing}: {err}");
    }
}

#[test]
fn each_command_explains_itself() {
    for command in ["show", "verify", "request", "issue"] {
        let (code, out, _) = license(&[command, "--help"]);
        assert!(code == 0 && out.contains("Usage: lux license"), "{out}");
    }
    let (code, out, _) = license(&["--help"]);
    assert!(code == 0 && out.contains("sends nothing") || out.contains("this is all of it"), "{out}");
}
