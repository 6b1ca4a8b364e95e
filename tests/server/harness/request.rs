//! Requests as bytes, written out by hand.
//!
//! Always true: what a test asks for is what goes out; nothing is normalised.
//!
//! Read first: `harness/mod.rs`.

use super::API_KEY;

/// A request being put together.
#[derive(Clone)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    target: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

/// `GET` of a key's record.
pub fn get(key: &str) -> Request {
    Request::new("GET", &format!("/api/lux/{key}"))
}

/// `PUT` of a key's state.
pub fn put(key: &str, state: &str) -> Request {
    Request::new("PUT", &format!("/api/lux/{key}")).body(format!("{{\"data\":{state}}}"))
}

/// `PATCH` of a key's state, as a merge patch.
pub fn patch(key: &str, patch: &str) -> Request {
    Request::new("PATCH", &format!("/api/lux/{key}"))
        .field("Content-Type", "application/merge-patch+json")
        .body(patch)
}

/// `DELETE` of a key's state.
pub fn delete(key: &str) -> Request {
    Request::new("DELETE", &format!("/api/lux/{key}"))
}

/// `GET` of several records, with this query.
pub fn list(query: &str) -> Request {
    Request::new("GET", &format!("/api/lux?{query}"))
}

impl Request {
    /// A request with `Host`, the tests' key, and nothing else.
    pub fn new(method: &str, target: &str) -> Request {
        let fields = [("Host", "lux.test".to_string()), ("Authorization", format!("Bearer {API_KEY}"))];
        Request {
            method: method.to_string(),
            target: target.to_string(),
            fields: fields.map(|(name, value)| (name.to_string(), value)).to_vec(),
            body: Vec::new(),
        }
    }

    /// The same with another method.
    pub fn method(mut self, method: &str) -> Request {
        self.method = method.to_string();
        self
    }

    /// Adds a field.
    pub fn field(mut self, name: &str, value: &str) -> Request {
        self.fields.push((name.to_string(), value.to_string()));
        self
    }

    /// Takes a field out.
    pub fn without(mut self, name: &str) -> Request {
        self.fields.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self
    }

    /// Uses another API key.
    pub fn bearer(self, key: &str) -> Request {
        self.without("Authorization").field("Authorization", &format!("Bearer {key}"))
    }

    /// Uses no API key.
    pub fn anonymous(self) -> Request {
        self.without("Authorization")
    }

    /// Sets the body, with its `Content-Length`.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.without("Content-Length").field("Content-Length", &length)
    }

    /// Sets the body, in these chunks.
    pub fn chunks(mut self, chunks: &[&[u8]]) -> Request {
        self.body.clear();
        for chunk in chunks.iter().chain(&[&b""[..]]) {
            self.body.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
            self.body.extend(*chunk);
            self.body.extend(b"\r\n");
        }
        self.without("Content-Length").field("Transfer-Encoding", "chunked")
    }

    /// The head's bytes, with the empty line.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend(b"\r\n");
        bytes
    }

    /// The body's bytes, as they go out.
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }

    /// All its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        [self.head_bytes(), self.body.clone()].concat()
    }
}
