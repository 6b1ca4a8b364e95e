//! From which web pages a browser may ask.
//!
//! Always true: a request without `Origin` is no browser's and passes; with a list, an origin passes only if
//! it is one of them, and `null` (a sandboxed page, a local file) only if the list names it.
//!
//! Read first: nothing.

/// The origins whose pages may use the broker: any, or those on a list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origins {
    /// Lower case, as `scheme://host[:port]`; empty means any.
    allowed: Vec<String>,
}

impl Origins {
    /// Any origin: a bearer key is never sent by a browser on its own, so there is nothing to ride on.
    pub fn any() -> Origins {
        Origins::default()
    }

    /// These origins; none at all means any.
    pub fn new<T: AsRef<str>>(list: &[T]) -> Origins {
        Origins { allowed: list.iter().map(|origin| normal(origin.as_ref())).collect() }
    }

    /// Whether every origin is allowed.
    pub fn is_any(&self) -> bool {
        self.allowed.is_empty()
    }

    /// Whether a request with this `Origin` field (RFC 6454, section 7) may go on.
    pub fn allows(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin else { return true };
        if self.is_any() {
            return true;
        }
        std::str::from_utf8(origin).is_ok_and(|text| self.allowed.contains(&normal(text)))
    }
}

/// Says what is wrong with an origin as an operator writes it.
///
/// # Errors
/// A clause that says what to write instead.
pub fn check_origin(text: &str) -> Result<(), &'static str> {
    const SHAPE: &str =
        "an origin is written as https://example.com or http://localhost:5173, without a path";
    if text == "null" {
        return Ok(());
    }
    if text == "*" {
        return Err("any origin is allowed by default; leave --allow-origin out");
    }
    let (scheme, host) = text.split_once("://").ok_or(SHAPE)?;
    let scheme_fits =
        !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let host_fits = !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && !b"/?#@*,".contains(&b));
    if scheme_fits && host_fits { Ok(()) } else { Err(SHAPE) }
}

/// Lower case and without the port that the scheme has anyway, as browsers write it.
fn normal(origin: &str) -> String {
    let lower = origin.to_ascii_lowercase();
    let plain = match lower.split_once("://") {
        Some(("http", _)) => lower.strip_suffix(":80"),
        Some(("https", _)) => lower.strip_suffix(":443"),
        Some(_) | None => None,
    };
    plain.map(str::to_owned).unwrap_or(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_every_origin_passes() {
        for origin in [None, Some(&b"https://a.example"[..]), Some(b"null"), Some(b"\xff")] {
            assert!(Origins::any().allows(origin));
        }
    }

    #[test]
    fn a_list_lets_in_its_own_and_those_without_origin() {
        let origins =
            Origins::new(&["https://Wall.Example", "http://localhost:5173", "https://b.example:443"]);
        for (origin, may) in [
            (&b"https://wall.example"[..], true),
            (b"HTTPS://WALL.EXAMPLE", true),
            (b"http://wall.example", false),
            (b"https://wall.example:8443", false),
            (b"https://wall.example.evil.example", false),
            (b"https://evil.example/https://wall.example", false),
            (b"http://localhost:5173", true),
            (b"http://localhost", false),
            (b"https://b.example", true),
            (b"null", false),
            (b"", false),
            (b"\xff", false),
        ] {
            assert_eq!(origins.allows(Some(origin)), may, "{:?}", String::from_utf8_lossy(origin));
        }
        assert!(origins.allows(None));
    }

    #[test]
    fn what_is_no_origin_is_said_before_start() {
        for fine in
            ["https://a.example", "http://localhost:5173", "http://[::1]:8080", "null", "tauri://localhost"]
        {
            assert_eq!(check_origin(fine), Ok(()), "{fine}");
        }
        for wrong in
            ["a.example", "https://a.example/", "https://a.example/x", "*", "https://*.example", "", "://a"]
        {
            assert!(check_origin(wrong).is_err(), "{wrong}");
        }
    }
}
