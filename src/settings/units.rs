//! Sizes, times and counts as people write them.
//!
//! Always true: what is shown is understood again as the same number. A time needs its unit, since a bare
//! number could be seconds or milliseconds; a size without a unit is bytes.
//!
//! Read first: nothing.

use std::time::Duration;

const SIZE_UNITS: [(&str, u64); 8] = [
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("b", 1),
    ("", 1),
];

/// Bytes from `262144`, `256 KiB`, `1GiB` or `64 kB`.
///
/// # Errors
/// What to write instead.
pub fn parse_bytes(text: &str) -> Result<u64, &'static str> {
    const SHAPE: &str = "write a size as 262144, 256 KiB, 4 MiB or 1 GiB";
    let lower = text.trim().to_ascii_lowercase();
    let digits_end = lower.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(digits_end);
    let factor = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
    let count: Option<u64> = digits.replace('_', "").parse().ok();
    count.zip(factor).and_then(|(count, factor)| count.checked_mul(factor)).ok_or(SHAPE)
}

/// Milliseconds from `20s`, `500ms`, `1m 30s`, `2h` or `30d`.
///
/// # Errors
/// What to write instead.
pub fn parse_duration_ms(text: &str) -> Result<u64, &'static str> {
    const SHAPE: &str = "write a time with its unit, as 500ms, 20s, 5m, 2h or 30d";
    let duration = humantime::parse_duration(text.trim()).map_err(|_| SHAPE)?;
    u64::try_from(duration.as_millis()).map_err(|_| SHAPE)
}

/// A count from `100000` or `100_000`.
///
/// # Errors
/// What to write instead.
pub fn parse_count(text: &str) -> Result<u64, &'static str> {
    text.trim().replace('_', "").parse().map_err(|_| "write a whole number, as 1024 or 100_000")
}

/// Bytes in the largest unit that divides them.
pub fn format_bytes(bytes: u64) -> String {
    let (unit, factor) = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .unwrap_or(("B", 1));
    format!("{} {unit}", bytes / factor)
}

/// Milliseconds as `1m 30s`.
pub fn format_duration_ms(ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(ms)).to_string()
}

/// A count with its thousands apart: `100,000`.
pub fn format_count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("262144", 262_144),
            ("256 KiB", 262_144),
            ("256kib", 262_144),
            ("1GiB", 1 << 30),
            (" 64 kB ", 64_000),
            ("1_000 B", 1_000),
            ("0", 0),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "KiB", "1.5 GiB", "-1", "1 TiB", "256 KiBs", "99999999999 GiB", "1 2"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times() {
        for (text, ms) in [("20s", 20_000), ("500ms", 500), ("1m 30s", 90_000), ("30d", 2_592_000_000)] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
        for wrong in ["20", "", "soon", "-5s", "1.5"] {
            assert!(parse_duration_ms(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_is_understood_again() {
        for bytes in [0, 1, 1023, 1024, 262_144, 1 << 30, (1 << 30) + 1] {
            assert_eq!(parse_bytes(&format_bytes(bytes)), Ok(bytes));
        }
        for ms in [1, 999, 20_000, 90_500, 2_592_000_000] {
            assert_eq!(parse_duration_ms(&format_duration_ms(ms)), Ok(ms));
        }
        assert_eq!((format_count(7), format_count(1_000), format_count(123_456)).2, "123,456");
        assert_eq!(format_count(1_000), "1,000");
        assert_eq!(format_count(100), "100");
    }
}
