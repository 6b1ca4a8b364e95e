//! One pass over JSON as producers write it: is it valid, where is `data`, and what is it without white space.
//!
//! Always true: what this accepts is JSON (RFC 8259), and comes out byte for byte but for white space. It gives
//! up on whatever is rare or wrong: deep nesting, escaped names, anything that is no JSON. Then `json.rs` looks
//! again, slower, and says what it is.
//!
//! Read first: `json.rs`.

/// Arrays and objects inside one another, as many as a word has bits.
const DEPTH_MAX: usize = 64;

/// Appends the one `data` of a body `{"data":…}` to `out`, compacted; `None` if somebody else has to look.
/// Then `out` may hold a part of it. `depth_max` is how deep the state may be.
pub fn data_member(text: &[u8], depth_max: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut scan = Scan { text, at: 0, tops: 0 };
    let mut found = false;
    scan.space();
    scan.expect(b'{')?;
    loop {
        scan.space();
        let name = scan.name()?;
        scan.space();
        scan.expect(b':')?;
        scan.space();
        if name == b"data" {
            if found {
                return None;
            }
            found = true;
            scan.value(depth_max, Some(&mut *out))?;
        } else {
            scan.value(DEPTH_MAX, None)?;
        }
        scan.space();
        match scan.next()? {
            b',' => {}
            b'}' => break,
            _something_else => return None,
        }
    }
    scan.end().filter(|()| found)
}

/// Appends a body that is one value to `out`, as [`data_member`] does.
pub fn whole_value(text: &[u8], depth_max: usize, out: &mut Vec<u8>) -> Option<()> {
    let mut scan = Scan { text, at: 0, tops: 0 };
    scan.space();
    scan.value(depth_max, Some(out))?;
    scan.end()
}

struct Scan<'b> {
    text: &'b [u8],
    at: usize,
    /// All bytes of strings so far, one upon the other: whether one of them was not ASCII.
    tops: u64,
}

