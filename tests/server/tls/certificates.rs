//! Certificates: given, made, renewed, bad ones; and the program's own clients.
//!
//! Always true: whoever is connected notices nothing of a renewal, a good one or a bad one.
//!
//! Read first: `tls/mod.rs`.

use std::time::Instant;

use nix::sys::signal::Signal;
use rustls::HandshakeKind;

use super::peer::{Trust, ask, kind};
use super::{Pair, make, put_in_place};
use crate::harness::{API_KEY, Broker, PATIENCE, Setup, fresh, get, put, run_lux};

/// Tries until the broker shows a certificate that is believed.
#[track_caller]
fn wait_until_believed(trust: &Trust, broker: &Broker) {
    let began = Instant::now();
    while let Err(why) = trust.believes(broker) {
        assert!(began.elapsed() < PATIENCE, "never: {why}\n{}", broker.stderr());
    }
}

#[test]
fn a_renewed_pair_is_shown_and_nobody_is_cut_off() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(2));
    let old = pair.trust();
    let key = fresh("renewed");
    let mut viewers: Vec<_> = (0..6).map(|_| old.view(&broker, &format!("/{key}"))).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    let mut producer = old.connect(&broker);
    ask(&mut producer, &put(&key, "1")).expect(201);
    for (rev, with_signal) in [(2, false), (3, true)] {
        pair.renew();
        if with_signal {
            broker.signal(Signal::SIGHUP);
        }
        wait_until_believed(&pair.trust(), &broker);
        ask(&mut producer, &put(&key, &rev.to_string())).expect(200);
        for viewer in &mut viewers {
            assert_eq!(viewer.records_until(|record| record.rev == rev).last().unwrap().rev, rev);
        }
    }
    let mut again = old.connect(&broker);
    assert_eq!(kind(&again), HandshakeKind::Resumed, "tickets outlast the certificate");
    ask(&mut again, &get(&key)).expect(200);
    drop((viewers, producer, again));
    broker.stop();
}

#[test]
fn a_bad_pair_is_named_and_the_old_one_stays() {
    let pair = Pair::new();
    let broker = pair.start(Setup::cores(2));
    let old = pair.trust();
    let key = fresh("kept");
    let mut viewer = old.view(&broker, &format!("/{key}"));
    viewer.snapshot();
    let (cert, other_key) = (make().0, make().1);
    // Its own look at the files finds them.
    put_in_place(&pair.key, &other_key);
    assert!(broker.line_with("the old one stays").contains("key.pem is not the one of the certificate"));
    old.believes(&broker).unwrap();
    // So does a reload, and changes nothing else either.
    put_in_place(&pair.cert, &cert[..cert.len() / 2]);
    broker.signal(Signal::SIGHUP);
    let line = broker.line_with("nothing was reloaded");
    assert!(line.contains("cert.pem is not whole"), "{line}");
    std::fs::remove_file(&pair.cert).unwrap();
    broker.signal(Signal::SIGHUP);
    broker.line_with("cannot be read");
    old.believes(&broker).unwrap();
    old.ask(&broker, &put(&key, "1")).expect(201);
    assert_eq!(viewer.record().rev, 1);
    pair.renew();
    wait_until_believed(&pair.trust(), &broker);
    old.ask(&broker, &put(&key, "2")).expect(200);
    assert_eq!(viewer.record().rev, 2);
    let said = broker.stop();
    assert!(!said.contains("PRIVATE") && other_key.lines().skip(1).all(|line| !said.contains(line)));
}

#[test]
fn a_start_with_a_bad_pair_is_refused_as_check_says() {
    let (pair, other) = (Pair::new(), Pair::new());
    let text = |path: &std::path::Path| path.to_str().unwrap().to_string();
    let (cert, wrong) = (text(&pair.cert), text(&other.key));
    let flags: [&[&str]; 3] = [
        &["--tls-cert", &cert, "--tls-key", &wrong],
        &["--tls-cert", &cert],
        &["--tls-cert", &cert, "--tls-key", "no/such"],
    ];
    for flags in flags {
        let (code, said) = Setup::cores(1).args(flags).start_refused();
        assert_eq!(code, 2, "{said}");
        let checked = Setup::cores(1).args(flags).check();
        assert_eq!(checked.status.code(), Some(2));
        let told = String::from_utf8(checked.stdout).unwrap();
        let words = if flags.len() == 2 { "tls_key" } else { flags[3] };
        assert!(said.contains(words) && told.contains(words), "{said}\n{told}");
    }
    let key = text(&pair.key);
    let checked = Setup::cores(1).args(&["--tls-cert", &cert, "--tls-key", &key]).check();
    let told = String::from_utf8(checked.stdout).unwrap();
    assert!(told.contains("1 in the chain, the key fits, good until 4096-01-01"), "{told}");
}

#[test]
fn one_that_signs_itself_is_made_once_and_its_print_is_said() {
    let home = tempfile::TempDir::new().unwrap();
    let start = || Setup::cores(2).state_dir(home.path()).args(&["--tls-self-signed"]).start();
    let broker = start();
    let print = broker.line_with("SHA-256");
    let cert = home.path().join("self-signed.pem");
    let trust = Trust::in_pem(&std::fs::read_to_string(&cert).unwrap());
    trust.ask(&broker, &put("a", "{\"n\":1}")).expect(201);

    // What is typed here: requests and streams, with the file named in either way.
    let (url, file) = (format!("https://localhost:{}", broker.address.port()), cert.to_str().unwrap());
    let mut envs = vec![("LUX_API_KEY", API_KEY), ("LUX_BROKER", &url)];
    let unknown = run_lux(&["get", "a"], &envs);
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("--cacert"));
    let flagged = run_lux(&["watch", "--once", "--cacert", file, "a"], &envs);
    assert!(String::from_utf8(flagged.stdout).unwrap().contains("{\"n\":1}"));
    envs.push(("LUX_CACERT", file));
    for args in [
        &["put", "a", "{\"n\":2}"][..],
        &["patch", "a", "{\"m\":3}"],
        &["get", "a"],
        &["watch", "--once", "a"],
    ] {
        let done = run_lux(args, &envs);
        assert_eq!(done.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
    broker.stop();

    let broker = start();
    assert_eq!(broker.line_with("SHA-256"), print, "the same over a restart");
    trust.ask(&broker, &get("a")).trouble(404);
    broker.stop();
}

#[test]
fn the_first_start_shows_a_line_that_works() {
    let broker = Setup::cores(1).without_key().args(&["--tls-self-signed"]).start();
    let line = broker.line_with("curl --cacert");
    let run = std::process::Command::new("sh")
        .args(["-c", &line.replace("curl ", "curl -s -m 10 ")])
        .output()
        .unwrap();
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(said.contains("\"orders_per_second\":42"), "{said} {}", String::from_utf8_lossy(&run.stderr));
    broker.stop();
}
