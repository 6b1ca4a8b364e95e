//! Response heads (RFC 9112, section 4), written straight into the buffer that is sent.
//!
//! Always true: what is written is a status line, then fields, then one blank line.
//!
//! Read first: `wire/mod.rs`.

use crate::ids::{Epoch, Rev};

/// Writes one head at the end of a buffer.
#[must_use = "a head without its blank line runs into what follows"]
pub struct ResponseWriter<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> ResponseWriter<'a> {
    /// Writes the status line.
    pub fn begin(out: &'a mut Vec<u8>, status: u16) -> ResponseWriter<'a> {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason(status).as_bytes());
        out.extend_from_slice(b"\r\n");
        ResponseWriter { out }
    }

    /// Writes a field. The value is ours: it holds no line break.
    pub fn field(&mut self, name: &str, value: &str) -> &mut Self {
        debug_assert!(!value.contains(['\r', '\n']), "a value holds no line break");
        self.bytes(name, value.as_bytes())
    }

    /// Writes a field whose value is a number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.bytes(name, itoa::Buffer::new().format(value).as_bytes())
    }

    /// Writes `ETag: "<epoch>.<rev>"` (RFC 9110, section 8.8.3).
    pub fn etag(&mut self, epoch: &Epoch, rev: Rev) -> &mut Self {
        self.out.extend_from_slice(b"ETag: \"");
        self.out.extend_from_slice(epoch.as_str().as_bytes());
        self.out.push(b'.');
        self.out.extend_from_slice(itoa::Buffer::new().format(rev.0).as_bytes());
        self.out.extend_from_slice(b"\"\r\n");
        self
    }

    /// Writes the blank line that ends the head.
    pub fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }

    fn bytes(&mut self, name: &str, value: &[u8]) -> &mut Self {
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(b"\r\n");
        self
    }
}

/// The reason phrase of every status the broker sends; nothing for others.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// The value of `Date`, made once a second.
#[derive(Default)]
pub struct DateLine {
    second: u64,
    text: String,
}

impl DateLine {
    /// What it is at this Unix millisecond.
    pub fn at(&mut self, unix_ms: u64) -> &str {
        let second = unix_ms / 1000;
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = String::from_utf8_lossy(&http_date(unix_ms)).into_owned();
        }
        &self.text
    }
}

/// `Date` as RFC 9110, section 5.6.7 wants it: `Sun, 06 Nov 1994 08:49:37 GMT`. Years past 9999 stay there.
fn http_date(unix_ms: u64) -> [u8; 29] {
    /// The last second of the year 9999: the form has four digits for the year.
    const SECONDS_MAX: u64 = 253_402_300_799;
    let seconds = (unix_ms / 1000).min(SECONDS_MAX);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let mut date = *b"Thu, 01 Jan 1970 00:00:00 GMT";
    // 1 January 1970 was a Thursday.
    date[..3].copy_from_slice(&b"ThuFriSatSunMonTueWed"[(days % 7 * 3) as usize..][..3]);
    write_digits(&mut date[5..7], day);
    date[8..11].copy_from_slice(&b"JanFebMarAprMayJunJulAugSepOctNovDec"[(month as usize - 1) * 3..][..3]);
    write_digits(&mut date[12..16], year);
    write_digits(&mut date[17..19], second / 3600);
    write_digits(&mut date[20..22], second / 60 % 60);
    write_digits(&mut date[23..25], second % 60);
    date
}

fn write_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of the Gregorian calendar, by counting in eras of 400 years that begin in March: the
/// leap day is then the last of its year, and no month needs a table.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    const DAYS_BEFORE_1970: u64 = 719_468;
    let days = days + DAYS_BEFORE_1970;
    let (era, day) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(unix_ms: u64) -> String {
        String::from_utf8(http_date(unix_ms).to_vec()).unwrap()
    }

    #[test]
    fn a_head_is_lines_and_a_blank_one() {
        let mut out = b"before".to_vec();
        ResponseWriter::begin(&mut out, 201)
            .field("Content-Type", "application/json")
            .number("Content-Length", u64::MAX)
            .etag(&Epoch::from_bits(0), Rev(7))
            .end();
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "beforeHTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\
             Content-Length: 18446744073709551615\r\nETag: \"000000000000.7\"\r\n\r\n"
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        // The values are what `date -u -d @<seconds>` prints.
        for (seconds, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_782_000_000, "Sun, 21 Jun 2026 00:00:00 GMT"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(date(seconds * 1000 + 999), text);
        }
        assert_eq!(date(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_date_line_moves_with_the_second_and_back() {
        let mut line = DateLine::default();
        for (unix_ms, second) in [(0, "00"), (999, "00"), (1000, "01"), (1999, "01"), (500, "00")] {
            assert_eq!(line.at(unix_ms), format!("Thu, 01 Jan 1970 00:00:{second} GMT"));
        }
    }

    #[test]
    fn days_follow_one_another() {
        let day = |days: u64| civil_from_days(days);
        for days in 1..=200_000 {
            let ((year, month, before), after) = (day(days - 1), day(days));
            let next = [(year, month, before + 1), (year, month + 1, 1), (year + 1, 1, 1)];
            assert!(next.contains(&after) && after.2 <= 31 && after.1 <= 12, "{after:?}");
            assert!(after.2 > 1 || before >= 28, "{after:?}");
        }
        assert_eq!(day(200_000), (2517, 8, 1));
    }
}
