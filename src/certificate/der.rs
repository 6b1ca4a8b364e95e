//! The few facts of an X.509 certificate that an operator is told: from when to when, by whom, for whom.
//!
//! Always true: it says nothing about whether a certificate is to be believed; rustls and the peers do that. What it
//! does not understand is `None`, whatever the bytes.
//!
//! Read first: RFC 5280, section 4.1.

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// What stands in a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Who signed it, as encoded.
    pub issuer: Vec<u8>,
    /// Whom it names, as encoded.
    pub subject: Vec<u8>,
    /// From when on, Unix milliseconds; 0 for anything before 1970.
    pub begins_at_ms: u64,
    /// Until when, Unix milliseconds.
    pub ends_at_ms: u64,
}

/// A tag and its content.
type Element<'a> = (u8, &'a [u8]);

/// Reads them.
pub fn facts(certificate: &[u8]) -> Option<Facts> {
    let (outer, _) = expect(certificate, SEQUENCE)?;
    let (mut fields, _) = expect(outer, SEQUENCE)?;
    if let Some((_, rest)) = expect(fields, VERSION) {
        fields = rest;
    }
    let (_serial, fields) = element(fields)?;
    let (_algorithm, fields) = element(fields)?;
    let (issuer, fields) = expect(fields, SEQUENCE)?;
    let (validity, fields) = expect(fields, SEQUENCE)?;
    let (subject, _) = expect(fields, SEQUENCE)?;
    let (begins, rest) = element(validity)?;
    let (ends, _) = element(rest)?;
    Some(Facts {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        begins_at_ms: time_ms(begins)?,
        ends_at_ms: time_ms(ends)?,
    })
}

/// The first element: its tag and content, and what follows it. DER's lengths have one form only, but a lenient
/// reader does no harm here.
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some(((tag, content), rest))
}

fn expect(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let ((tag, content), rest) = element(bytes)?;
    (tag == wanted).then_some((content, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5).
fn time_ms((tag, text): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2).map(str::parse::<u64>)?.ok();
    let [month, day, hour, minute, second] = [two(0)?, two(2)?, two(4)?, two(6)?, two(8)?];
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    let Ok(at) = humantime::parse_rfc3339(&text) else { return (year < 1970).then_some(0) };
    Some(at.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 2, 29);
        params.not_after = rcgen::date_time_ymd(2061, 1, 2);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn both_kinds_of_time_are_read() {
        let facts = facts(&certificate()).unwrap();
        assert_eq!(facts.begins_at_ms, 1_582_934_400_000);
        assert_eq!(facts.ends_at_ms, 2_871_849_600_000, "past 2050 with four digits");
        assert_eq!(facts.issuer, facts.subject);
        assert_eq!(time_ms((UTC_TIME, b"700101000001Z")), Some(1_000));
        assert_eq!(time_ms((UTC_TIME, b"690101000001Z")), Some(0));
        for wrong in ["", "Z", "2601", "260101000000", "261301000000Z", "26010100000Z"] {
            assert_eq!(time_ms((UTC_TIME, wrong.as_bytes())), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fall(at in 0usize..400, byte: u8, len in 0usize..400) {
            let mut bytes = certificate();
            let at = at % bytes.len();
            bytes[at] = byte;
            facts(&bytes);
            facts(&bytes[..len.min(bytes.len())]);
        }
    }
}
