//! JSON, read from RFC 8259 by plain descent, with every text kept as it was written.
//!
//! Always true: nothing is rounded, merged or forgotten: numbers stay text, doubled names stay two.
//!
//! Read first: nothing.

use std::borrow::Cow;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json<'t> {
    /// `null`, `true`, `false`, a number or a string, as written.
    Scalar(&'t str),
    /// An array.
    Array(Vec<Json<'t>>),
    /// An object.
    Object(Vec<(Name<'t>, Json<'t>)>),
}

/// A member's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'t> {
    /// As written, in its quotes.
    pub written: &'t str,
    /// What it stands for, in WTF-8.
    pub meant: Cow<'t, [u8]>,
}

/// The value that this text is, white space around it allowed.
pub fn read(text: &str) -> Option<Json<'_>> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value()?;
    reader.space();
    (reader.at == text.len()).then_some(value)
}

impl Json<'_> {
    /// How deep arrays and objects nest; a scalar has depth 0.
    pub fn depth(&self) -> usize {
        match self {
            Json::Scalar(_) => 0,
            Json::Array(values) => 1 + values.iter().map(Json::depth).max().unwrap_or(0),
            Json::Object(members) => 1 + members.iter().map(|member| member.1.depth()).max().unwrap_or(0),
        }
    }

    /// Appends it without white space.
    pub fn write(&self, out: &mut String) {
        match self {
            Json::Scalar(text) => out.push_str(text),
            Json::Array(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    value.write(out);
                }
                out.push(']');
            }
            Json::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    out.push_str(name.written);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// It without white space.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Option<Json<'t>> {
        self.space();
        let begin = self.at;
        match self.peek()? {
            b'{' => return self.object(),
            b'[' => return self.array(),
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let rest = &self.text[begin..];
                self.at += ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word))?.len();
            }
        }
        Some(Json::Scalar(&self.text[begin..self.at]))
    }

    fn array(&mut self) -> Option<Json<'t>> {
        self.take(b'[')?;
        let mut values = Vec::new();
        self.space();
        if self.take(b']').is_some() {
            return Some(Json::Array(values));
        }
        loop {
            values.push(self.value()?);
            self.space();
            if self.take(b']').is_some() {
                return Some(Json::Array(values));
            }
            self.take(b',')?;
        }
    }

    fn object(&mut self) -> Option<Json<'t>> {
        self.take(b'{')?;
        let mut members = Vec::new();
        self.space();
        if self.take(b'}').is_some() {
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            let begin = self.at;
            self.string()?;
            let written = &self.text[begin..self.at];
            self.space();
            self.take(b':')?;
            members.push((Name { written, meant: meant(written) }, self.value()?));
            self.space();
            if self.take(b'}').is_some() {
                return Some(Json::Object(members));
            }
            self.take(b',')?;
        }
    }

    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b'"' => return Some(()),
                0..b' ' => return None,
                b'\\' => {
                    let escaped = self.peek()?;
                    self.at += 1;
                    match escaped {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            for _ in 0..4 {
                                self.peek().filter(u8::is_ascii_hexdigit)?;
                                self.at += 1;
                            }
                        }
                        _ => return None,
                    }
                }
                _ => {}
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        self.peek().filter(u8::is_ascii_digit)?;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if self.take(b'e').or_else(|| self.take(b'E')).is_some() {
            let _ = self.take(b'-').or_else(|| self.take(b'+'));
            self.digits()?;
        }
        Some(())
    }
}

/// What a string in its quotes stands for: UTF-8, and a surrogate without its other half as three bytes.
pub fn meant(written: &str) -> Cow<'_, [u8]> {
    let inside = &written[1..written.len() - 1];
    if !inside.contains('\\') {
        return Cow::Borrowed(inside.as_bytes());
    }
    let mut units: Vec<u16> = Vec::new();
    let mut rest = inside.chars();
    while let Some(char) = rest.next() {
        let unit = match char {
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    u16::from_str_radix(&digits, 16).expect("four hex digits")
                }
                Some('b') => 8,
                Some('f') => 12,
                Some('n') => 10,
                Some('r') => 13,
                Some('t') => 9,
                itself => itself.expect("an escape") as u16,
            },
            plain => {
                units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
                continue;
            }
        };
        units.push(unit);
    }
    let mut out = Vec::new();
    for char in char::decode_utf16(units) {
        match char {
            Ok(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                out.extend([
                    0xe0 | (unit >> 12) as u8,
                    0x80 | (unit >> 6 & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]);
            }
        }
    }
    Cow::Owned(out)
}
