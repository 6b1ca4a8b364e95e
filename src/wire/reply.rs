//! How each [`WireError`] is answered: status, code, message, close code, and whether the connection ends.
//!
//! Always true: a message says what is wrong and what to do, names the limit where there is one, and never
//! repeats a secret.
//!
//! Read first: `error.rs`.

use std::fmt;

use super::error::{BadUpgrade, FrameError, Malformed, WireError};

impl WireError {
    /// The HTTP status of the answer (RFC 9110, section 15; RFC 6585 for 431; RFC 4918 for 507).
    pub fn status(&self) -> u16 {
        match self {
            WireError::Malformed(_) | WireError::NoBody | WireError::NotUtf8(_) | WireError::BadJson(_) => {
                400
            }
            WireError::NoData(_) | WireError::BadKey(_) | WireError::BadQuery(..) => 400,
            WireError::PlainHttp => 400,
            WireError::BadCondition(_) | WireError::Frame(_) | WireError::BadMessage(_) => 400,
            WireError::NoToken(_) => 400,
            WireError::Unauthorized | WireError::BadToken(_) => 401,
            WireError::Forbidden(_) | WireError::OriginRefused => 403,
            WireError::NotFound | WireError::NoState => 404,
            WireError::MethodNotAllowed(_) => 405,
            WireError::NotAcceptable => 406,
            WireError::HeadTimeout(_) | WireError::BodyTimeout(_) => 408,
            WireError::PreconditionFailed => 412,
            WireError::BodyTooLarge(_) | WireError::StateTooLarge(_) | WireError::TooDeep(_) => 413,
            WireError::TooManyPatterns(_) | WireError::MessageTooLarge(_) => 413,
            WireError::PatchType => 415,
            WireError::Expectation => 417,
            WireError::BadUpgrade(BadUpgrade::Version) => 426,
            WireError::BadUpgrade(
                BadUpgrade::Connection | BadUpgrade::Key | BadUpgrade::Body | BadUpgrade::Method,
            ) => 400,
            WireError::HeadTooLarge(_) | WireError::TooManyFields(_) => 431,
            WireError::TransferCoding => 501,
            WireError::AddressFull(_) | WireError::ConnectsTooFast(_) | WireError::WritesTooFast(..) => 429,
            WireError::TooManyConnections(_)
            | WireError::Overloaded
            | WireError::Draining
            | WireError::NoTokenKey => 503,
            WireError::Version => 505,
            WireError::KeysFull(_) | WireError::StateMemoryFull(_) => 507,
        }
    }

