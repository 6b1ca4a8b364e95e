//! The less usual ways to say a request that RFC 9112 allows.
//!
//! Always true: however a request is put, the state that it writes is the same.
//!
//! Read first: `http/connections.rs`.

use crate::harness::{Broker, Request, fresh, get, put};

crate::on_1_2_4_cores!(
    a_body_may_come_in_chunks,
    chunks_may_carry_extensions_and_trailers,
    extensions_have_an_end,
    a_body_is_asked_for_when_it_is_expected,
    a_body_that_will_be_refused_is_not_asked_for,
    an_expectation_of_anything_else_is_417,
    the_absolute_form_is_understood,
    field_names_and_tokens_have_no_case,
    empty_lines_before_a_request_are_passed_over,
    an_unknown_method_is_405_with_allow,
    an_unknown_path_is_404,
    a_get_with_a_body_is_answered_and_its_body_passed_over,
);

fn a_body_may_come_in_chunks(broker: &Broker) {
    let mut connection = broker.http();
    let body = b"{\"data\":\"in chunks\"}";
    for size in [1, 2, 7, 19, 20] {
        let chunks: Vec<&[u8]> = body.chunks(size).collect();
        let key = fresh("chunks");
        let request = Request::new("PUT", &format!("/api/lux/{key}")).chunks(&chunks);
        assert_eq!(connection.ask(&request).expect(201).record().data, "\"in chunks\"");
    }
    connection.ask(&Request::new("PUT", "/api/lux/no-body").chunks(&[])).trouble(400);
    connection.ask(&get("no-body")).trouble(404);
}

fn chunked(key: &str, body: &str) -> Vec<u8> {
    let head = Request::new("PUT", &format!("/api/lux/{key}")).field("Transfer-Encoding", "chunked");
    [&head.head_bytes(), body.as_bytes()].concat()
}

fn chunks_may_carry_extensions_and_trailers(broker: &Broker) {
    let mut connection = broker.http();
    for body in [
        "A;name=value\r\n{\"data\":12\r\n2\r\n3}\r\n0\r\n\r\n",
        "00A;a;b=\"quoted ; text\"\r\n{\"data\":12\r\n2 ; c\r\n3}\r\n0;last\r\n\r\n",
        "a\r\n{\"data\":12\r\n2\r\n3}\r\n000\r\nTrailer: one\r\nOther:two\r\n\r\n",
    ] {
        let key = fresh("extensions");
        connection.send(&chunked(&key, body));
        assert_eq!(connection.answer().expect(201).record().data, "123", "{body:?}");
        // A trailer is not a field of the request, and what follows is read as the next one.
        connection.ask(&get(&key)).expect(200);
    }
}

fn extensions_have_an_end(broker: &Broker) {
    let key = fresh("long-extensions");
    let mut connection = broker.http();
    connection
        .send(&chunked(&key, &format!("A;{}\r\n{{\"data\":12\r\n2\r\n3}}\r\n0\r\n\r\n", "x".repeat(900))));
    connection.answer().expect(201);
    connection
        .send(&chunked(&key, &format!("A;{}\r\n{{\"data\":12\r\n2\r\n4}}\r\n0\r\n\r\n", "x".repeat(1_100))));
    let refused = connection.answer();
    assert!(refused.head.says_close());
    refused.trouble(400);
    connection.expect_end();
    assert_eq!(broker.ask(get(&key)).record().data, "123");
}

fn a_body_is_asked_for_when_it_is_expected(broker: &Broker) {
    for mut connection in broker.connections(4) {
        let key = fresh("expect");
        let request = put(&key, "\"after 100\"").field("Expect", "100-Continue");
        for status in [201, 200] {
            connection.send(&request.head_bytes());
            let asked = connection.head();
            assert_eq!((asked.status, asked.field("Content-Length")), (100, None));
            connection.send(request.body_bytes());
            assert_eq!(connection.answer().expect(status).record().data, "\"after 100\"");
        }
    }
}

fn a_body_that_will_be_refused_is_not_asked_for(broker: &Broker) {
    let request = put(&fresh("expect-refused"), "1").field("Expect", "100-continue");
    for (request, status) in [
        (request.clone().anonymous(), 401),
        (request.clone().without("Content-Length").field("Content-Length", "999999999"), 413),
    ] {
        let mut connection = broker.http();
        connection.send(&request.head_bytes());
        connection.answer().trouble(status);
    }
}

