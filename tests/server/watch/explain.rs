//! `lux explain`: why a screen is old, from a viewer that really does not read.
//!
//! Always true: what is said of a viewer is held against what that viewer then really reads.
//!
//! Read first: `watch/mod.rs`.

use std::net::TcpStream;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::harness::socket::upgrade;
use crate::harness::{
    API_KEY, Broker, Http, PATIENCE, RawSocket, Request, Setup, Viewer, fresh, put, run_lux,
};

/// What the broker says of a key.
#[track_caller]
fn explain(broker: &Broker, key: &str) -> Value {
    let answer = broker.ask(Request::new("GET", &format!("/api/lux/_explain?key={key}"))).expect(200);
    assert_eq!(answer.field("Content-Type"), Some("application/json"));
    serde_json::from_str(answer.text()).expect("JSON")
}

/// Asks until it is so: how far the kernel is with what it was given is not ours to say.
#[track_caller]
fn explained_until(broker: &Broker, key: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let said = explain(broker, key);
        if is_so(&said) {
            return said;
        }
        assert!(Instant::now() < until, "{said:#}");
        thread::yield_now();
    }
}

/// A stream with as little room for what it does not read as the kernel gives.
fn sleeper(broker: &Broker, rest: &str) -> (RawSocket, String) {
    let stream = narrow(broker);
    let address = stream.local_addr().expect("an address").to_string();
    let mut http = Http::over(stream);
    http.send(&upgrade(rest).bytes());
    let mut socket = RawSocket::accepted(http);
    while !socket.text().starts_with("{\"synced\"") {}
    (socket, address)
}

fn narrow(broker: &Broker) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a buffer");
    socket.connect(&broker.address.into()).expect("a connection");
    socket.into()
}

fn state(n: u64) -> String {
    format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(4_000))
}