    /// The `error` of the answer's JSON: short, for programs, and the same for ever.
    pub fn code(&self) -> &'static str {
        match self {
            WireError::Malformed(_) => "bad_request",
            WireError::PlainHttp => "https_only",
            WireError::Version => "version_not_supported",
            WireError::TransferCoding => "not_implemented",
            WireError::Expectation => "expectation_failed",
            WireError::HeadTooLarge(_) | WireError::TooManyFields(_) => "head_too_large",
            WireError::HeadTimeout(_) | WireError::BodyTimeout(_) => "timeout",
            WireError::BodyTooLarge(_) | WireError::StateTooLarge(_) => "too_large",
            WireError::MessageTooLarge(_) => "too_large",
            WireError::TooDeep(_) => "too_deep",
            WireError::NoBody => "no_body",
            WireError::NotUtf8(_) => "not_utf8",
            WireError::BadJson(_) => "bad_json",
            WireError::NoData(_) => "no_data",
            WireError::BadKey(_) => "bad_key",
            WireError::BadQuery(..) => "bad_query",
            WireError::BadCondition(_) => "bad_condition",
            WireError::Unauthorized | WireError::BadToken(_) => "unauthorized",
            WireError::NoToken(_) => "bad_token_request",
            WireError::NoTokenKey => "no_token_key",
            WireError::Forbidden(_) | WireError::OriginRefused => "forbidden",
            WireError::NotFound | WireError::NoState => "not_found",
            WireError::MethodNotAllowed(_) => "method_not_allowed",
            WireError::NotAcceptable => "not_acceptable",
            WireError::PreconditionFailed => "precondition_failed",
            WireError::PatchType => "unsupported_media_type",
            WireError::BadUpgrade(_) => "bad_upgrade",
            WireError::TooManyPatterns(_) => "too_many_patterns",
            WireError::KeysFull(_) => "keys_full",
            WireError::StateMemoryFull(_) => "memory_full",
            WireError::TooManyConnections(_) => "too_many_connections",
            WireError::AddressFull(_) => "too_many_connections",
            WireError::ConnectsTooFast(_) | WireError::WritesTooFast(..) => "too_fast",
            WireError::Overloaded => "overloaded",
            WireError::Draining => "draining",
            WireError::Frame(_) => "bad_frame",
            WireError::BadMessage(_) => "bad_message",
        }
    }

    /// The close code for a WebSocket that ends because of this (RFC 6455, section 7.4.1).
    pub fn close_code(&self) -> u16 {
        if let WireError::Frame(breach) = self {
            return if *breach == FrameError::NotUtf8 { 1007 } else { 1002 };
        }
        if let WireError::MessageTooLarge(_) = self { 1009 } else { 1008 }
    }

    /// Whether the connection ends with the answer: what follows on it cannot be told apart, or is not wanted.
    pub fn closes(&self) -> bool {
        match self {
            // The head was framed well; only its path or query reads badly.
            WireError::Malformed(what) => *what != Malformed::PercentEncoding,
            // Whatever came with an upgrade was never meant as a body of ours.
            WireError::BadUpgrade(what) => *what == BadUpgrade::Body,
            WireError::PlainHttp => true,
            WireError::Version | WireError::TransferCoding | WireError::BodyTooLarge(_) => true,
            WireError::HeadTooLarge(_) | WireError::TooManyFields(_) => true,
            WireError::HeadTimeout(_) | WireError::BodyTimeout(_) | WireError::TooManyConnections(_) => true,
            WireError::AddressFull(_) | WireError::ConnectsTooFast(_) => true,
            WireError::Frame(_) | WireError::MessageTooLarge(_) => true,
            WireError::Expectation | WireError::StateTooLarge(_) | WireError::TooDeep(_) => false,
            WireError::NoBody | WireError::NotUtf8(_) | WireError::BadJson(_) | WireError::NoData(_) => false,
            WireError::BadKey(_) | WireError::BadQuery(..) | WireError::BadCondition(_) => false,
            WireError::Unauthorized | WireError::Forbidden(_) | WireError::OriginRefused => false,
            WireError::BadToken(_) | WireError::NoToken(_) | WireError::NoTokenKey => false,
            WireError::NotFound | WireError::NoState | WireError::MethodNotAllowed(_) => false,
            WireError::NotAcceptable | WireError::PreconditionFailed | WireError::PatchType => false,
            WireError::TooManyPatterns(_) | WireError::KeysFull(_) | WireError::StateMemoryFull(_) => false,
            // A body that is not wanted is not read to its end, either.
            WireError::Overloaded => true,
            WireError::WritesTooFast(..) => false,
            WireError::Draining | WireError::BadMessage(_) => false,
        }
    }

    /// What the `Allow` field of the answer says, for 405 only (RFC 9110, section 10.2.1).
    pub fn allow(&self) -> Option<&'static str> {
        if let WireError::MethodNotAllowed(allow) = self { Some(allow) } else { None }
    }

    /// The answer's body: `{"error":"<code>","message":"<text>"}`.
    pub fn to_json(&self) -> Vec<u8> {
        let message = serde_json::Value::String(self.to_string());
        format!(r#"{{"error":"{}","message":{message}}}"#, self.code()).into_bytes()
    }
}

impl std::error::Error for WireError {}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_problem(f)?;
        match self.remedy() {
            "" => Ok(()),
            remedy => write!(f, "; {remedy}"),
        }
    }
}

