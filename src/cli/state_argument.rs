//! A state as typed: JSON itself, `-` for standard input, or `@FILE`.
//!
//! Always true: what is sent is the text that was given, number for number; it is checked here only so that
//! a slip is answered in the terms of the shell it was typed in.
//!
//! Read first: `failure.rs`.

use std::io::Read;
use std::path::Path;

use serde_json::value::RawValue;

use super::failure::Failure;

/// The JSON text that the argument stands for.
///
/// # Errors
/// It cannot be read, or is no JSON; with what to write instead.
pub fn read(argument: &str) -> Result<String, Failure> {
    let (text, source) = match argument.strip_prefix('@') {
        Some(path) => (read_file(Path::new(path))?, format!("the text in {path}")),
        None if argument == "-" => (read_input()?, "the text on standard input".to_owned()),
        None => (argument.to_owned(), "the state".to_owned()),
    };
    match serde_json::from_str::<&RawValue>(&text) {
        Ok(value) => Ok(value.get().to_owned()),
        Err(error) => Err(Failure::operator(format!("{source} is not JSON ({error})"), remedy(argument))),
    }
}

fn read_file(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        let message = format!("{} cannot be read ({error})", path.display());
        Failure::operator(message, "name a file with JSON after the @")
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let message =
            format!("{} is not UTF-8 from byte {} on", path.display(), error.utf8_error().valid_up_to());
        Failure::operator(message, "save it as UTF-8")
    })
}

fn read_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).map(|_| text).map_err(|error| {
        Failure::operator(format!("standard input cannot be read ({error})"), "pipe JSON in UTF-8 into it")
    })
}

fn remedy(argument: &str) -> String {
    if argument != "-" && !argument.starts_with('@') && Path::new(argument).is_file() {
        return format!("to send that file, write @{argument}");
    }
    "write it in single quotes, as '{\"orders\": 42}', '\"text\"' or 42; - reads standard input, @FILE a file"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(argument: &str) -> String {
        match read(argument) {
            Err(Failure::Operator(error)) => error.to_string(),
            other => panic!("{argument}: {other:?}"),
        }
    }

    #[test]
    fn json_goes_as_it_was_given() {
        for text in ["{\"a\": 1.0, \"a\": 2e5}", "42", "\"x\"", "null", "-0", "[]"] {
            assert_eq!(read(text).unwrap(), text);
        }
        assert_eq!(read("  [1]\n").unwrap(), "[1]");
    }

    #[test]
    fn a_file_is_named_after_an_at() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state.json");
        std::fs::write(&path, "{\"a\":1}\n").unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(read(&format!("@{path}")).unwrap(), "{\"a\":1}");
        assert!(fault(path).contains(&format!("@{path}")), "a forgotten @ is guessed");
        std::fs::write(path, b"\"\xff\"").unwrap();
        assert!(fault(&format!("@{path}")).contains("byte 1"));
        assert!(fault("@no/such/file").contains("no/such/file"));
    }

    #[test]
    fn what_is_no_json_says_where_and_what_to_write() {
        for text in ["hello", "{a:1}", "", "{\"a\":1} x", "01"] {
            let said = fault(text);
            assert!(said.contains("is not JSON") && said.contains("single quotes"), "{said}");
        }
    }
}
