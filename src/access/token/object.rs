//! A JSON object whose names stand once.
//!
//! Always true: a name that stands twice makes the object none, since two readers could believe two values.
//! Nothing recurses: a member's value stays text until somebody asks for it.
//!
//! Read first: nothing.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// More members than any token has; looking for doubled names takes their square.
const MEMBERS_MAX: usize = 64;

/// The members of an object, in their order.
#[derive(Debug)]
pub struct Object<'j> {
    members: Vec<(String, &'j RawValue)>,
}

impl<'j> Object<'j> {
    /// Reads an object; `None` if it is none, or has a name twice.
    pub fn parse(text: &'j str) -> Option<Object<'j>> {
        serde_json::from_str(text).ok()
    }

    /// A member's value, as JSON.
    pub fn get(&self, name: &str) -> Option<&'j str> {
        self.members.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// A member that is text: `None` if it is not there, `Some(None)` if it is something else.
    pub fn text(&self, name: &str) -> Option<Option<String>> {
        self.get(name).map(|value| serde_json::from_str(value).ok())
    }

    /// The member of this very name, or the one that is found by going down at each dot.
    pub fn at(&self, path: &str) -> Option<&'j str> {
        if let Some(value) = self.get(path) {
            return Some(value);
        }
        let mut steps = path.split('.');
        let first = self.get(steps.next()?)?;
        steps.try_fold(first, |value, step| Object::parse(value)?.get(step))
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<'de>, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if members.len() == MEMBERS_MAX || members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("doubled or too many"));
                    }
                    members.push((name, map.next_value()?));
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_once_however_they_are_written() {
        assert_eq!(Object::parse(r#" {"a": 1, "b":[2]} "#).unwrap().get("b"), Some("[2]"));
        let many: String = (0..65).map(|at| format!(r#""n{at}":0,"#)).collect();
        for wrong in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\ud800":1}"#,
            "[]",
            "1",
            "",
            "{",
            "{}{}",
            &format!(r#"{{{many}"x":0}}"#),
        ] {
            assert!(Object::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_path_goes_down_unless_the_whole_name_is_there() {
        let object = Object::parse(r#"{"lux":{"read":["a"],"x":{"y":3}},"x.lux/read":4,"s":"t"}"#).unwrap();
        assert_eq!(object.at("lux.read"), Some(r#"["a"]"#));
        assert_eq!(object.at("lux.x.y"), Some("3"));
        assert_eq!(object.at("x.lux/read"), Some("4"));
        assert_eq!((object.at("lux.write"), object.at("s.t"), object.at("")), (None, None, None));
        assert_eq!(
            (object.text("s"), object.text("lux"), object.text("t")),
            (Some(Some("t".into())), Some(None), None)
        );
    }

    #[test]
    fn deep_values_are_only_text() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(Object::parse(&deep).is_none_or(|object| object.at("a.b").is_none()));
    }
}
