//! Tables of vectors, as text.
//!
//! Always true: a vector's name holds its RFC and section and stands once in its table; a line that is no vector,
//! heading, frame or comment fails the test that reads it.
//!
//! Read first: any `.txt` beside this. Their lines:
//!
//! | line | means |
//! |---|---|
//! | `= 9112 6.3: body length` | a heading: RFC, section, what it is about |
//! | `< PUT {} …` | from here on, `{}` in this text is what a vector sends |
//! | `400! \| two lengths \| Content-Length: 1…` | what must come back, the vector's name, what it sends |
//! | `# …` | a comment |
//!
//! In what is sent, `\r \n \t \0 \\ \s` (a space) and `\xff` are bytes, and `\*900(ab)` is `ab` 900 times.

/// One vector.
#[derive(Clone, Debug)]
pub struct Vector {
    /// `RFC 9112, 6.3: two lengths`.
    pub name: String,
    /// What must come back; the player of the table knows its words.
    pub expected: String,
    /// What is sent, still with its escapes.
    pub sent: String,
}

/// Reads a table.
#[track_caller]
pub fn read(text: &str) -> Vec<Vector> {
    let (mut heading, mut frame) = (String::new(), "{}".to_string());
    let mut vectors: Vec<Vector> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(title) = line.strip_prefix("= ") {
            let (section, about) = title.split_once(": ").unwrap_or_else(|| panic!("heading {line:?}"));
            let (rfc, section) = section.split_once(' ').unwrap_or_else(|| panic!("heading {line:?}"));
            heading = format!("RFC {rfc}, {section}, {about}");
        } else if let Some(text) = line.strip_prefix("< ") {
            assert!(text.contains("{}"), "nothing goes into {line:?}");
            frame = text.to_string();
        } else {
            // What is sent may be nothing, and editors take spaces off the ends of lines.
            let line = format!("{line} ");
            let mut parts = line.splitn(3, " | ");
            let (Some(expected), Some(name), Some(sent)) = (parts.next(), parts.next(), parts.next()) else {
                panic!("no vector: {line:?}");
            };
            let name = format!("{heading}: {}", name.trim());
            assert!(vectors.iter().all(|other| other.name != name), "twice: {name}");
            let sent = frame.replacen("{}", sent.trim_end(), 1);
            vectors.push(Vector { name, expected: expected.trim().to_string(), sent });
        }
    }
    vectors
}

/// The bytes that a text with escapes stands for.
#[track_caller]
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(rest[..at].bytes());
        let (escaped, after) = rest[at + 1..].split_at(1);
        rest = after;
        match escaped {
            "r" => bytes.push(b'\r'),
            "n" => bytes.push(b'\n'),
            "t" => bytes.push(b'\t'),
            "0" => bytes.push(0),
            "s" => bytes.push(b' '),
            "\\" => bytes.push(b'\\'),
            "x" => {
                let (digits, after) = rest.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("\\x{digits}")));
                rest = after;
            }
            "*" => {
                let (count, after) = rest.split_once('(').expect("a count and a text in brackets");
                let (piece, after) = after.split_at(closing(after));
                let after = &after[1..];
                let count = count.parse().unwrap_or_else(|_| panic!("count {count:?}"));
                bytes.extend(unescape(piece).repeat(count));
                rest = after;
            }
            other => panic!("\\{other} in {text:?}"),
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

/// Where the bracket closes that was opened before `text`.
#[track_caller]
pub fn closing(text: &str) -> usize {
    let mut open = 1;
    let closes = |byte: u8| {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _any_other => {}
        }
        open == 0
    };
    text.bytes().position(closes).unwrap_or_else(|| panic!("a bracket stays open in {text:?}"))
}

#[test]
fn a_table_says_what_is_sent() {
    let table = "# why\n= 9112 3: lines\n< a{}z\n200 | plain | \\x00\\*3(-\\*2(\\s))\\\\\n400! | other | \\t\\r\n200 | nothing |\n";
    let vectors = read(table);
    assert_eq!(vectors.len(), 3);
    assert_eq!(vectors[0].name, "RFC 9112, 3, lines: plain");
    assert_eq!((vectors[0].expected.as_str(), vectors[1].expected.as_str()), ("200", "400!"));
    assert_eq!(unescape(&vectors[0].sent), b"a\0-  -  -  \\z");
    assert_eq!(unescape(&vectors[1].sent), b"a\t\rz");
    assert_eq!(unescape(&vectors[2].sent), b"az");
}
