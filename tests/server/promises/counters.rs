//! Producers that race on one key: nothing of what was acknowledged is lost.
//!
//! Always true: the answer to a write is its own revision, and no two writes share one.
//!
//! Read first: `promises/mod.rs`.

use std::collections::BTreeSet;
use std::thread;

use crate::harness::{Broker, Viewer, fresh, get, patch, put};

crate::on_1_2_4_cores!(
    fields_of_many_producers_add_up,
    each_write_has_a_revision_of_its_own,
    an_acknowledged_write_is_read_from_every_core,
);

fn fields_of_many_producers_add_up(broker: &Broker) {
    const PRODUCERS: u64 = 6;
    const EACH: u64 = 60;
    let key = fresh("add-up");
    let mut viewer = Viewer::open(broker, &format!("/{key}"));
    viewer.snapshot();
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let key = &key;
            scope.spawn(move || {
                let mut connection = broker.http();
                for count in 1..=EACH {
                    connection.ask(&patch(key, &format!("{{\"counters\":{{\"p{producer}\":{count}}}}}")));
                }
            });
        }
    });
    let seen = viewer.records_until(|record| record.rev == PRODUCERS * EACH);
    let last = seen.last().unwrap();
    assert_eq!(last.text, broker.ask(get(&key)).text());
    for producer in 0..PRODUCERS {
        assert_eq!(last.value()["counters"][format!("p{producer}")], EACH);
        // No counter ever goes back on the way.
        let values = seen.iter().map(|record| record.value()["counters"][format!("p{producer}")].as_u64());
        assert!(values.is_sorted());
    }
}

fn each_write_has_a_revision_of_its_own(broker: &Broker) {
    const PRODUCERS: usize = 6;
    const EACH: usize = 50;
    let key = fresh("own-revision");
    let revs: Vec<u64> = thread::scope(|scope| {
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = broker.http();
                    let revs: Vec<u64> =
                        (0..EACH).map(|n| connection.ask(&put(&key, &n.to_string())).record().rev).collect();
                    assert!(revs.is_sorted());
                    revs
                })
            })
            .collect();
        producers.into_iter().flat_map(|producer| producer.join().unwrap()).collect()
    });
    let distinct: BTreeSet<u64> = revs.iter().copied().collect();
    assert_eq!(distinct, (1..=(PRODUCERS * EACH) as u64).collect());
}

fn an_acknowledged_write_is_read_from_every_core(broker: &Broker) {
    let mut readers = broker.connections(8);
    let mut producer = broker.http();
    let key = fresh("read-own");
    for n in 1..=30 {
        producer.ask(&put(&key, &n.to_string()));
        for reader in &mut readers {
            assert_eq!(reader.ask(&get(&key)).record().number(), n);
        }
    }
}
