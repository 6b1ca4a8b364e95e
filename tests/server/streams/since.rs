//! `?since=`: coming back without being told again what is known.
//!
//! Always true: whatever stands there, the viewer ends up with the newest state; it is never an error.
//!
//! Read first: `streams/single.rs`.

use super::viewers;
use crate::harness::{Broker, Viewer, delete, fresh, put};

crate::on_1_2_4_cores!(
    nothing_is_sent_where_nothing_changed,
    a_deletion_that_is_known_is_not_sent,
    an_older_since_gets_the_record,
    anything_else_gets_the_whole_snapshot,
    since_is_for_one_key,
    a_viewer_that_comes_back_misses_nothing,
);

fn since(etag: &str) -> String {
    etag.trim_matches('"').to_string()
}

fn nothing_is_sent_where_nothing_changed(broker: &Broker) {
    let key = fresh("since");
    broker.ask(put(&key, "0")).expect(201);
    let known = since(&broker.ask(put(&key, "1")).etag());
    let mut viewers = viewers(broker, &format!("/{key}?since={known}"));
    for viewer in &mut viewers {
        viewer.synced();
    }
    let written = broker.ask(put(&key, "2")).expect(200);
    for viewer in &mut viewers {
        assert_eq!(viewer.record().text, written.text());
    }
}

fn a_deletion_that_is_known_is_not_sent(broker: &Broker) {
    let key = fresh("since-deletion");
    let first = since(&broker.ask(put(&key, "1")).etag());
    broker.ask(delete(&key)).expect(204);
    let epoch = first.split('.').next().unwrap();
    for mut viewer in viewers(broker, &format!("/{key}?since={epoch}.2")) {
        viewer.synced();
    }
    for mut viewer in viewers(broker, &format!("/{key}?since={first}")) {
        assert!(viewer.record().deleted, "a deletion is news too");
        viewer.synced();
    }
}

fn an_older_since_gets_the_record(broker: &Broker) {
    let key = fresh("since-older");
    let old = since(&broker.ask(put(&key, "1")).etag());
    let written = broker.ask(put(&key, "2")).expect(200);
    for mut viewer in viewers(broker, &format!("/{key}?since={old}")) {
        assert_eq!(viewer.record().text, written.text());
        viewer.synced();
    }
}

fn anything_else_gets_the_whole_snapshot(broker: &Broker) {
    let key = fresh("since-else");
    let known = since(&broker.ask(put(&key, "1")).etag());
    let epoch = known.split('.').next().unwrap();
    let others = ["", "x", ".", "1", "otherepoch00.1", "%00", "%22x%22", "%zz", "%", "a.b.c", "-1", "*"]
        .map(String::from);
    let near = ["", ".", ".0", ".2", ".01x", ".-1", ".1.1", ".99999999999999999999999", ".1%20"];
    for value in others.into_iter().chain(near.map(|tail| format!("{epoch}{tail}"))) {
        let mut viewer = Viewer::open(broker, &format!("/{key}?since={value}"));
        assert_eq!(viewer.record().rev, 1, "{value}");
        viewer.synced();
    }
}

fn since_is_for_one_key(broker: &Broker) {
    let key = fresh("since-prefix");
    let known = since(&broker.ask(put(&key, "1")).etag());
    for rest in [format!("/{key}*?since={known}"), format!("?keys={key},{key}-other&since={known}")] {
        let mut viewer = Viewer::open(broker, &rest);
        let (records, _) = viewer.snapshot();
        assert!(records.iter().any(|record| record.key == key && record.rev == 1), "{rest}");
    }
}

fn a_viewer_that_comes_back_misses_nothing(broker: &Broker) {
    let key = fresh("comes-back");
    let mut producer = broker.http();
    let (mut known, mut rev) = ("none".to_string(), 0);
    for round in 0..20 {
        let mut viewer = Viewer::open(broker, &format!("/{key}?since={known}"));
        let (records, synced) = viewer.snapshot();
        for record in records {
            assert!(record.rev >= rev);
            rev = record.rev;
        }
        assert_eq!(rev, round, "the snapshot is up to date");
        // One change while away.
        drop(viewer);
        producer.ask(&put(&key, &round.to_string()));
        known = format!("{}.{rev}", synced.epoch);
    }
}
