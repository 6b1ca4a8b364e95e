//! What a peer can get wrong, and the reply each of it deserves.
//!
//! Always true: every error has an HTTP status, a short code, a message that says what is wrong and what to
//! do (naming the limit where there is one), and says whether the bytes that follow can still be trusted.
//!
//! Read first: `wire/mod.rs`.

use crate::key::KeyError;

/// What a peer got wrong, or may not have, or must wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The request breaks RFC 9112's grammar or framing: 400 and close.
    Malformed(Malformed),
    /// Plain HTTP where TLS is spoken: 400 and close.
    PlainHttp,
    /// Not HTTP/1.1: 505 and close.
    Version,
    /// A transfer coding other than chunked: 501 and close.
    TransferCoding,
    /// `Expect` asks for something other than 100-continue: 417.
    Expectation,
    /// The head is larger than this many bytes: 431 and close.
    HeadTooLarge(usize),
    /// The head has more than this many fields: 431 and close.
    TooManyFields(usize),
    /// The head took longer than this many milliseconds: 408 and close.
    HeadTimeout(u64),
    /// The body took longer than this many milliseconds: 408 and close.
    BodyTimeout(u64),
    /// The body is larger than this many bytes: 413 and close.
    BodyTooLarge(usize),
    /// The state, as kept, is larger than this many bytes: 413.
    StateTooLarge(usize),
    /// The state nests deeper than this: 413.
    TooDeep(usize),
    /// A write without a body: 400.
    NoBody,
    /// The body is not UTF-8 from this byte on: 400.
    NotUtf8(usize),
    /// The body is not JSON, as serde_json says it: 400.
    BadJson(String),
    /// The body is no object with exactly one `data`: 400. Says what it is instead.
    NoData(&'static str),
    /// The path or the query names something that is no key: 400.
    BadKey(KeyError),
    /// A query parameter that cannot be understood: 400. Its name, and what it should be.
    BadQuery(&'static str, &'static str),
    /// A conditional field that is no list of entity tags: 400. The field's name.
    BadCondition(&'static str),
    /// No valid API key: 401.
    Unauthorized,
    /// A token that is not good: 401. What is wrong with it.
    BadToken(&'static str),
    /// A wish for a token that cannot be met: 400. Why not.
    NoToken(String),
    /// There is nothing to sign tokens with: 503.
    NoTokenKey,
    /// Outside the key's grant: 403. What the grant lacks, as `read device-*`.
    Forbidden(String),
    /// A browser's page from an origin that is not allowed: 403.
    OriginRefused,
    /// Nothing lives at this path: 404.
    NotFound,
    /// The key has no state: 404.
    NoState,
    /// The path does not know this method: 405. What it knows, as `Allow` says it.
    MethodNotAllowed(&'static str),
    /// The stream is neither a WebSocket upgrade nor an event stream: 406.
    NotAcceptable,
    /// A condition on the write does not hold: 412.
    PreconditionFailed,
    /// A patch of another kind: 415.
    PatchType,
    /// A WebSocket handshake that lacks something (RFC 6455, section 4.2.1): 400, or 426 for the version.
    BadUpgrade(BadUpgrade),
    /// More than this many patterns on one stream: 413.
    TooManyPatterns(usize),
    /// The core holds this many keys already: 507.
    KeysFull(usize),
    /// The states take this many bytes already: 507.
    StateMemoryFull(usize),
    /// The core serves this many connections already: 503.
    TooManyConnections(usize),
    /// This address has this many connections to the core already: 429 and close.
    AddressFull(usize),
    /// This address may open this many connections a second: 429 and close.
    ConnectsTooFast(usize),
    /// The key, or the API key, may be written so many times a second: 429. Which of the two.
    WritesTooFast(&'static str, usize),
    /// What peers send takes all the memory it may: 503 and close.
    Overloaded,
    /// The broker is stopping: 503.
    Draining,
    /// A breach of RFC 6455 on an open socket; closes with its own code.
    Frame(FrameError),
    /// A message above this many bytes: close with 1009.
    MessageTooLarge(usize),
    /// A message that is no command; answered, and the stream goes on.
    BadMessage(&'static str),
}

/// The ways in which a request can break RFC 9112.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The request line.
    RequestLine,
    /// The request target is neither origin-form nor absolute-form (or `*` for OPTIONS).
    Target,
    /// A line that ends in a bare line feed, or a carriage return without one (section 2.2).
    LineEnding,
    /// A field line: name, colon or value (section 5.1).
    Field,
    /// A field folded over lines (section 5.2).
    Folded,
    /// A `Content-Length` that is not plain digits, or is past counting.
    Length,
    /// Two `Content-Length` fields, equal or not.
    TwoLengths,
    /// `Content-Length` beside `Transfer-Encoding` (section 6.3).
    TwoFramings,
    /// `Transfer-Encoding` with chunked twice or not last, or with nothing in it (section 6.3).
    Codings,
    /// A chunk's size, extension, ending or trailer (section 7.1).
    Chunk,
    /// No `Host`, or more than one (section 3.2).
    Host,
    /// `%` without two hex digits.
    PercentEncoding,
}

/// What a WebSocket handshake can lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadUpgrade {
    /// `Upgrade: websocket` without `Connection: Upgrade`, or the other way round.
    Connection,
    /// `Sec-WebSocket-Key` missing, doubled or not 16 bytes in base64.
    Key,
    /// `Sec-WebSocket-Version` is not 13: 426.
    Version,
    /// An upgrade that brings a body.
    Body,
    /// The method is not GET.
    Method,
}

/// The ways in which an open socket can break RFC 6455.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A reserved bit is set: 1002.
    ReservedBit,
    /// An opcode that means nothing: 1002.
    Opcode,
    /// A frame from a client without a mask: 1002.
    Unmasked,
    /// A length not in its shortest form, or with its top bit set: 1002.
    Length,
    /// A control frame in fragments: 1002.
    FragmentedControl,
    /// A control frame with more than 125 bytes: 1002.
    LongControl,
    /// A continuation of nothing, or a new message inside another: 1002.
    Continuation,
    /// A close frame of one byte, or with a code that may not be sent: 1002.
    CloseCode,
    /// Text, or a close reason, that is not UTF-8: 1007.
    NotUtf8,
}

impl From<Malformed> for WireError {
    fn from(what: Malformed) -> WireError {
        WireError::Malformed(what)
    }
}

impl From<FrameError> for WireError {
    fn from(what: FrameError) -> WireError {
        WireError::Frame(what)
    }
}

impl From<BadUpgrade> for WireError {
    fn from(what: BadUpgrade) -> WireError {
        WireError::BadUpgrade(what)
    }
}
