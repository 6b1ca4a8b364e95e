//! A grant written with claims in it: `user-{sub}-*`.
//!
//! Always true: a claim fills its place with characters of a key only, at least one; so no `*` ever comes out of a
//! claim, and no template grants more than the operator wrote around it.
//!
//! Read first: `key.rs`.

use super::object::Object;
use crate::key::Pattern;

/// A key pattern with claims in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Plain text and the claim behind it, in turn.
    places: Vec<(String, String)>,
    end: String,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Template, &'static str> {
        const SHAPE: &str = "write a key pattern with claims in braces, as \"user-{sub}-*\"";
        let (mut places, mut rest) = (Vec::new(), text);
        while let Some((plain, behind)) = rest.split_once('{') {
            let (claim, after) = behind.split_once('}').ok_or(SHAPE)?;
            if claim.is_empty() || claim.contains('{') || plain.contains('}') {
                return Err(SHAPE);
            }
            places.push((plain.to_owned(), claim.to_owned()));
            rest = after;
        }
        let template = Template { places, end: rest.to_owned() };
        // With a letter in each place it has to be a pattern.
        template.with(|_| Some("a".to_owned())).map(|_| template).ok_or(SHAPE)
    }

    /// The pattern with the claims in their places; `None` where one is missing or does not fit into a key.
    pub fn fill(&self, claims: &Object<'_>) -> Option<Pattern> {
        self.with(|claim| {
            let value: String = serde_json::from_str(claims.at(claim)?).ok()?;
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte);
            (!value.is_empty() && value.bytes().all(fits)).then_some(value)
        })
    }

    fn with(&self, value: impl Fn(&str) -> Option<String>) -> Option<Pattern> {
        let mut text = String::new();
        for (plain, claim) in &self.places {
            text.push_str(plain);
            text.push_str(&value(claim)?);
        }
        text.push_str(&self.end);
        Pattern::parse(text.as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_fill_their_places() {
        let claims = Object::parse(r#"{"sub":"7","org":{"id":"acme"},"n":3,"star":"*","none":""}"#).unwrap();
        let fill =
            |text: &str| Template::parse(text).unwrap().fill(&claims).map(|pattern| pattern.to_string());
        assert_eq!(fill("user-{sub}-*").as_deref(), Some("user-7-*"));
        assert_eq!(fill("{org.id}.{sub}").as_deref(), Some("acme.7"));
        assert_eq!(fill("news-*").as_deref(), Some("news-*"));
        for nothing in ["{n}", "a{star}", "{none}*", "{missing}-*"] {
            assert_eq!(fill(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_when_it_is_read() {
        for wrong in ["", "user-{sub", "user-{}", "a b", "a*b", "{a}}", "}{a}", "_x", "{a{b}}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }
}