impl WireError {
    /// What is wrong.
    fn write_problem(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WireError::Malformed(what) => write!(f, "{what}"),
            WireError::PlainHttp => write!(f, "this broker speaks TLS on this port, and no plain HTTP"),
            WireError::Version => write!(f, "only HTTP/1.1 is spoken here"),
            WireError::TransferCoding => write!(f, "the only transfer coding known here is chunked, once"),
            WireError::Expectation => write!(f, "the only expectation known here is 100-continue"),
            WireError::HeadTooLarge(max) => write!(f, "the request head is larger than {max} bytes"),
            WireError::TooManyFields(max) => write!(f, "the request has more than {max} header fields"),
            WireError::HeadTimeout(ms) => write!(f, "the request head took longer than {ms} ms to arrive"),
            WireError::BodyTimeout(ms) => write!(f, "the body took longer than {ms} ms to arrive"),
            WireError::BodyTooLarge(max) => write!(f, "the body is larger than {max} bytes"),
            WireError::StateTooLarge(max) => write!(f, "the state is larger than {max} bytes"),
            WireError::TooDeep(max) => write!(f, "the state nests deeper than {max} arrays and objects"),
            WireError::NoBody => write!(f, "there is no body"),
            WireError::NotUtf8(at) => write!(f, "the body is not UTF-8 from byte {at} on"),
            WireError::BadJson(what) => write!(f, "the body is not JSON: {what}"),
            WireError::NoData(why) => write!(f, "{why}"),
            WireError::BadKey(why) => write!(f, "{why}"),
            WireError::BadQuery(name, should) => write!(f, "the query parameter `{name}` should be {should}"),
            WireError::BadCondition(name) => write!(f, "{name} is no list of entity tags"),
            WireError::Unauthorized => write!(f, "no valid API key came with this request"),
            WireError::BadToken(why) => write!(f, "this token is not good: {why}"),
            WireError::NoToken(why) => write!(f, "{why}"),
            WireError::NoTokenKey => write!(f, "this broker has no secret to sign tokens with"),
            WireError::Forbidden(lacks) => write!(f, "this API key may not {lacks}"),
            WireError::OriginRefused => write!(f, "pages from this origin may not use this broker"),
            WireError::NotFound => write!(f, "nothing lives at this path"),
            WireError::NoState => write!(f, "this key has no state"),
            WireError::MethodNotAllowed(knows) => write!(f, "this path knows only the methods {knows}"),
            WireError::NotAcceptable => write!(f, "a stream is a WebSocket or text/event-stream"),
            WireError::PreconditionFailed => write!(f, "the state is not as the condition says"),
            WireError::PatchType => write!(f, "the Content-Type is none of a patch"),
            WireError::BadUpgrade(what) => write!(f, "{what}"),
            WireError::TooManyPatterns(max) => write!(f, "a stream watches at most {max} patterns"),
            WireError::KeysFull(max) => write!(f, "the broker holds {max} keys per core already"),
            WireError::StateMemoryFull(max) => {
                write!(f, "the states take their {max} bytes of memory already")
            }
            WireError::TooManyConnections(max) => {
                write!(f, "the broker serves {max} connections per core already")
            }
            WireError::AddressFull(max) => {
                write!(f, "this address has {max} connections per core already")
            }
            WireError::ConnectsTooFast(max) => {
                write!(f, "this address may open {max} connections a second per core")
            }
            WireError::WritesTooFast(what, max) => {
                write!(f, "{what} may have {max} writes a second")
            }
            WireError::Overloaded => write!(f, "what others are sending takes all the memory it may"),
            WireError::Draining => write!(f, "the broker is stopping"),
            WireError::Frame(what) => write!(f, "{what}"),
            WireError::MessageTooLarge(max) => write!(f, "the message is larger than {max} bytes"),
            WireError::BadMessage(why) => write!(f, "{why}"),
        }
    }

    /// What to do about it; nothing where the problem says it already.
    fn remedy(&self) -> &'static str {
        match self {
            WireError::Malformed(_) | WireError::BadUpgrade(_) | WireError::Frame(_) => "",
            WireError::BadKey(_) | WireError::BadQuery(..) => "",
            WireError::PlainHttp => "ask again with https:// (wss:// for a WebSocket)",
            WireError::Version => "ask again with HTTP/1.1",
            WireError::TransferCoding => "send Transfer-Encoding: chunked, or a Content-Length",
            WireError::Expectation => "leave Expect out",
            WireError::HeadTooLarge(_) | WireError::TooManyFields(_) => "send fewer or shorter fields",
            WireError::HeadTimeout(_) | WireError::BodyTimeout(_) => "send it again, in one go",
            WireError::BodyTooLarge(_) | WireError::StateTooLarge(_) => "split the state over several keys",
            WireError::TooDeep(_) => "flatten it",
            WireError::NoBody => r#"send {"data":…}, or with PATCH the patch itself"#,
            WireError::NoData(_) => r#"send {"data":…}"#,
            WireError::NotUtf8(_) => "JSON always travels as UTF-8",
            WireError::BadJson(_) => "send valid JSON",
            WireError::BadCondition(_) => r#"write each as "<epoch>.<rev>" with its quotes, or a single *"#,
            WireError::Unauthorized => "send Authorization: Bearer <key>",
            WireError::BadToken(_) => "bring a new one",
            WireError::NoToken(_) => r#"send {"read":["dashboard-*"],"for":"1h"}"#,
            WireError::NoTokenKey => "its log says why; `lux check` too",
            WireError::Forbidden(_) => "use a key whose grant covers it",
            WireError::OriginRefused => "allow it with --allow-origin",
            WireError::NotFound => "states are at /api/lux/<key>",
            WireError::NoState => "PUT one first",
            WireError::MethodNotAllowed(_) => "use one of them",
            WireError::NotAcceptable => "ask for one of the two",
            WireError::PreconditionFailed => "read it again, then decide anew",
            WireError::PatchType => {
                r#"send application/merge-patch+json, or application/json with {"data":<patch>}"#
            }
            WireError::TooManyPatterns(_) => "watch a prefix such as device-*",
            WireError::KeysFull(_) | WireError::StateMemoryFull(_) => "delete some, or raise the limit",
            WireError::TooManyConnections(_) | WireError::Draining => "try again in a moment",
            WireError::AddressFull(_) => "close one first, or share one between several patterns",
            WireError::ConnectsTooFast(_) => "try again in a second, and keep connections open",
            WireError::WritesTooFast(..) => "try again in a second, with the newest state",
            WireError::Overloaded => "try again in a second",
            WireError::MessageTooLarge(_) => "send less at once",
            WireError::BadMessage(_) => r#"send {"subscribe":["key"]} or {"unsubscribe":["key"]}"#,
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::RequestLine => {
                "the request line cannot be read; write it as METHOD /path HTTP/1.1 with single spaces"
            }
            Malformed::Target => {
                "the request target cannot be read; write it as /path?query in visible ASCII, without #"
            }
            Malformed::LineEnding => "a line of the head does not end in CRLF; end every line with CRLF",
            Malformed::Field => "a header field cannot be read; write it as Name: value",
            Malformed::Folded => "a header field goes on over a second line; write each on one line",
            Malformed::Length => "Content-Length is not plain digits within range; send the exact length",
            Malformed::TwoLengths => "Content-Length is given twice; send exactly one",
            Malformed::TwoFramings => {
                "the body has a Content-Length and a Transfer-Encoding; send exactly one of the two"
            }
            Malformed::Codings => {
                "Transfer-Encoding has chunked twice or not last, or nothing; send Transfer-Encoding: chunked"
            }
            Malformed::Chunk => "the chunked body cannot be read; check its sizes, line endings and trailers",
            Malformed::Host => "Host is missing, doubled or no host; send exactly one",
            Malformed::PercentEncoding => {
                "a % in the path or the query is not followed by two hex digits, or does not give UTF-8 text; \
                 write % itself as %25"
            }
        })
    }
}

