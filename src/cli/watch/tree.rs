//! A state as a tree of lines, with what changed since the one before.
//!
//! Always true: numbers, texts and member order are shown as the producer wrote them.
//!
//! Read first: nothing.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Lists of plain values, and small objects in a list, up to this many characters stay on one line.
const INLINE_CHARS_MAX: usize = 72;
/// Deeper than any broker lets a state be; what lies below stays one line.
const DEPTH_MAX: usize = 512;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// A text, number, boolean or null, as it was written.
    Leaf(String),
    /// An array.
    List(Vec<Tree>),
    /// An object: names (as JSON texts) and values, in their order.
    Map(Vec<(String, Tree)>),
}

/// One line of a drawn tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How deep it stands.
    pub depth: usize,
    /// The member's name, as a JSON text.
    pub name: Option<String>,
    /// What follows the name.
    pub text: String,
    /// Whether it was another, or was not there, in the tree before.
    pub is_changed: bool,
}

/// An object's members in their order, as serde hands them over.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

impl Tree {
    /// The tree of a JSON text; text that is none becomes one leaf.
    pub fn parse(json: &str) -> Tree {
        Tree::parse_at(json, 0)
    }

    fn parse_at(json: &str, depth: usize) -> Tree {
        let leaf = || Tree::Leaf(json.trim().to_owned());
        if depth >= DEPTH_MAX {
            return leaf();
        }
        match json.trim_start().as_bytes().first() {
            Some(b'{') => serde_json::from_str(json).map_or_else(
                |_| leaf(),
                |Members(members)| {
                    let parse = |(name, value): (String, &RawValue)| {
                        (serde_json::Value::String(name).to_string(), Tree::parse_at(value.get(), depth + 1))
                    };
                    Tree::Map(members.into_iter().map(parse).collect())
                },
            ),
            Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(json).map_or_else(
                |_| leaf(),
                |items| Tree::List(items.iter().map(|item| Tree::parse_at(item.get(), depth + 1)).collect()),
            ),
            Some(_) | None => leaf(),
        }
    }

    /// The tree as lines; against `before`, if there was one, with what changed.
    pub fn lines(&self, before: Option<&Tree>) -> Vec<Line> {
        let mut lines = Vec::new();
        // Without a state before, everything is new and nothing stands out.
        self.draw(None, 0, Some(before.unwrap_or(self)), &mut lines);
        lines
    }

    /// The tree as the parts of one line, each with whether it changed: an object's members, or the whole.
    pub fn parts(&self, before: Option<&Tree>) -> Vec<(String, bool)> {
        let before = before.unwrap_or(self);
        match self {
            Tree::Map(members) => {
                let part = |(at, (name, value)): (usize, &(String, Tree))| {
                    let text = format!("{}: {}", name.trim_matches('"'), value.compact());
                    (text, before.member(at, name) != Some(value))
                };
                members.iter().enumerate().map(part).collect()
            }
            Tree::Leaf(_) | Tree::List(_) => vec![(self.compact(), before != self)],
        }
    }

