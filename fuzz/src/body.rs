//! Chunked bodies, read in one go from the grammar of RFC 9112, section 7.1.
//!
//! Always true: it looks at all the bytes there are, from their beginning; it keeps nothing between two looks.
//!
//! Read first: `targets/body.rs`.

use lux::limits::{CHUNK_EXTENSION_BYTES_MAX, TRAILER_BYTES_MAX};
use lux::wire::WireError;
use lux::wire::error::Malformed;

use crate::head::{is_text, is_token};

/// The body and how many bytes it took, or `None` while it is not whole.
pub type Read = Result<Option<(Vec<u8>, usize)>, WireError>;

/// A body of so many bytes.
pub fn plain(bytes: &[u8], length: u64, bytes_max: usize) -> Read {
    if length > bytes_max as u64 {
        return Err(WireError::BodyTooLarge(bytes_max));
    }
    Ok(bytes.get(..length as usize).map(|body| (body.to_vec(), body.len())))
}

/// A body in chunks.
pub fn chunked(bytes: &[u8], bytes_max: usize) -> Read {
    let refuse = Err(WireError::Malformed(Malformed::Chunk));
    let (mut body, mut at, mut extension_bytes) = (Vec::new(), 0, 0);
    loop {
        let Some(line) = bytes[at..].iter().position(|byte| *byte == b'\r') else {
            return if is_begun_size(&bytes[at..], extension_bytes) { Ok(None) } else { refuse };
        };
        let line = &bytes[at..at + line];
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        extension_bytes += line.len() - digits;
        if !is_size(line, digits) || extension_bytes > CHUNK_EXTENSION_BYTES_MAX {
            return refuse;
        }
        let text: String = line[..digits].iter().map(|digit| char::from(*digit)).collect();
        let Ok(size) = u64::from_str_radix(&text, 16) else { return refuse };
        if size > (bytes_max - body.len()) as u64 {
            return Err(WireError::BodyTooLarge(bytes_max));
        }
        at += line.len();
        match ending(bytes, at) {
            None => return refuse,
            Some(false) => return Ok(None),
            Some(true) => at += 2,
        }
        if size == 0 {
            return trailers(bytes, at).map(|end| end.map(|end| (body, end)));
        }
        let Some(chunk) = bytes.get(at..at + size as usize) else { return Ok(None) };
        body.extend_from_slice(chunk);
        at += chunk.len();
        match ending(bytes, at) {
            None => return refuse,
            Some(false) => return Ok(None),
            Some(true) => at += 2,
        }
    }
}

/// Whether CRLF stands here: `Some(false)` where it may yet come, `None` where it cannot.
fn ending(bytes: &[u8], at: usize) -> Option<bool> {
    match bytes[at..] {
        [] | [b'\r'] => Some(false),
        [b'\r', b'\n', ..] => Some(true),
        _ => None,
    }
}

/// `1*HEXDIG *( BWS ";" anything )`; white space only before a semicolon.
fn is_size(line: &[u8], digits: usize) -> bool {
    let rest = &line[digits..];
    let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let extension = &rest[spaces..];
    (1..=16).contains(&digits)
        && (rest.is_empty() || extension.starts_with(b";"))
        && extension.iter().all(|byte| is_text(*byte))
}

/// Whether a size line may begin so.
fn is_begun_size(line: &[u8], extension_bytes: usize) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let spaces = line[digits..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let is_bounded = extension_bytes + line.len() - digits <= CHUNK_EXTENSION_BYTES_MAX;
    let only_spaces = spaces == line.len() - digits && digits <= 16 && (digits > 0 || line.is_empty());
    is_bounded && (only_spaces || is_size(line, digits))
}

/// Where the trailers end, if they do.
fn trailers(bytes: &[u8], begin: usize) -> Result<Option<usize>, WireError> {
    let refuse = Err(WireError::Malformed(Malformed::Chunk));
    let mut at = begin;
    loop {
        if bytes[at..].starts_with(b"\r") {
            return match ending(bytes, at) {
                None => refuse,
                Some(false) => Ok(None),
                Some(true) => Ok(Some(at + 2)),
            };
        }
        let end = bytes[at..].windows(2).position(|pair| pair == b"\r\n");
        let line = &bytes[at..end.map_or(bytes.len(), |end| at + end)];
        let is_whole = end.is_some();
        // A carriage return at the very end may yet get its line feed.
        let line = if is_whole { line } else { line.strip_suffix(b"\r").unwrap_or(line) };
        let name = line.iter().take_while(|byte| is_token(**byte)).count();
        let is_field = name > 0 && line.get(name) == Some(&b':');
        let may_be_field = is_field || (!is_whole && name == line.len() && line.len() == bytes.len() - at);
        let value_is_text = line.iter().skip(name + 1).all(|byte| is_text(*byte));
        let next = if is_whole { at + line.len() + 2 } else { bytes.len() };
        if !may_be_field || !value_is_text || next - begin > TRAILER_BYTES_MAX {
            return refuse;
        }
        if !is_whole {
            return Ok(None);
        }
        at = next;
    }
}
