//! Keys, patterns, percent-encoding and queries, from the contract and from RFC 3986.
//!
//! Always true: each is a rule said in one breath.
//!
//! Read first: `targets/names.rs`.

/// Whether these bytes are a key.
pub fn is_key(bytes: &[u8]) -> bool {
    is_begin(bytes)
        && !bytes.is_empty()
        && ![&b"stream"[..], b".", b".."].contains(&bytes)
        && bytes[0] != b'_'
}

/// Whether these bytes can begin a key, as far as letters and length go.
pub fn is_begin(bytes: &[u8]) -> bool {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-";
    bytes.len() <= 128 && bytes.iter().all(|byte| ALPHABET.contains(byte))
}

/// Whether these bytes are a pattern.
pub fn is_pattern(bytes: &[u8]) -> bool {
    match bytes {
        [begin @ .., b'*'] => is_begin(begin),
        key => is_key(key),
    }
}

/// Whether a pattern, as text, names this key.
pub fn matches(pattern: &str, key: &str) -> bool {
    match pattern.split_once('*') {
        Some((begin, _)) => key.len() >= begin.len() && key[..begin.len()] == *begin,
        None => pattern == key,
    }
}

/// What percent-encoding stands for.
pub fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'%' => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                (digit(rest.next())? * 16 + digit(rest.next())?) as u8
            }
            plain => *plain,
        });
    }
    Some(out)
}

/// The pairs of a query, or `None` for a part that stands for nothing.
pub fn pairs(query: &str) -> Vec<Option<(String, String)>> {
    let text = |part: &str| String::from_utf8(decoded(part.replace('+', " ").as_bytes())?).ok();
    let pair = |part: &str| match part.find('=') {
        Some(at) => Some((text(&part[..at])?, text(&part[at + 1..])?)),
        None => Some((text(part)?, String::new())),
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}