impl<'b> Scan<'b> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// The end of the text, and the last question: is it UTF-8?
    fn end(mut self) -> Option<()> {
        self.space();
        let is_ascii = self.tops & TOPS == 0;
        (self.at == self.text.len() && (is_ascii || std::str::from_utf8(self.text).is_ok())).then_some(())
    }

    /// The name of a member, if it is written without escapes.
    fn name(&mut self) -> Option<&'b [u8]> {
        self.expect(b'"')?;
        let begin = self.at;
        self.string()?;
        let name = &self.text[begin..self.at - 1];
        (name == b"data" || !name.contains(&b'\\')).then_some(name)
    }

    /// One value, copied to `out` in as few pieces as its white space leaves.
    fn value(&mut self, depth_max: usize, mut out: Option<&mut Vec<u8>>) -> Option<()> {
        // One bit for each array or object around: whether it is an object.
        let (mut kinds, mut depth) = (0u64, 0usize);
        let mut run = self.at;
        let depth_max = depth_max.min(DEPTH_MAX);
        loop {
            // A value begins here.
            match self.next()? {
                b'"' => self.string()?,
                b'-' => self.number_after_sign()?,
                b'0'..=b'9' => {
                    self.at -= 1;
                    self.number_after_sign()?;
                }
                b't' => self.literal(b"rue")?,
                b'f' => self.literal(b"alse")?,
                b'n' => self.literal(b"ull")?,
                opening @ (b'{' | b'[') => {
                    depth += 1;
                    if depth > depth_max {
                        return None;
                    }
                    let is_object = opening == b'{';
                    kinds = kinds << 1 | u64::from(is_object);
                    self.gap(&mut run, &mut out);
                    if self.peek()? != if is_object { b'}' } else { b']' } {
                        self.member_name(is_object, &mut run, &mut out)?;
                        continue;
                    }
                }
                _nothing_that_begins_a_value => return None,
            }
            // A value has ended, or an empty array or object is about to.
            loop {
                if depth == 0 {
                    break;
                }
                self.gap(&mut run, &mut out);
                let is_object = kinds & 1 == 1;
                match self.next()? {
                    b',' => {
                        self.gap(&mut run, &mut out);
                        self.member_name(is_object, &mut run, &mut out)?;
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _something_else => return None,
                }
                depth -= 1;
                kinds >>= 1;
            }
            if depth == 0 {
                if let Some(out) = out {
                    out.extend_from_slice(&self.text[run..self.at]);
                }
                return Some(());
            }
        }
    }

    /// Inside an object, what stands before a value.
    fn member_name(
        &mut self,
        is_object: bool,
        run: &mut usize,
        out: &mut Option<&mut Vec<u8>>,
    ) -> Option<()> {
        if is_object {
            self.expect(b'"')?;
            self.string()?;
            self.gap(run, out);
            self.expect(b':')?;
            self.gap(run, out);
        }
        Some(())
    }

    /// White space, if any, ends a run of bytes that are copied together.
    fn gap(&mut self, run: &mut usize, out: &mut Option<&mut Vec<u8>>) {
        if let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            if let Some(out) = out {
                out.extend_from_slice(&self.text[*run..self.at]);
            }
            self.space();
            *run = self.at;
        }
    }

    /// The rest of a string whose opening quote was read (RFC 8259, section 7).
    fn string(&mut self) -> Option<()> {
        loop {
            self.plain();
            match self.next()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let digits = self.text.get(self.at..self.at + 4)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        self.at += 4;
                    }
                    _no_escape => return None,
                },
                _control_character => return None,
            }
        }
    }

    /// Passes over plain characters of a string: up to a quote, a backslash, a control character, or the end.
    ///
    /// Most strings of a state are short, so this looks at eight bytes at a time in place of a call to
    /// `memchr`: a byte of `word ^ pattern` is zero where the pattern stands, and taking one from each byte
    /// shows the first. In the same way a control character is a byte that passes zero when 0x20 is taken from
    /// it.
    fn plain(&mut self) {
        const ONES: u64 = u64::from_le_bytes([1; 8]);
        const SPACES: u64 = u64::from_le_bytes([0x20; 8]);
        const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
        const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
        let zeros = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
        while let Some(word) = self.text.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*word);
            // Bytes behind the end count as well: to look once too often does no harm.
            self.tops |= word;
            let controls = word.wrapping_sub(SPACES) & !word & TOPS;
            let found = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES) | controls;
            if found != 0 {
                self.at += found.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = self.peek().filter(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)) {
            self.tops |= u64::from(byte);
            self.at += 1;
        }
    }

    /// A number behind its sign (RFC 8259, section 6).
    fn number_after_sign(&mut self) -> Option<()> {
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.digits(),
            _no_digit => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits()?;
        }
        Some(())
    }

    fn some_digits(&mut self) -> Option<()> {
        let begin = self.at;
        self.digits();
        (self.at > begin).then_some(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn literal(&mut self, rest: &[u8]) -> Option<()> {
        let found = self.text.get(self.at..)?.starts_with(rest);
        self.at += rest.len();
        found.then_some(())
    }
}

/// The highest bit of each byte.
const TOPS: u64 = u64::from_le_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json;
    use super::*;

    fn data(text: &str) -> Option<String> {
        let mut out = Vec::new();
        data_member(text.as_bytes(), 64, &mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn what_producers_write_is_read_at_once() {
        for (body, kept) in [
            (
                r#"{"data":{"a":1.50,"b":[true,false,null],"c":"x\n\u00e9"}}"#,
                r#"{"a":1.50,"b":[true,false,null],"c":"x\n\u00e9"}"#,
            ),
            (
                " {\n \"data\" : { \"a b\" : [ 1 , -2e+9 , [ ] , { } ] } ,\t\"other\": [{\"data\": 0}] } ",
                r#"{"a b":[1,-2e+9,[],{}]}"#,
            ),
            (
                r#"{"other":"}","data":"long enough to be looked at by words \" and é"}"#,
                r#""long enough to be looked at by words \" and é""#,
            ),
            (r#"{"data":0}"#, "0"),
        ] {
            assert_eq!(data(body).as_deref(), Some(kept), "{body}");
        }
    }

    #[test]
    fn the_rest_is_left_to_somebody_else() {
        let deep = format!("{{\"data\":{}{}}}", "[".repeat(65), "]".repeat(65));
        for body in [
            "",
            "{}",
            "[]",
            "7",
            r#"{"data":1"#,
            r#"{"data":1}}"#,
            r#"{"data":1,}"#,
            r#"{"data":1,"data":1}"#,
            r#"{"d\u0061ta":1}"#,
            r#"{"data":01}"#,
            r#"{"data":1.}"#,
            r#"{"data":-}"#,
            r#"{"data":1e}"#,
            r#"{"data":[1,]}"#,
            r#"{"data":[1}]"#,
            r#"{"data":{"a"}}"#,
            r#"{"data":{"a":1,}}"#,
            r#"{"data":{,}}"#,
            r#"{"data":tru}"#,
            r#"{"data":"\x"}"#,
            r#"{"data":"\u12g4"}"#,
            "{\"data\":\"\n\"}",
            "{\"data\":\"1234567\u{1f}\"}",
            r#"{"data":nulll}"#,
            &deep,
        ] {
            assert_eq!(data(body), None, "{body}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_left_to_somebody_else() {
        for body in
            [&b"{\"data\":\"\xff\"}"[..], b"{\"\xc3\":0,\"data\":1}", b"{\"data\":\"1234567\xed\xa0\x80\"}"]
        {
            assert_eq!(data_member(body, 64, &mut Vec::new()), None);
        }
        assert_eq!(data_member("{\"data\":\"1234567é\"}".as_bytes(), 64, &mut Vec::new()), Some(()));
    }

    /// Pieces that make JSON, and nearly JSON.
    fn nearly_json() -> impl Strategy<Value = String> {
        let pieces = proptest::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"data\"",
            "\"a\"",
            "\"\\u00e9\"",
            "\"\\",
            "\"",
            " ",
            "\n",
            "1",
            "0",
            "-",
            ".5",
            "e+1",
            "true",
            "null",
            "fals",
            "é",
            "\u{1}",
            "{\"data\":",
            "\"x\":",
            "\"12345678\"",
        ]);
        proptest::collection::vec(pieces, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Against the library: whatever is read here, it reads the same way.
        #[test]
        fn the_library_agrees(text in nearly_json(), depth_max in 0usize..4) {
            let mut out = Vec::new();
            if whole_value(text.as_bytes(), depth_max, &mut out).is_some() {
                let mut theirs = Vec::new();
                json::compact_into(json::whole_value(text.as_bytes()).unwrap(), depth_max, &mut theirs).unwrap();
                prop_assert_eq!(&out, &theirs);
            }
            let body = format!("{{\"data\":{text}}}");
            out.clear();
            if data_member(body.as_bytes(), depth_max, &mut out).is_some() {
                let mut theirs = Vec::new();
                json::compact_into(json::data_member(body.as_bytes()).unwrap(), depth_max, &mut theirs).unwrap();
                prop_assert_eq!(&out, &theirs);
            }
        }

        /// No valid state takes the slow way but for its depth and the names of its members.
        #[test]
        fn every_state_is_read_at_once(value in json::tests::any_json()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(data(&format!("{{\"data\":{text}}}")), Some(value.to_string()));
        }
    }
}