fn an_expectation_of_anything_else_is_417(broker: &Broker) {
    for expectation in ["200-ok", "100-continue, more", "\"100-continue\""] {
        broker.ask(put(&fresh("417"), "1").field("Expect", expectation)).trouble(417);
    }
}

fn the_absolute_form_is_understood(broker: &Broker) {
    let key = fresh("absolute");
    let mut connection = broker.http();
    for (origin, status) in [("http://lux.test", 201), ("http://other.test:8080", 200), ("HTTPS://x", 200)] {
        let request = put("", "1").body("{\"data\":1}").method("PUT");
        let line = format!("PUT {origin}/api/lux/{key} HTTP/1.1");
        let text = String::from_utf8(request.bytes()).unwrap();
        let rest = text.split_once("\r\n").unwrap().1;
        connection.send(format!("{line}\r\n{rest}").as_bytes());
        connection.answer().expect(status);
    }
}

fn field_names_and_tokens_have_no_case(broker: &Broker) {
    let key = fresh("case");
    let mut connection = broker.http();
    let bearer = format!("bEARER {}", crate::harness::API_KEY);
    let text = format!(
        "PUT /api/lux/{key} HTTP/1.1\r\nhOST: x\r\nAUTHORIZATION:{bearer}\r\n\
         cOnTeNt-lEnGtH:\t 10 \t\r\nX-Odd: \"caf\u{e9}\"\r\n\r\n{{\"data\":1}}"
    );
    connection.send(text.as_bytes());
    connection.answer().expect(201);
    let request = Request::new("PUT", &format!("/api/lux/{key}")).field("transfer-encoding", "Chunked");
    connection.send(&[request.head_bytes(), b"a\r\n{\"data\":2}\r\n0\r\n\r\n".to_vec()].concat());
    connection.answer().expect(200);
}

fn empty_lines_before_a_request_are_passed_over(broker: &Broker) {
    // RFC 9112, section 2.2: at least one of them, as old clients send it after a body.
    let key = fresh("empty-line");
    let mut connection = broker.http();
    connection.send(&[b"\r\n".to_vec(), put(&key, "1").bytes()].concat());
    connection.answer().expect(201);
    connection.send(&[b"\r\n".to_vec(), get(&key).bytes()].concat());
    connection.answer().expect(200);
}

fn an_unknown_method_is_405_with_allow(broker: &Broker) {
    let key = fresh("method");
    let mut connection = broker.http();
    for (target, allowed) in [
        (format!("/api/lux/{key}"), &["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"][..]),
        ("/api/lux".to_string(), &["GET", "HEAD", "OPTIONS"]),
        (format!("/api/lux/stream/{key}"), &["GET", "HEAD", "OPTIONS"]),
        ("/healthz".to_string(), &["GET", "HEAD"]),
        ("/metrics".to_string(), &["GET", "HEAD"]),
    ] {
        let refused = connection.ask(&Request::new("POST", &target).body("{\"data\":1}"));
        let allow = refused.head.elements("Allow");
        for method in allowed {
            assert!(allow.contains(&method.to_ascii_lowercase()), "{method} of {target} in {allow:?}");
        }
        assert!(!allow.contains(&"post".to_string()));
        refused.trouble(405);
    }
    connection.ask(&Request::new("PUT", "/healthz").body("{\"data\":1}")).trouble(405);
}

fn an_unknown_path_is_404(broker: &Broker) {
    let mut connection = broker.http();
    for target in ["/nowhere", "/api", "/api/luxury", "/apis/lux/key", "//", "/lux.js.map", "/healthz/x"] {
        connection.ask(&Request::new("GET", target)).trouble(404);
    }
}

fn a_get_with_a_body_is_answered_and_its_body_passed_over(broker: &Broker) {
    let key = fresh("get-body");
    let mut connection = broker.http();
    connection.ask(&put(&key, "1")).expect(201);
    let smuggled = put(&key, "2").bytes();
    connection.ask(&get(&key).body(smuggled)).expect(200);
    assert_eq!(connection.ask(&get(&key)).expect(200).record().data, "1");
}
