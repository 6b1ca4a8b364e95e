//! A way to walk a JSON text without reading any of it twice.
//!
//! Always true: finding where a value ends costs no more than a search, however much it holds; so walking an
//! object costs what its own members take, and its members' insides are walked only by who enters them.
//!
//! Read first: `json.rs`.

use std::ops::Range;

use crate::wire::json::string_end;

/// A compact JSON text, and where each array and object of it ends.
///
/// A text that is not JSON gives a wrong walk, never a panic.
pub(super) struct Shape<'t> {
    pub(super) text: &'t [u8],
    /// Begin and end of each array and object, by begin.
    nests: Vec<(usize, usize)>,
}

/// One member of an object.
pub(super) struct Member<'t> {
    /// Where its name begins.
    pub(super) begin: usize,
    /// Its name as it stands, in its quotes.
    pub(super) name: &'t [u8],
    /// Where its value stands.
    pub(super) value: Range<usize>,
}

impl<'t> Shape<'t> {
    /// Reads the text once.
    pub(super) fn of(text: &'t [u8]) -> Shape<'t> {
        let mut nests = Vec::new();
        let mut open = Vec::new();
        let mut at = 0;
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' => {
                    at = string_end(text, at);
                    continue;
                }
                b'{' | b'[' => {
                    open.push(nests.len());
                    nests.push((at, text.len()));
                }
                b'}' | b']' => {
                    if let Some(which) = open.pop() {
                        nests[which].1 = at + 1;
                    }
                }
                _part_of_a_scalar => {}
            }
            at += 1;
        }
        Shape { text, nests }
    }

    /// The members of the object that begins at `begin`, in order.
    pub(super) fn members(&self, begin: usize) -> impl Iterator<Item = Member<'t>> {
        let mut at = begin + 1;
        std::iter::from_fn(move || {
            if self.text.get(at) != Some(&b'"') {
                return None;
            }
            let begin = at;
            let name_end = string_end(self.text, begin);
            let value_begin = self.text.len().min(name_end + 1);
            let value = value_begin..self.value_end(value_begin);
            at = value.end + 1;
            Some(Member { begin, name: &self.text[begin..name_end], value })
        })
    }

    /// Where the value that begins at `begin` ends.
    fn value_end(&self, begin: usize) -> usize {
        match self.text.get(begin) {
            Some(b'"') => string_end(self.text, begin),
            Some(b'{' | b'[') => match self.nests.binary_search_by_key(&begin, |nest| nest.0) {
                Ok(which) => self.nests[which].1,
                Err(_) => self.text.len(),
            },
            Some(_) | None => {
                let rest = &self.text[begin..];
                begin + rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(rest.len())
            }
        }
    }
}
