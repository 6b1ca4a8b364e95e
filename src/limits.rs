//! Every bound of the broker in one place, with what they owe each other.
//!
//! Always true: nothing in the house grows past a number that stands here. The fields of [`Limits`] are the
//! operator's; the constants below them are ours.
//!
//! Read first: `lib.rs`.

/// What an operator may set. Sizes are bytes, times milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest state, as kept (insignificant white space gone).
    pub state_bytes_max: usize,
    /// The deepest nesting of arrays and objects in a state.
    pub nesting_max: usize,
    /// The largest request head: request line and fields.
    pub head_bytes_max: usize,
    /// The most fields in one request head.
    pub head_fields_max: usize,
    /// Keys with a state, per core.
    pub keys_max: usize,
    /// Deleted keys whose revision is remembered, per core.
    pub tombstones_max: usize,
    /// Memory for states, the whole process.
    pub state_memory_bytes_max: usize,
    /// Patterns one stream may watch.
    pub patterns_max: usize,
    /// Connections, per core.
    pub connections_max: usize,
    /// The largest message a viewer may send on its socket.
    pub message_bytes_max: usize,
    /// From the first byte of a request head (or the opening of a connection) to its last.
    pub head_timeout_ms: u64,
    /// From a request's head to the last byte of its body.
    pub body_timeout_ms: u64,
    /// How long a connection may stay open between two requests.
    pub idle_timeout_ms: u64,
    /// Between two pings to a viewer, and between two comments on an event stream.
    pub ping_interval_ms: u64,
    /// How long requests under way are given when the broker stops.
    pub drain_ms: u64,
    /// Revisions of one key a second; 0 for any number.
    pub writes_per_key: usize,
    /// Writes by one API key a second, per core; 0 for any number.
    pub writes_per_api_key: usize,
    /// Connections from one address, per core; 0 for any number.
    pub connections_per_address: usize,
    /// New connections from one address a second, per core; 0 for any number.
    pub connects_per_address: usize,
    /// Memory for what peers send and are answered, beside the states, the whole process; 0 for any amount.
    pub memory_mark_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            state_bytes_max: 256 * KIB,
            nesting_max: 128,
            head_bytes_max: 16 * KIB,
            head_fields_max: 64,
            keys_max: 100_000,
            tombstones_max: 100_000,
            state_memory_bytes_max: 1024 * 1024 * KIB,
            patterns_max: 1_024,
            connections_max: 100_000,
            message_bytes_max: 256 * KIB,
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            idle_timeout_ms: 75_000,
            ping_interval_ms: 20_000,
            drain_ms: 5_000,
            writes_per_key: 0,
            writes_per_api_key: 0,
            connections_per_address: 0,
            connects_per_address: 0,
            memory_mark_bytes: 512 * 1024 * KIB,
        }
    }
}

impl Limits {
    /// The largest request body: a state of the largest size, wrapped, with a little white space.
    pub fn body_bytes_max(&self) -> usize {
        self.state_bytes_max + BODY_BYTES_EXTRA
    }
}

const KIB: usize = 1024;

/// What a body may have beyond its state.
pub const BODY_BYTES_EXTRA: usize = 4 * KIB;
/// The longest key, in characters (all of them one byte).
pub const KEY_BYTES_MAX: usize = 128;
/// The most that `head_fields_max` may be set to: the size of the parser's table.
pub const HEAD_FIELDS_CEILING: usize = 256;
/// The most that `nesting_max` may be set to: merging recurses this deep.
pub const NESTING_CEILING: usize = 512;
/// Extensions of all chunks of one body together (RFC 9112, section 7.1.1).
pub const CHUNK_EXTENSION_BYTES_MAX: usize = KIB;
/// Trailer fields after a chunked body; read and dropped.
pub const TRAILER_BYTES_MAX: usize = 4 * KIB;
/// A control frame's payload (RFC 6455, section 5.5).
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;
/// An API key: shorter ones are guessed, longer ones are not keys.
pub const API_KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=128;
/// A token: room for some claims and an RSA signature, and well inside a request head.
pub const TOKEN_BYTES_MAX: usize = 4 * KIB;
/// Tokens that a core remembers having verified.
pub const PASSES_MAX: usize = 1_024;
/// The longest `?wait=`, in seconds; larger ones are taken as this.
pub const WAIT_SECONDS_MAX: u64 = 60;
/// The most records in one page of a listing, also the default.
pub const LIST_RECORDS_MAX: usize = 1_000;
/// A page of a listing ends early once its records reach this, and `next` says where to go on.
pub const LIST_BYTES_MAX: usize = 4 * 1024 * KIB;
/// Records that a core gives out for a snapshot between two other things it does.
///
/// Few where assertions are on, so that the simulator's few keys take several parts.
pub const SAVED_PART_RECORDS: usize = if cfg!(debug_assertions) { 2 } else { 256 };
/// A part of a snapshot is handed over early once its records reach this.
pub const SAVED_PART_BYTES: usize = 256 * KIB;
/// Several small records to one viewer leave in one write up to this; larger ones leave alone, shared.
pub const BATCH_BYTES_MAX: usize = 16 * KIB;
/// Answers waiting for a peer that does not read; beyond it the peer is not read either.
pub const ANSWER_BYTES_MAX: usize = 64 * KIB;
/// How long a closing connection is read and dropped, so that its last answer arrives.
pub const LINGER_MS: u64 = 2_000;
/// When the broker stops, how long connections between two requests stay open, so that they may still learn
/// from `/readyz` that it does.
pub const DRAIN_IDLE_MS: u64 = 500;
/// Messages on their way from one core to another.
pub const MESH_SLOTS: usize = 1_024;

/// From so many messages on that wait for room to another core, those that nobody waits for any more are looked
/// for. Few where assertions are on, so that the simulator's short lines meet it.
pub const LINK_TIDY_AT: usize = if cfg!(debug_assertions) { 4 } else { 1_024 };

/// How many connections beyond `connections_max` are taken in, only to be told that there are too many.
pub const REFUSED_AT_ONCE_MAX: usize = 64;

/// Names, of addresses or API keys, that are remembered for how fast they were, though nothing of theirs is open.
pub const TALLY_IDLE_MAX: usize = if cfg!(debug_assertions) { 4_096 } else { 65_536 };
/// Bodies up to this size are let in past the memory mark: they are what keeps states flowing.
pub const SMALL_BODY_BYTES: usize = 4 * KIB;
/// What an HTTP connection takes beside what it sent: its place, and the buffer that waits for its next bytes.
pub const HTTP_BYTES: usize = 3 * KIB;
/// What a body is read with, at most.
pub const BODY_READ_BYTES: usize = 16 * KIB;

/// Descriptors that a broker of so many cores needs beside its connections: rings, loops and listening sockets,
/// standard streams, files that are read again.
pub const fn descriptors_reserved(cores: usize) -> usize {
    const PER_CORE: usize = 8;
    const PER_PROCESS: usize = 16;
    PER_PROCESS + PER_CORE * cores
}

const _: () = assert!(BATCH_BYTES_MAX >= KEY_BYTES_MAX + 256, "a batch holds at least one small record");
const _: () = assert!(TOKEN_BYTES_MAX <= 4 * KIB, "`TokenFault::text` names it");
const _: () = assert!(CHUNK_EXTENSION_BYTES_MAX < BODY_BYTES_EXTRA);
const _: () = assert!(CONTROL_PAYLOAD_BYTES_MAX < 126, "a control frame's length fits its second byte");
