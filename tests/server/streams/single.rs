//! A stream of one key.
//!
//! Always true: a frame carries the very bytes that `GET` shows.
//!
//! Read first: `streams/mod.rs`.

use super::viewers;
use crate::harness::{Broker, RawSocket, Viewer, delete, fresh, fresh_keys, get, patch, put};

crate::on_1_2_4_cores!(
    the_snapshot_is_the_record,
    the_snapshot_of_a_deleted_key_is_its_deletion,
    the_snapshot_of_a_key_never_had_has_revision_0,
    each_change_is_a_frame_with_the_record,
    a_deletion_is_a_record,
    a_viewer_that_keeps_up_gets_every_revision,
    the_writer_sees_its_own,
    other_keys_are_not_shown,
    a_key_in_the_address_may_be_encoded,
    a_large_record_arrives_whole,
    a_single_stream_takes_no_commands,
);

fn the_snapshot_is_the_record(broker: &Broker) {
    let key = fresh("snapshot");
    broker.ask(put(&key, "0")).expect(201);
    let written = broker.ask(put(&key, "{\"n\":1}")).expect(200);
    for mut viewer in viewers(broker, &format!("/{key}")) {
        assert_eq!(viewer.record().text, written.text());
        let synced = viewer.synced();
        assert!(written.etag().starts_with(&format!("\"{}.", synced.epoch)));
        assert!(synced.keys.is_empty(), "the first `synced` names no keys");
    }
}

fn the_snapshot_of_a_deleted_key_is_its_deletion(broker: &Broker) {
    let key = fresh("deleted");
    broker.ask(put(&key, "1")).expect(201);
    broker.ask(delete(&key)).expect(204);
    for mut viewer in viewers(broker, &format!("/{key}")) {
        let record = viewer.record();
        assert_eq!((record.rev, record.data.as_str(), record.deleted), (2, "null", true));
        viewer.synced();
    }
}

fn the_snapshot_of_a_key_never_had_has_revision_0(broker: &Broker) {
    let key = fresh("never");
    for mut viewer in viewers(broker, &format!("/{key}")) {
        let due = format!("{{\"key\":\"{key}\",\"rev\":0,\"updatedAt\":0,\"data\":null}}");
        assert_eq!(viewer.record().text, due);
        viewer.synced();
    }
    broker.ask(get(&key)).trouble(404);
}

fn each_change_is_a_frame_with_the_record(broker: &Broker) {
    let key = fresh("changes");
    let mut viewers = viewers(broker, &format!("/{key}"));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    for request in
        [put(&key, "{\"a\":1}"), put(&key, "{\"a\":2}"), patch(&key, "{\"b\":[]}"), put(&key, "null")]
    {
        let written = broker.ask(request);
        for viewer in &mut viewers {
            assert_eq!(viewer.record().text, written.text(), "the one encoding");
        }
    }
}

fn a_deletion_is_a_record(broker: &Broker) {
    let key = fresh("deletion");
    broker.ask(put(&key, "1")).expect(201);
    let mut viewers = viewers(broker, &format!("/{key}"));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    broker.ask(delete(&key)).expect(204);
    for viewer in &mut viewers {
        let record = viewer.record();
        assert_eq!((record.rev, record.deleted), (2, true));
    }
    broker.ask(put(&key, "3")).expect(201);
    for viewer in &mut viewers {
        let record = viewer.record();
        assert_eq!((record.rev, record.deleted, record.data.as_str()), (3, false, "3"));
    }
}

fn a_viewer_that_keeps_up_gets_every_revision(broker: &Broker) {
    let key = fresh("every-revision");
    let mut viewers = viewers(broker, &format!("/{key}"));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    let mut producer = broker.http();
    for n in 1..=100 {
        producer.send(&put(&key, &n.to_string()).bytes());
        for viewer in &mut viewers {
            assert_eq!(viewer.record().rev, n, "conflation comes from the socket, not from a timer");
        }
        producer.answer();
    }
}

fn the_writer_sees_its_own(broker: &Broker) {
    // A writer cannot be told from others by what it watches: it simply gets the record too.
    for key in fresh_keys("own", 4) {
        let mut viewer = Viewer::open(broker, &format!("/{key}"));
        viewer.snapshot();
        let written = broker.ask(put(&key, "\"mine\"")).expect(201);
        assert_eq!(viewer.record().text, written.text());
    }
}

fn other_keys_are_not_shown(broker: &Broker) {
    let keys = fresh_keys("others", 8);
    let longer = format!("{}x", keys[0]);
    let mut viewers = viewers(broker, &format!("/{}", keys[0]));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    for key in keys[1..].iter().chain([&longer]) {
        broker.ask(put(key, "\"not for you\"")).expect(201);
    }
    for n in 1..=5 {
        broker.ask(put(&keys[0], "\"for you\""));
        for viewer in &mut viewers {
            let record = viewer.record();
            assert_eq!((&record.key, record.rev), (&keys[0], n));
        }
    }
}

fn a_key_in_the_address_may_be_encoded(broker: &Broker) {
    let key = fresh("encoded~:.");
    broker.ask(put(&key, "1")).expect(201);
    let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(RawSocket::open(broker, &format!("/{encoded}")).text(), broker.ask(get(&key)).text());
    // A `*` may be encoded too, as some libraries do.
    let mut socket = RawSocket::open(broker, &format!("/{}%2A", &key[..key.len() - 1]));
    assert!(socket.text().contains(&key));
}

fn a_large_record_arrives_whole(broker: &Broker) {
    let key = fresh("large");
    let mut viewers = viewers(broker, &format!("/{key}"));
    for viewer in &mut viewers {
        viewer.snapshot();
    }
    for size in [1, 125, 126, 65_400, 65_535, 65_600, 262_000] {
        let written = broker.ask(put(&key, &format!("\"{}\"", "x".repeat(size))));
        for viewer in &mut viewers {
            assert!(viewer.record().text == written.text(), "{size} characters");
        }
    }
}

fn a_single_stream_takes_no_commands(broker: &Broker) {
    let key = fresh("no-commands");
    let mut viewer = Viewer::open(broker, &format!("/{key}"));
    viewer.snapshot();
    viewer.say("{\"subscribe\":[\"other\"]}");
    viewer.trouble();
    broker.ask(put(&key, "1")).expect(201);
    assert_eq!(viewer.record().rev, 1, "and it goes on");
}