fn a_sleeping_viewer_is_found_and_told_from_one_that_reads(broker: &Broker) {
    let key = fresh("explained");
    broker.ask(put(&key, &state(1))).expect(201);
    let (mut slow, address) = sleeper(broker, &format!("/{key}"));
    let mut fast = Viewer::open(broker, &format!("/{key}"));
    fast.snapshot();
    for n in 2..=80 {
        broker.ask(put(&key, &state(n))).expect(200);
        assert_eq!(fast.record().rev, n);
    }
    let is_full = |said: &Value| {
        said["slow"][0]["diagnosis"].as_str().is_some_and(|words| words.starts_with("it does not read"))
    };
    let said = explained_until(broker, &key, is_full);
    assert_eq!((&said["rev"], &said["viewers"], &said["waiting"]), (&80.into(), &2.into(), &1.into()));
    assert_eq!(said["by"], "LUX_API_KEY");
    assert_eq!(said["bytes"], state(80).len());
    assert_eq!(said["diagnosis"], "1 of 2 viewers still have to be given revision 80");
    assert_eq!(said["slow"].as_array().map(Vec::len), Some(1), "{said:#}");
    let one = &said["slow"][0];
    assert_eq!((&one["address"], &one["pattern"]), (&address.into(), &key.as_str().into()));
    assert!(one["unsentBytes"].as_u64().is_some_and(|bytes| bytes > 4_000), "{one:#}");
    assert_eq!(one["inFlight"], true);
    // What it was said to hold is the last it reads before the newest. It may have skipped others before that, where
    // a change came while the one before was on its way.
    let holds = one["rev"].as_u64().expect("it is known");
    assert!(one["conflated"].as_u64().is_some_and(|count| (1..80).contains(&count)), "{one:#}");
    let mut read = vec![1];
    while *read.last().unwrap() < 80 {
        let record: Value = serde_json::from_str(&slow.text()).expect("a record");
        read.push(record["rev"].as_u64().expect("a revision"));
    }
    assert!(read.is_sorted(), "{read:?}");
    assert_eq!(read[read.len() - 2..], [holds, 80], "{read:?}");
    let said = explained_until(broker, &key, |said| said["slow"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(said["diagnosis"], "all 2 viewers were given revision 80");
}

crate::on_1_2_4_cores!(
    a_sleeping_viewer_is_found_and_told_from_one_that_reads,
    of_several_keys_each_is_known_by_its_own_revision,
    what_there_is_nothing_of_is_said,
);

fn of_several_keys_each_is_known_by_its_own_revision(broker: &Broker) {
    let keys = crate::harness::fresh_keys("explained-many", 3);
    let pattern = format!("{}*", crate::harness::prefix_of(&keys));
    let (mut slow, _) = sleeper(broker, &format!("/{pattern}"));
    for n in 1..=40 {
        for key in &keys {
            broker.ask(put(key, &state(n)));
        }
    }
    let mut holds: Vec<u64> = Vec::new();
    for key in &keys {
        let said = explain(broker, key);
        let one = &said["slow"][0];
        assert_eq!(one["pattern"], pattern.as_str());
        holds.push(one["rev"].as_u64().expect("it is known"));
        let behind = one["behindMs"].as_u64().expect("milliseconds");
        let age = one["ageMs"].as_u64().unwrap_or(u64::MAX);
        assert!(age >= behind, "what it holds was written before it was too old: {one:#}");
    }
    let mut last = vec![0; keys.len()];
    let mut before_last = vec![0; keys.len()];
    while last.iter().any(|rev| *rev < 40) {
        let record: Value = serde_json::from_str(&slow.text()).expect("a record");
        let at = keys.iter().position(|key| record["key"] == key.as_str()).expect("one of them");
        before_last[at] = std::mem::replace(&mut last[at], record["rev"].as_u64().expect("a revision"));
    }
    assert_eq!(holds, before_last);
}

fn what_there_is_nothing_of_is_said(broker: &Broker) {
    let key = fresh("unexplained");
    let said = explain(broker, &key);
    assert_eq!((&said["rev"], &said["viewers"], &said["by"]), (&0.into(), &0.into(), &Value::Null));
    assert_eq!(said["diagnosis"], "nobody has written this key since the broker began");
    broker.ask(put(&key, "1")).expect(201);
    assert_eq!(explain(broker, &key)["diagnosis"], "nobody watches this key");
    let mut viewers: Vec<Viewer> = (0..5).map(|_| Viewer::open(broker, &format!("/{key}"))).collect();
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    broker.ask(put(&key, "2")).expect(200);
    for viewer in &mut viewers {
        assert_eq!(viewer.record().rev, 2);
    }
    let said = explain(broker, &key);
    assert_eq!(said["diagnosis"], "all 5 viewers were given revision 2");
    let sends = |core: &Value| core["fanOut"]["sends"].as_u64().unwrap_or(0);
    assert_eq!(said["cores"].as_array().expect("cores").iter().map(sends).sum::<u64>(), 5, "{said:#}");
    for wrong in ["", "?key=", "?key=a/b", "?key=_x", "?kee=a"] {
        broker.ask(Request::new("GET", &format!("/api/lux/_explain{wrong}"))).trouble(400);
    }
    broker.ask(Request::new("PUT", "/api/lux/_explain?key=a").body("{\"data\":1}")).trouble(405);
}

fn lux_explain(broker: &Broker, args: &[&str]) -> Output {
    let url = format!("http://{}", broker.address);
    let all: Vec<&str> = ["explain"].iter().chain(args).copied().collect();
    run_lux(&all, &[("LUX_BROKER", &url), ("LUX_API_KEY", API_KEY)])
}

#[test]
fn the_command_shows_the_same_in_columns_or_as_it_is() {
    let broker = Setup::cores(2).start();
    broker.ask(put("board", "{\"a\":1}")).expect(201);
    let mut viewer = Viewer::open(&broker, "/board");
    viewer.snapshot();
    broker.ask(put("board", "{\"secret\":\"state\"}")).expect(200);
    assert_eq!(viewer.record().rev, 2);
    let plain = String::from_utf8(lux_explain(&broker, &["board"]).stdout).expect("text");
    assert!(plain.starts_with("board  revision 2, "), "{plain}");
    assert!(plain.contains("by the API key `LUX_API_KEY`\nits one viewer was given revision 2\n"), "{plain}");
    assert!(plain.contains("owns the key"), "{plain}");
    assert!(!plain.contains('\u{1b}'), "colours are for terminals: {plain}");
    let json = String::from_utf8(lux_explain(&broker, &["board", "--json"]).stdout).expect("text");
    let said: Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(said["rev"], 2);
    assert!(!plain.contains("secret") && !json.contains("secret"), "no state is in it");
    broker.stop();
}

#[test]
fn asking_again_and_again_is_answered_each_time() {
    let broker = Setup::cores(4).start();
    broker.ask(put("board", "1")).expect(201);
    let mut asker = broker.http();
    let requests: Vec<u8> = (0..50)
        .flat_map(|n| match n % 2 {
            0 => Request::new("GET", "/api/lux/_explain?key=board").bytes(),
            _ => Request::new("GET", "/metrics").bytes(),
        })
        .collect();
    asker.send(&requests);
    let began = Instant::now();
    for n in 0..50 {
        let answer = asker.answer().expect(200);
        let all_up = if n % 2 == 0 {
            answer.text().matches("\"up\":true").count()
        } else {
            answer.text().matches("lux_core_up{").count()
        };
        assert_eq!(all_up, 4);
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    broker.stop();
}