    /// The whole tree in one line.
    fn compact(&self) -> String {
        match self {
            Tree::Leaf(text) => text.clone(),
            Tree::List(items) => {
                format!("[{}]", items.iter().map(Tree::compact).collect::<Vec<_>>().join(", "))
            }
            Tree::Map(members) => {
                let member = |(name, value): &(String, Tree)| format!("{name}: {}", value.compact());
                format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// A short list of plain values, or a short object in a list of them, in one line.
    fn inline(&self, is_item: bool) -> Option<String> {
        let is_leaf = |tree: &Tree| matches!(tree, Tree::Leaf(_));
        let is_plain = match self {
            Tree::Leaf(_) => true,
            Tree::List(items) => items.iter().all(is_leaf),
            Tree::Map(members) => {
                members.is_empty() || is_item && members.iter().all(|(_, value)| is_leaf(value))
            }
        };
        let text = is_plain.then(|| self.compact())?;
        (is_leaf(self) || text.chars().count() <= INLINE_CHARS_MAX).then_some(text)
    }

    fn draw(&self, name: Option<&str>, depth: usize, before: Option<&Tree>, lines: &mut Vec<Line>) {
        let mut push = |text: String, is_changed| {
            lines.push(Line { depth, name: name.map(str::to_owned), text, is_changed });
        };
        if let Some(text) = self.inline(name.is_none() && depth > 0) {
            return push(text, before != Some(self));
        }
        match self {
            Tree::Leaf(_) => {}
            Tree::Map(members) => {
                push("{".to_owned(), false);
                for (at, (name, value)) in members.iter().enumerate() {
                    value.draw(Some(name), depth + 1, before.and_then(|tree| tree.member(at, name)), lines);
                }
                lines.push(Line { depth, name: None, text: "}".to_owned(), is_changed: false });
            }
            Tree::List(items) => {
                push("[".to_owned(), false);
                for (at, value) in items.iter().enumerate() {
                    value.draw(None, depth + 1, before.and_then(|tree| tree.item(at)), lines);
                }
                lines.push(Line { depth, name: None, text: "]".to_owned(), is_changed: false });
            }
        }
    }

    /// The member of this name; where it stood before if it still does, which also tells apart two of one name.
    fn member(&self, at: usize, name: &str) -> Option<&Tree> {
        match self {
            Tree::Map(members) => {
                let same_place = members.get(at).filter(|(own, _)| own == name);
                same_place.or_else(|| members.iter().find(|(own, _)| own == name)).map(|(_, value)| value)
            }
            Tree::Leaf(_) | Tree::List(_) => None,
        }
    }

    fn item(&self, at: usize) -> Option<&Tree> {
        match self {
            Tree::List(items) => items.get(at),
            Tree::Leaf(_) | Tree::Map(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(json: &str, before: Option<&str>) -> String {
        let line = |line: Line| {
            let name = line.name.map(|name| format!("{name}: ")).unwrap_or_default();
            let mark = if line.is_changed { " *" } else { "" };
            format!("{}{name}{}{mark}\n", "  ".repeat(line.depth), line.text)
        };
        Tree::parse(json).lines(before.map(Tree::parse).as_ref()).into_iter().map(line).collect()
    }

    #[test]
    fn a_state_is_drawn_as_it_was_written() {
        let json =
            "{\"z\":1.0,\"a\":[1,2e3],\"m\":{},\"o\":[{\"é\":null},{\"deep\":{\"x\":1}}],\"z\":\"\\u00e9\"}";
        let expected = "{\n  \"z\": 1.0\n  \"a\": [1, 2e3]\n  \"m\": {}\n  \"o\": [\n    {\"é\": null}\n    {\n      \"deep\": {\n        \"x\": 1\n      }\n    }\n  ]\n  \
                        \"z\": \"\\u00e9\"\n}\n";
        assert_eq!(drawn(json, None), expected);
        assert_eq!(drawn("42", None), "42\n");
    }

    #[test]
    fn what_changed_is_marked_and_nothing_else() {
        let before = "{\"same\":1,\"moved\":[1,2],\"deep\":{\"a\":1,\"b\":2},\"kind\":{\"x\":1}}";
        let after = "{\"same\":1,\"moved\":[1,3],\"deep\":{\"a\":1,\"b\":5},\"kind\":7,\"new\":true}";
        let marked: Vec<_> = drawn(after, Some(before))
            .lines()
            .filter(|line| line.ends_with('*'))
            .map(str::to_owned)
            .collect();
        assert_eq!(
            marked,
            ["  \"moved\": [1, 3] *", "    \"b\": 5 *", "  \"kind\": 7 *", "  \"new\": true *"]
        );
        assert!(!drawn(after, Some(after)).contains('*'));
        assert_eq!(drawn("2", Some("1")), "2 *\n");
    }

    #[test]
    fn one_line_is_made_of_parts() {
        let parts =
            |json: &str, before: Option<&str>| Tree::parse(json).parts(before.map(Tree::parse).as_ref());
        let expected = [("a: 1".to_owned(), false), ("b: [2, {\"c\": 3}]".to_owned(), true)];
        assert_eq!(parts("{\"a\":1,\"b\":[2,{\"c\":3}]}", Some("{\"a\":1,\"b\":[2]}")), expected);
        assert_eq!(parts("[1,2]", Some("7")), [("[1, 2]".to_owned(), true)]);
        assert_eq!(parts("7", None), [("7".to_owned(), false)]);
    }

    #[test]
    fn long_lists_take_a_line_each() {
        let long = format!("[{}]", ["\"abcdefgh\""; 12].join(","));
        assert_eq!(drawn(&long, None).lines().count(), 14);
    }

    #[test]
    fn a_deep_state_is_drawn() {
        let deep = format!("{}1{}", "[".repeat(2_000), "]".repeat(2_000));
        assert!(drawn(&deep, None).lines().count() > 500);
    }
}
