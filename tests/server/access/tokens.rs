//! Short-lived tokens: made offline and over HTTP, by others, shown wherever an API key is, ended.
//!
//! Always true: what a token reads it reads until its last moment, and nothing after that; it never writes.
//!
//! Read first: `access/reload.rs`.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::BASE64URL_NOPAD;
use nix::sys::signal::Signal;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use super::{add_key, revoke_key};
use crate::harness::{
    API_KEY, Answer, Broker, Events, PATIENCE, Request, Setup, Viewer, get, list, put, run_lux,
};

/// A token made with `lux token`, in this state directory.
#[track_caller]
fn offline(state: &Path, args: &[&str]) -> String {
    let args = [&["token", "--state-dir", state.to_str().unwrap()], args].concat();
    let output = run_lux(&args, &[("HOME", "/nonexistent")]);
    assert!(output.status.success(), "lux token: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A broker with two cores, and its state directory.
fn broker() -> (Broker, TempDir) {
    let home = tempfile::tempdir().unwrap();
    let broker = Setup::cores(2).state_dir(&home.path().join("state")).start();
    (broker, home)
}

fn wish(body: &str) -> Request {
    Request::new("POST", "/api/lux/_token").body(body)
}

/// A token from the broker itself.
#[track_caller]
fn minted(broker: &Broker, body: &str) -> String {
    token_of(&broker.ask(wish(body)).expect(200))
}

fn token_of(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let left_ms = body["expiresAt"].as_u64().unwrap().saturating_sub(wall_s() * 1000);
    assert!(left_ms <= 86_400_000, "{body}");
    body["token"].as_str().unwrap().to_owned()
}

fn wall_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[track_caller]
fn wait_for_status(broker: &Broker, request: &Request, status: u16) {
    let began = std::time::Instant::now();
    while broker.ask(request.clone()).status() != status {
        assert!(began.elapsed() < PATIENCE, "never {status}");
    }
}

/// Viewers of one key with one token, in each of the three ways, and on whichever core.
fn viewers(broker: &Broker, token: &str, key: &str) -> Vec<Viewer> {
    let bearer = format!("Bearer {token}");
    let subprotocols = format!("lux.v1, lux.key.{token}");
    let mut viewers = Vec::new();
    for _ in 0..2 {
        viewers.push(Viewer::open_with(broker, &format!("/{key}"), &[("authorization", &bearer)]));
        viewers.push(Viewer::open_with(broker, &format!("/{key}?apiKey={token}"), &[]));
        viewers.push(Viewer::open_with(
            broker,
            &format!("/{key}"),
            &[("sec-websocket-protocol", &subprotocols)],
        ));
    }
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    viewers
}

#[test]
fn a_token_reads_what_it_says_and_writes_nothing() {
    let (broker, home) = broker();
    let state = home.path().join("state");
    broker.ask(put("dashboard-main", "1")).expect(201);
    for token in [
        offline(&state, &["--read", "dashboard-*", "--read", "news", "--for", "1h"]),
        minted(&broker, r#"{"read":["dashboard-*","news"],"for":"15m"}"#),
        minted(&broker, r#"{"read":["dashboard-*","news"]}"#),
    ] {
        assert_eq!(broker.ask(get("dashboard-main").bearer(&token)).expect(200).record().data, "1");
        broker.ask(get("news").bearer(&token)).trouble(404);
        broker.ask(list("prefix=dashboard-").bearer(&token)).expect(200);
        broker.ask(get("secret").bearer(&token)).trouble(403);
        broker.ask(list("prefix=").bearer(&token)).trouble(403);
        broker.ask(put("dashboard-main", "2").bearer(&token)).trouble(403);
        broker.ask(Request::new("GET", "/metrics").bearer(&token)).trouble(403);
        broker.ask(Request::new("GET", "/api/lux/stream/secret").bearer(&token)).trouble(403);
        let mut all = viewers(&broker, &token, "dashboard-main");
        all.extend(viewers(&broker, &token, "dashboard-*"));
        broker.ask(put("dashboard-main", "1")).expect(200);
        for viewer in &mut all {
            assert_eq!(viewer.record().data, "1");
        }
    }
}

#[test]
fn a_stream_ends_with_its_token_and_so_does_everything_else() {
    let (broker, _home) = broker();
    let etag = broker.ask(put("board", "1")).etag();
    let token = minted(&broker, r#"{"read":["board"],"for":"3s"}"#);
    let lasting = minted(&broker, r#"{"read":["board"],"for":"1h"}"#);
    let mut stay = viewers(&broker, &lasting, "board");
    let mut gone = viewers(&broker, &token, "board");
    let stream = Request::new("GET", "/api/lux/stream/board").field("Accept", "text/event-stream");
    let mut events = Events::open_with(&broker, stream.clone().bearer(&token));
    let mut polls = broker.connections(4);
    for poll in &mut polls {
        poll.send(&get("board?wait=60").bearer(&token).field("If-None-Match", &etag).bytes());
    }
    for viewer in &mut gone {
        assert_eq!(viewer.closed(), 4401);
    }
    while events.next_block().is_some() {}
    for poll in &mut polls {
        assert_eq!(poll.answer().status(), 401);
    }
    let refused = broker.ask(get("board").bearer(&token)).trouble(401);
    assert!(refused.message.contains("expired"), "{}", refused.message);
    broker.ask(stream.bearer(&token)).trouble(401);
    broker.ask(put("board", "2")).expect(200);
    for viewer in &mut stay {
        assert_eq!(viewer.record().data, "2", "whose token lasts stays");
    }
}

#[test]
fn a_token_grants_no_more_than_its_makers_key() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("keys.toml");
    let maker = add_key(&file, "backend", &["--read", "job-*", "--write", "secret"]);
    let brief = add_key(&file, "brief", &["--read", "*", "--expires", "20s"]);
    let broker = Setup::cores(2).args(&["--keys", file.to_str().unwrap()]).start();
    let refuse = |request: Request, status: u16, hint: &str| {
        let trouble = broker.ask(request).trouble(status);
        assert!(trouble.message.contains(hint), "{}", trouble.message);
    };
    let own = r#"{"read":["job-1*"]}"#;
    refuse(wish(own).anonymous(), 401, "API key");
    refuse(wish(own).bearer("no-such-key-at-all"), 401, "API key");
    for beyond in [r#"{"read":["*"]}"#, r#"{"read":["job-1","secret"]}"#, r#"{"read":["jo*"]}"#] {
        refuse(wish(beyond).bearer(&maker), 403, "may not read");
    }
    for (body, hint) in [
        ("", "EOF"),
        ("[]", "read"),
        ("{}", "read"),
        (r#"{"read":[]}"#, "nothing"),
        (r#"{"read":["job-1"],"write":["job-1"]}"#, "write"),
        (r#"{"read":["job-1"],"for":"25h"}"#, "86400"),
        (r#"{"read":["job-1"],"for":"soon"}"#, "15m"),
        (r#"{"read":["job-1"],"for":"0s"}"#, "second"),
        (r#"{"read":["job-1"],"for":3600}"#, "string"),
    ] {
        refuse(wish(body).bearer(&maker), 400, hint);
    }
    refuse(wish(r#"{"read":["a b"]}"#).bearer(&maker), 400, "A-Z");
    refuse(Request::new("GET", "/api/lux/_token"), 405, "POST");
    let token = token_of(&broker.ask(wish(own).bearer(&maker)).expect(200));
    refuse(wish(own).bearer(&token), 403, "make tokens");
    refuse(get("job-2").bearer(&token), 403, "read job-2");
    let capped: Value =
        serde_json::from_slice(&broker.ask(wish(own).bearer(&brief)).expect(200).body).unwrap();
    assert!(capped["expiresAt"].as_u64().unwrap() <= (wall_s() + 20) * 1000, "it ends with its maker");
}

#[test]
fn a_token_goes_with_its_makers_key() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("keys.toml");
    let maker = add_key(&file, "backend", &["--read", "*"]);
    let broker = Setup::cores(2).args(&["--keys", file.to_str().unwrap()]).start();
    let token = token_of(&broker.ask(wish(r#"{"read":["job-*"]}"#).bearer(&maker)).expect(200));
    let other = minted(&broker, r#"{"read":["job-*"]}"#);
    let mut gone = viewers(&broker, &token, "job-*");
    let mut stay = viewers(&broker, &other, "job-*");
    revoke_key(&file, "backend");
    // The same name with another secret is another key.
    add_key(&file, "backend", &["--read", "*"]);
    broker.signal(Signal::SIGHUP);
    for viewer in &mut gone {
        assert_eq!(viewer.closed(), 4401);
    }
    wait_for_status(&broker, &get("job-1").bearer(&token), 401);
    broker.ask(put("job-1", "1")).expect(201);
    for viewer in &mut stay {
        assert_eq!(viewer.record().data, "1");
    }
}

#[test]
fn without_its_secret_no_token_of_the_broker_counts() {
    let (broker, home) = broker();
    let state = home.path().join("state");
    let token = offline(&state, &["--read", "board"]);
    let mut gone = viewers(&broker, &token, "board");
    fs::remove_file(state.join("token-keys.json")).unwrap();
    broker.signal(Signal::SIGHUP);
    for viewer in &mut gone {
        assert_eq!(viewer.closed(), 4401);
    }
    wait_for_status(&broker, &get("board").bearer(&token), 401);
    let next = offline(&state, &["--read", "board"]);
    wait_for_status(&broker, &get("board").bearer(&next), 404);
}

/// An identity provider: its key, and tokens with these claims.
struct Provider {
    key: Ed25519KeyPair,
    kid: &'static str,
}

impl Provider {
    fn new(kid: &'static str, seed: u8) -> Provider {
        Provider { key: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), kid }
    }

    fn jwk(&self) -> String {
        let x = BASE64URL_NOPAD.encode(self.key.public_key().as_ref());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{x}"}}"#, self.kid)
    }

    fn token(&self, claims: &str) -> String {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let exp = wall_s() + 600;
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}"}}"#, self.kid);
        let signed = format!("{}.{}", part(&header), part(&format!(r#"{{"exp":{exp},{claims}}}"#)));
        format!("{signed}.{}", BASE64URL_NOPAD.encode(self.key.sign(signed.as_bytes()).as_ref()))
    }
}

#[test]
fn keys_of_an_identity_provider_come_and_go() {
    let home = tempfile::tempdir().unwrap();
    let (jwks, config) = (home.path().join("jwks.json"), home.path().join("lux.toml"));
    let [old, new] = [Provider::new("2026-a", 1), Provider::new("2026-b", 2)];
    let write = |keys: &[&Provider]| {
        let keys: Vec<String> = keys.iter().map(|provider| provider.jwk()).collect();
        fs::write(&jwks, format!("{{\"keys\":[\n{}\n]}}", keys.join(",\n"))).unwrap();
    };
    write(&[&old]);
    let settings =
        "issuer = \"https://login.example\"\naudience = \"lux\"\nread = [\"user-{sub}-*\", \"news\"]";
    fs::write(&config, format!("[tokens]\nkeys = \"{}\"\n{settings}\n", jwks.display())).unwrap();
    let broker = Setup::cores(2).args(&["--config", config.to_str().unwrap()]).start();
    let claims = r#""iss":"https://login.example","aud":["lux"],"sub":"7""#;
    let token = old.token(claims);
    broker.ask(get("user-7-inbox").bearer(&token)).trouble(404);
    broker.ask(get("user-8-inbox").bearer(&token)).trouble(403);
    for (wrong, hint) in [
        (new.token(claims), "kid"),
        (old.token(&claims.replace("lux", "other")), "aud"),
        (old.token(&claims.replace("login", "evil")), "iss"),
        (old.token(&claims.replace('7', "*")), "grants nothing"),
        (format!("{token}x"), "JWT"),
    ] {
        let trouble = broker.ask(get("news").bearer(&wrong)).trouble(401);
        assert!(trouble.message.contains(hint), "{}", trouble.message);
    }
    let mut all = viewers(&broker, &token, "user-7-*");
    write(&[&old, &new]);
    broker.signal(Signal::SIGHUP);
    wait_for_status(&broker, &get("news").bearer(&new.token(claims)), 404);
    // What is broken changes nothing, and says where.
    fs::write(&jwks, format!("{{\"keys\":[\n{},\n{{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}}\n]}}", new.jwk()))
        .unwrap();
    broker.signal(Signal::SIGHUP);
    let said = broker.line_with("jwks.json, line 3");
    assert!(said.contains("key 2"), "{said}");
    broker.ask(put("user-7-inbox", "1")).expect(201);
    for viewer in &mut all {
        assert_eq!(viewer.record().data, "1");
    }
    write(&[&new]);
    broker.signal(Signal::SIGHUP);
    for viewer in &mut all {
        assert_eq!(viewer.closed(), 4401);
    }
    wait_for_status(&broker, &get("news").bearer(&token), 401);
    broker.ask(get("news").bearer(&new.token(claims))).trouble(404);
}

#[test]
fn no_token_is_ever_logged_or_shown_again() {
    let home = tempfile::tempdir().unwrap();
    let broker = Setup::cores(2).state_dir(home.path()).env("LUX_LOG_LEVEL", "trace").start();
    let token = minted(&broker, r#"{"read":["board"]}"#);
    let secret = fs::read_to_string(home.path().join("token-keys.json")).unwrap();
    let secret = secret.split("\"k\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let broken = format!("{}A", &token[..token.len() - 1]);
    let mut shown = Vec::new();
    for token in [&token, &broken] {
        for request in [get("board"), get("other"), put("board", "1"), wish("{}")] {
            shown.extend(broker.ask(request.bearer(token)).body);
        }
        shown.extend(broker.ask(get(&format!("board?apiKey={token}")).anonymous()).body);
    }
    viewers(&broker, &token, "board");
    shown.extend(broker.ask(Request::new("GET", "/metrics").bearer(API_KEY)).expect(200).body);
    let log = broker.stop();
    let shown = String::from_utf8_lossy(&shown);
    for part in [&token, &broken, &secret].map(|text| text.rsplit('.').next().unwrap()) {
        assert!(!log.contains(part) && !shown.contains(part), "{part}:\n{log}\n{shown}");
    }
}

#[test]
fn check_names_the_keys_and_what_is_wrong_with_them() {
    let home = tempfile::tempdir().unwrap();
    let (jwks, config) = (home.path().join("jwks.json"), home.path().join("lux.toml"));
    fs::write(&config, format!("[tokens]\nkeys = \"{}\"\n", jwks.display())).unwrap();
    offline(home.path(), &["--read", "*"]);
    let check = || {
        let place =
            ["check", "--state-dir", home.path().to_str().unwrap(), "--config", config.to_str().unwrap()];
        let output =
            run_lux(&[&place[..], &["--listen", "127.0.0.1:0"]].concat(), &[("HOME", "/nonexistent")]);
        String::from_utf8(output.stdout).unwrap()
    };
    let enc = r#"{"kty":"RSA","use":"enc","kid":"for-letters"}"#;
    fs::write(&jwks, format!("{{\"keys\":[{},{enc}]}}", Provider::new("2026-a", 1).jwk())).unwrap();
    let said = check();
    assert!(said.contains("token-keys.json") && said.contains("EdDSA `2026-a`"), "{said}");
    assert!(said.contains("for-letters") && said.contains("not for signatures"), "{said}");
    fs::write(&jwks, "{\"keys\":[\n{}]}").unwrap();
    assert!(check().contains("jwks.json, line 2"));
}