impl fmt::Display for BadUpgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadUpgrade::Connection => {
                "a WebSocket handshake needs both Upgrade: websocket and Connection: Upgrade"
            }
            BadUpgrade::Key => "Sec-WebSocket-Key must be there once: 16 random bytes in base64",
            BadUpgrade::Version => {
                "only version 13 of WebSocket is spoken here; send Sec-WebSocket-Version: 13"
            }
            BadUpgrade::Body => "a WebSocket handshake has no body; send it without one",
            BadUpgrade::Method => "a WebSocket handshake is a GET; use GET",
        })
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FrameError::ReservedBit => "a reserved bit of the frame is set; no extension was agreed on",
            FrameError::Opcode => "the frame's opcode means nothing",
            FrameError::Unmasked => "frames from a client must be masked",
            FrameError::Length => "the frame's length is not in its shortest form or out of range",
            FrameError::FragmentedControl => "a control frame must not be fragmented",
            FrameError::LongControl => "a control frame has at most 125 bytes",
            FrameError::Continuation => "a continuation without a message, or a message inside another",
            FrameError::CloseCode => "the close code may not be sent",
            FrameError::NotUtf8 => "the text is not UTF-8",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyError;
    use crate::wire::response::reason;

    /// One of each, with status, close code and whether it closes, as `error.rs` promises.
    #[rustfmt::skip]
    fn each() -> Vec<(WireError, u16, bool)> {
        vec![
            (WireError::Malformed(Malformed::LineEnding), 400, true),
            (WireError::Malformed(Malformed::PercentEncoding), 400, false),
            (WireError::Version, 505, true),
            (WireError::TransferCoding, 501, true),
            (WireError::Expectation, 417, false),
            (WireError::HeadTooLarge(4711), 431, true),
            (WireError::TooManyFields(4711), 431, true),
            (WireError::HeadTimeout(4711), 408, true),
            (WireError::BodyTimeout(4711), 408, true),
            (WireError::BodyTooLarge(4711), 413, true),
            (WireError::StateTooLarge(4711), 413, false),
            (WireError::TooDeep(4711), 413, false),
            (WireError::NoBody, 400, false),
            (WireError::NotUtf8(4711), 400, false),
            (WireError::BadJson("expected `\"` at line 1 column 2".into()), 400, false),
            (WireError::PlainHttp, 400, true),
            (WireError::NoData("no \"data\""), 400, false),
            (WireError::BadKey(KeyError::TooLong), 400, false),
            (WireError::BadQuery("wait", "a number of seconds"), 400, false),
            (WireError::BadCondition("If-Match"), 400, false),
            (WireError::Unauthorized, 401, false),
            (WireError::BadToken("it has expired"), 401, false),
            (WireError::NoTokenKey, 503, false),
            (WireError::NoToken("a token lives for at most 4711 seconds here".into()), 400, false),
            (WireError::Forbidden("read device-*".into()), 403, false),
            (WireError::OriginRefused, 403, false),
            (WireError::NotFound, 404, false),
            (WireError::NoState, 404, false),
            (WireError::MethodNotAllowed("GET, HEAD"), 405, false),
            (WireError::NotAcceptable, 406, false),
            (WireError::PreconditionFailed, 412, false),
            (WireError::PatchType, 415, false),
            (WireError::BadUpgrade(BadUpgrade::Key), 400, false),
            (WireError::BadUpgrade(BadUpgrade::Version), 426, false),
            (WireError::BadUpgrade(BadUpgrade::Body), 400, true),
            (WireError::TooManyPatterns(4711), 413, false),
            (WireError::KeysFull(4711), 507, false),
            (WireError::StateMemoryFull(4711), 507, false),
            (WireError::TooManyConnections(4711), 503, true),
            (WireError::Draining, 503, false),
            (WireError::AddressFull(9), 429, true),
            (WireError::ConnectsTooFast(9), 429, true),
            (WireError::WritesTooFast("this key", 9), 429, false),
            (WireError::Overloaded, 503, true),
            (WireError::Frame(FrameError::Opcode), 400, true),
            (WireError::MessageTooLarge(4711), 413, true),
            (WireError::BadMessage("not a command"), 400, false),
        ]
    }

    #[test]
    fn every_error_has_its_answer() {
        for (error, status, closes) in each() {
            assert_eq!((error.status(), error.closes()), (status, closes), "{error:?}");
            assert!(!reason(status).is_empty(), "{status}");
            assert!(
                error.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte == b'8')
            );
            let json: serde_json::Value = serde_json::from_slice(&error.to_json()).unwrap();
            assert_eq!(
                (json["error"].as_str(), json["message"].as_str()),
                (Some(error.code()), Some(&*error.to_string()))
            );
            assert!(error.to_string().len() > 20, "{error}");
        }
    }

    #[test]
    fn a_limit_is_named() {
        for (error, _, _) in each().into_iter().filter(|(error, _, _)| format!("{error:?}").contains("4711"))
        {
            assert!(error.to_string().contains("4711"), "{error}");
        }
        assert!(WireError::BadKey(KeyError::TooLong).to_string().contains("128"));
        assert!(WireError::Forbidden("read device-*".into()).to_string().contains("read device-*"));
        assert!(WireError::MethodNotAllowed("GET, HEAD").to_string().contains("GET, HEAD"));
    }

    #[test]
    fn a_socket_closes_with_the_rfcs_codes() {
        assert_eq!(WireError::Frame(FrameError::Unmasked).close_code(), 1002);
        assert_eq!(WireError::Frame(FrameError::NotUtf8).close_code(), 1007);
        assert_eq!(WireError::MessageTooLarge(1).close_code(), 1009);
        assert_eq!(WireError::Unauthorized.close_code(), 1008);
    }

    #[test]
    fn only_405_says_what_is_allowed() {
        assert_eq!(WireError::MethodNotAllowed("GET, HEAD").allow(), Some("GET, HEAD"));
        assert_eq!(WireError::NotFound.allow(), None);
    }
}
