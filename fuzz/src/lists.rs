//! Lists of entity tags, from RFC 9110, sections 8.8.3 and 13.1.
//!
//! Always true: a tag is looked at letter by letter; nothing is split before it is known where tags end.
//!
//! Read first: `targets/condition.rs`.

/// `*`, or tags with whether each is weak; `None` for what is neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum List {
    /// `*` alone.
    Any,
    /// At least one tag.
    Tags(Vec<(bool, Vec<u8>)>),
}

/// What the values of all lines of one name say together.
pub fn read(lines: &[&[u8]]) -> Option<List> {
    if let [line] = lines
        && line.iter().copied().filter(|byte| !b" \t,".contains(byte)).eq([b'*'])
    {
        // Empty elements around the star are as good as none.
        return line.ends_with(b"*").then_some(List::Any);
    }
    let mut tags = Vec::new();
    for line in lines {
        let mut rest = line.iter().copied().peekable();
        loop {
            while rest.next_if(|byte| b" \t,".contains(byte)).is_some() {}
            let Some(first) = rest.next() else { break };
            let is_weak = first == b'W';
            let quote =
                if is_weak { rest.next().filter(|byte| *byte == b'/').and(rest.next()) } else { Some(first) };
            if quote != Some(b'"') {
                return None;
            }
            let mut tag = Vec::new();
            loop {
                match rest.next()? {
                    b'"' => break,
                    byte @ (b'!'..=b'~' | 0x80..) => tag.push(byte),
                    _ => return None,
                }
            }
            tags.push((is_weak, tag));
            while rest.next_if(|byte| b" \t".contains(byte)).is_some() {}
            if rest.peek().is_some_and(|byte| *byte != b',') {
                return None;
            }
        }
    }
    (!tags.is_empty()).then_some(List::Tags(tags))
}

impl List {
    /// Whether it names the state at this revision of the epoch; `None` is no state.
    pub fn names(&self, epoch: &str, current: Option<u64>, weakly: bool) -> bool {
        match (self, current) {
            (_, None) => false,
            (List::Any, Some(_)) => true,
            (List::Tags(tags), Some(rev)) => {
                let own = format!("{epoch}.{rev}");
                tags.iter().any(|(is_weak, tag)| *tag == own.as_bytes() && (weakly || !is_weak))
            }
        }
    }
}
