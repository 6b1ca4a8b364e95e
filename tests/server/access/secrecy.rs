//! Keys stay secret: in the log, in errors, in metrics. States and query strings stay out of the log.
//!
//! Always true: neither a key, right or wrong, nor any query string is ever written anywhere.
//!
//! Read first: `access/bearer.rs`.

use crate::harness::socket::{subprotocols, upgrade};
use crate::harness::{API_KEY, RawSocket, Request, Setup, Viewer, frame, get, list, patch, put};

const WRONG: &str = "wrong-key-of-the-tests-987654321";
const STATE: &str = "state-of-the-tests-27182818";
const QUERY: &str = "query-of-the-tests-31415926";

#[test]
fn no_key_and_no_query_is_ever_logged_or_shown() {
    let broker = Setup::cores(2).env("LUX_LOG_LEVEL", "trace").limit("state_bytes", "512 B").start();
    let mut shown = Vec::new();
    for request in [
        get("secret"),
        get("secret").bearer(WRONG),
        get(&format!("secret?apiKey={WRONG}")).anonymous(),
        get(&format!("secret?wait={QUERY}")),
        list(&format!("prefix=/{QUERY}")),
        put("secret", QUERY),
        put("secret", &format!("\"{STATE}\"")),
        put("secret", &format!("\"{STATE}\"")).bearer(WRONG),
        put("secret", &format!("\"{STATE}\"")).field("If-Match", "\"other.7\""),
        put("secret", &format!("{{\"{STATE}\":1")),
        put("secret", &format!("\"{STATE}{}\"", "x".repeat(600))),
        put("secret", &format!("{}\"{STATE}\"{}", "[".repeat(200), "]".repeat(200))),
        patch("secret", &format!("{{\"{STATE}\":{{\"{STATE}\":null}}}}")),
        patch("secret", &format!("\"{STATE}")).field("Content-Type", "text/plain"),
        put(&format!("_{QUERY}"), &format!("\"{STATE}\"")),
        put("secret", &format!("\"{STATE}\"")).field("Content-Length", "7"),
        get("secret").field("X-Long", &format!("{STATE}{}", "y".repeat(20_000))),
        Request::new("GET", &format!("/api/lux/_explain?key={QUERY}/&apiKey={API_KEY}")),
        Request::new("GET", &format!("/api/lux/_explain?key=secret&x={QUERY}")).bearer(WRONG),
        Request::new("GET", &format!("/metrics?{QUERY}&apiKey={WRONG}")),
        upgrade(&format!("/secret?apiKey={WRONG}")).anonymous(),
        upgrade("/secret").anonymous().field("Sec-WebSocket-Protocol", &format!("lux.v1, lux.key.{WRONG}")),
        upgrade(&format!("/secret/{QUERY}?apiKey={API_KEY}")).anonymous(),
        upgrade("/secret").bearer(WRONG).body("x"),
        Request::new("GET", &format!("/nowhere?{QUERY}&apiKey={API_KEY}")),
        Request::new("BREW", &format!("/?apiKey={API_KEY}")),
        get("secret").field("Authorization", &format!("Bearer {WRONG}")),
        get("secret").field("X-Bad", &format!("\u{1}Bearer {WRONG}")),
    ] {
        shown.extend(broker.ask(request).body);
    }
    let mut viewer = Viewer::open_with(&broker, &format!("/secret?apiKey={API_KEY}&since={QUERY}"), &[]);
    viewer.snapshot();
    Viewer::open_with(&broker, "/secret", &[("sec-websocket-protocol", &subprotocols())]).snapshot();
    let mut breaker = RawSocket::open_synced(&broker, &format!("/secret?apiKey={API_KEY}"));
    breaker.send(b"\x81\x05hello");
    breaker.close_code();
    for command in [STATE.to_owned(), format!("{{\"subscribe\":[\"{STATE}/\"]}}"), "z".repeat(300_000)] {
        let mut speaker = RawSocket::open(&broker, &format!("?keys=secret&apiKey={API_KEY}"));
        speaker.try_send(&frame(0x81, command.as_bytes()));
        speaker.try_send(&frame(0x88, STATE.as_bytes()));
        speaker.close_code();
    }
    shown.extend(broker.ask(Request::new("GET", "/metrics")).expect(200).body);
    drop((viewer, breaker));
    let log = broker.stop();
    let shown = String::from_utf8_lossy(&shown);
    assert!(!log.contains(STATE), "a state is in the log:\n{log}");
    for secret in [API_KEY, WRONG, QUERY] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        // A name that is no key may be repeated to its sender; a secret may not.
        assert!(secret == QUERY || !shown.contains(secret), "{secret} was shown:\n{shown}");
    }
}
