//! `GET /api/lux`: several records at once.
//!
//! Always true: records come in bytewise order of their keys, whichever cores they live on, and a walk from
//! page to page meets each key that stays exactly once.
//!
//! Read first: `http/writes.rs`.

use serde_json::Value;

use crate::harness::{Broker, Record, Request, delete, fresh, fresh_keys, get, list, prefix_of, put};

crate::on_1_2_4_cores!(
    a_list_holds_the_records_of_a_prefix,
    a_list_is_in_bytewise_order,
    a_list_goes_on_from_page_to_page,
    a_list_begins_after_a_key,
    a_list_can_leave_the_states_out,
    a_list_of_nothing_is_empty,
    a_list_leaves_deleted_keys_out,
    a_list_without_a_prefix_holds_everything,
    a_page_holds_a_thousand,
    a_list_says_when_its_query_is_wrong,
);

/// A page of a list: its records' texts, its epoch, and where it goes on.
struct Page {
    records: Vec<String>,
    epoch: String,
    next: Option<String>,
}

#[track_caller]
fn page(broker: &Broker, query: &str) -> Page {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields<'a> {
        epoch: String,
        #[serde(borrow)]
        records: Vec<&'a serde_json::value::RawValue>,
        next: Option<String>,
    }
    let answer = broker.ask(list(query)).expect(200);
    assert!(answer.field("Content-Type").unwrap().starts_with("application/json"));
    assert!(!answer.text().contains("\"next\":null"), "`next` only if there is more");
    let fields: Fields = serde_json::from_str(answer.text()).expect("a list");
    let records = fields.records.iter().map(|record| record.get().to_string()).collect();
    Page { records, epoch: fields.epoch, next: fields.next }
}

fn keys_of(page: &Page) -> Vec<String> {
    page.records.iter().map(|text| Record::parse(text).key).collect()
}

fn a_list_holds_the_records_of_a_prefix(broker: &Broker) {
    let keys = fresh_keys("list", 12);
    let prefix = prefix_of(&keys);
    for key in &keys {
        broker.ask(put(key, &format!("{{\"name\":\"{key}\"}}"))).expect(201);
    }
    let page = page(broker, &format!("prefix={prefix}"));
    assert_eq!(keys_of(&page), keys);
    assert_eq!(page.next, None);
    for (text, key) in page.records.iter().zip(&keys) {
        let answer = broker.ask(get(key));
        assert_eq!(answer.text(), text, "the one encoding");
        assert!(answer.etag().starts_with(&format!("\"{}.", page.epoch)));
    }
}

fn a_list_is_in_bytewise_order(broker: &Broker) {
    let stem = fresh("order");
    let mut keys: Vec<String> =
        ["", "-", ".", "0", "9", ":", "A", "Z", "_", "a", "aa", "z", "~", "Aa", "a-", "-a", "10", "2"]
            .map(|tail| format!("{stem}{tail}"))
            .to_vec();
    for key in keys.iter().rev() {
        broker.ask(put(key, "1")).expect(201);
    }
    keys.sort();
    assert_eq!(keys_of(&page(broker, &format!("prefix={stem}"))), keys);
}

fn a_list_goes_on_from_page_to_page(broker: &Broker) {
    let keys = fresh_keys("pages", 23);
    let prefix = prefix_of(&keys);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    for limit in [1, 2, 7, 22, 23, 24, 1_000] {
        let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = page(broker, &format!("prefix={prefix}&limit={limit}{after}"));
            assert!(page.records.len() <= limit);
            seen.extend(keys_of(&page));
            pages += 1;
            let Some(next) = page.next else { break };
            after = format!("&after={next}");
        }
        assert_eq!(seen, keys, "limit {limit}");
        assert_eq!(pages, keys.len().div_ceil(limit), "`next` only if there is more, limit {limit}");
    }
}

fn a_list_begins_after_a_key(broker: &Broker) {
    let keys = fresh_keys("after", 8);
    let prefix = prefix_of(&keys);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    let after = |key: &str| keys_of(&page(broker, &format!("after={key}&prefix={prefix}")));
    assert_eq!(after(&keys[2]), keys[3..], "exclusive");
    assert_eq!(after(&format!("{}-not-there", keys[2])), keys[3..], "it need not be there");
    assert_eq!(after(&keys[7]), [""; 0]);
    assert_eq!(after("-"), keys, "before the prefix");
}

fn a_list_can_leave_the_states_out(broker: &Broker) {
    let keys = fresh_keys("bare", 6);
    let prefix = prefix_of(&keys);
    for key in &keys {
        broker.ask(put(key, "{\"secret\":1}")).expect(201);
    }
    let page = page(broker, &format!("prefix={prefix}&data=0"));
    for (text, key) in page.records.iter().zip(&keys) {
        let whole = broker.ask(get(key)).record();
        let mut bare: Value = serde_json::from_str(&whole.text).unwrap();
        bare.as_object_mut().unwrap().remove("data");
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), bare);
    }
    assert_eq!(page.records.len(), keys.len());
}

fn a_list_of_nothing_is_empty(broker: &Broker) {
    let page = page(broker, &format!("prefix={}", fresh("empty")));
    assert!(page.records.is_empty() && page.next.is_none() && !page.epoch.is_empty());
}

fn a_list_leaves_deleted_keys_out(broker: &Broker) {
    let keys = fresh_keys("gone", 6);
    let prefix = prefix_of(&keys);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    broker.ask(delete(&keys[1])).expect(204);
    broker.ask(delete(&keys[5])).expect(204);
    let left = [&keys[0], &keys[2], &keys[3], &keys[4]];
    assert_eq!(keys_of(&page(broker, &format!("prefix={prefix}"))), left.map(String::clone));
    let last = page(broker, &format!("prefix={prefix}&limit=4"));
    assert_eq!((last.records.len(), last.next), (4, None));
}

fn a_list_without_a_prefix_holds_everything(broker: &Broker) {
    let keys = fresh_keys("all", 5);
    for key in &keys {
        broker.ask(put(key, "1")).expect(201);
    }
    let (mut seen, mut after) = (Vec::new(), "x=1".to_string());
    loop {
        let page = page(broker, &after);
        seen.extend(keys_of(&page));
        let Some(next) = page.next else { break };
        after = format!("after={next}");
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert!(keys.iter().all(|key| seen.contains(key)));
    broker.ask(Request::new("GET", "/api/lux")).expect(200);
}

fn a_page_holds_a_thousand(broker: &Broker) {
    let keys = fresh_keys("thousand", 1_001);
    let prefix = prefix_of(&keys);
    let mut connection = broker.http();
    // Pipelined by the hundred: a thousand round trips would only cost time.
    for hundred in keys.chunks(100) {
        let bytes: Vec<u8> = hundred.iter().flat_map(|key| put(key, "1").bytes()).collect();
        connection.send(&bytes);
        for _ in hundred {
            connection.answer().expect(201);
        }
    }
    let first = page(broker, &format!("prefix={prefix}"));
    assert_eq!(keys_of(&first), keys[..1_000]);
    let second = page(broker, &format!("prefix={prefix}&after={}", first.next.expect("there is more")));
    assert_eq!(keys_of(&second), keys[1_000..]);
    assert_eq!(second.next, None);
}

fn a_list_says_when_its_query_is_wrong(broker: &Broker) {
    for query in ["limit=ten", "limit=-1", "limit=", "prefix=a%2Fb", "prefix=%zz"] {
        broker.ask(list(query)).trouble(400);
    }
}
