//! Keys stay secret: in the log, in errors, in metrics.
//!
//! Always true: neither a key, right or wrong, nor any query string is ever written anywhere.
//!
//! Read first: `access/bearer.rs`.

use crate::harness::socket::{subprotocols, upgrade};
use crate::harness::{API_KEY, RawSocket, Request, Setup, Viewer, get, list, put};

const WRONG: &str = "wrong-key-of-the-tests-987654321";
const QUERY: &str = "query-of-the-tests-31415926";

#[test]
fn no_key_and_no_query_is_ever_logged_or_shown() {
    let broker = Setup::cores(2).env("LUX_LOG_LEVEL", "trace").start();
    let mut shown = Vec::new();
    for request in [
        get("secret"),
        get("secret").bearer(WRONG),
        get(&format!("secret?apiKey={WRONG}")).anonymous(),
        get(&format!("secret?wait={QUERY}")),
        list(&format!("prefix=/{QUERY}")),
        put("secret", QUERY),
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
    shown.extend(broker.ask(Request::new("GET", "/metrics")).expect(200).body);
    drop((viewer, breaker));
    let log = broker.stop();
    let shown = String::from_utf8_lossy(&shown);
    for secret in [API_KEY, WRONG, QUERY] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        // A name that is no key may be repeated to its sender; a secret may not.
        assert!(secret == QUERY || !shown.contains(secret), "{secret} was shown:\n{shown}");
    }
}
