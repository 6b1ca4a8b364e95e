//! What is beside the states: health, readiness, the console, the SDK, the metrics.
//!
//! Always true: only the metrics need a key.
//!
//! Read first: `http/reads.rs`.

use crate::harness::{Broker, Request, fresh, put};

crate::on_1_2_4_cores!(
    a_broker_that_runs_is_healthy_and_ready,
    the_console_is_at_the_root,
    the_sdk_is_served,
    metrics_need_a_key,
    metrics_are_in_the_text_format,
);

fn open(target: &str) -> Request {
    Request::new("GET", target).anonymous()
}

fn a_broker_that_runs_is_healthy_and_ready(broker: &Broker) {
    for mut connection in broker.connections(8) {
        connection.ask(&open("/healthz")).expect(200);
        connection.ask(&open("/readyz")).expect(200);
    }
}

fn the_console_is_at_the_root(broker: &Broker) {
    let page = broker.ask(open("/")).expect(200);
    assert!(page.field("Content-Type").unwrap().starts_with("text/html"));
    assert!(page.text().to_ascii_lowercase().contains("<!doctype html>"));
}

fn the_sdk_is_served(broker: &Broker) {
    for name in ["lux", "lux-element", "lux-handover", "lux-react", "lux-shared", "lux-socket"] {
        let module = broker.ask(open(&format!("/{name}.js"))).expect(200);
        assert!(module.field("Content-Type").unwrap().starts_with("text/javascript"));
        assert!(module.text().contains("export"));
        let allowed = module.field("Access-Control-Allow-Origin");
        assert_eq!(allowed, Some("*"), "a module is loaded from other origins too");
    }
}

fn metrics_need_a_key(broker: &Broker) {
    broker.ask(open("/metrics")).trouble(401);
    broker.ask(Request::new("GET", "/metrics")).expect(200);
}

fn metrics_are_in_the_text_format(broker: &Broker) {
    broker.ask(put(&fresh("metrics"), "1")).expect(201);
    let page = broker.ask(Request::new("GET", "/metrics")).expect(200);
    assert!(page.field("Content-Type").unwrap().starts_with("text/plain"));
    let mut samples = 0;
    for line in page.text().lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
        assert!(name.starts_with("lux_") || name.starts_with("process_"), "{name}");
        assert!(value.parse::<f64>().is_ok(), "{line:?}");
        samples += 1;
    }
    assert!(samples > 0);
}
