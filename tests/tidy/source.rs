//! Source text and simple questions about it.
//!
//! Always true: these are rules over text, not a parser; they count on rustfmt having been there.
//!
//! Read first: `main.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// Walks a hash map in its own order, which differs from run to run.
const WALKS: [&str; 10] = [
    ".iter()",
    ".iter_mut()",
    ".keys()",
    ".values()",
    ".values_mut()",
    ".into_iter()",
    ".into_keys()",
    ".into_values()",
    ".drain(",
    ".retain(",
];

/// A source file, by its path from the root of the repository.
pub struct Source {
    /// Where it is, from the root of the repository.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// The lines with their numbers, up to the tests at the end.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines()).take_while(|(_, line)| *line != "#[cfg(test)]")
    }

    /// The same without comments.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().map(|(at, line)| (at, line.find("//").map_or(line, |comment| &line[..comment])))
    }

    /// How an offending line is shown.
    pub fn place(&self, at: usize, line: &str) -> String {
        format!("{}:{at}: {}", self.path, line.trim())
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under this folder of the repository.
pub fn sources(folder: &str) -> Vec<Source> {
    let mut sources: Vec<Source> = files_under(&root().join(folder))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| Source {
            text: fs::read_to_string(&path).expect("a source can be read"),
            path: path.strip_prefix(root()).expect("under the root").to_str().expect("UTF-8").to_string(),
        })
        .collect();
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!sources.is_empty(), "nothing under {folder}");
    sources
}

/// Every file under a folder; none where there is no such folder.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] }).collect()
}

/// Whether `word` stands in `text` with no letter, digit or `_` beside it.
pub fn has_word(text: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let open_start = joins(word.chars().next().unwrap()) && before.ends_with(joins);
        let open_end = joins(word.chars().last().unwrap()) && after.starts_with(joins);
        !open_start && !open_end
    })
}

/// The functions of a file: where each begins, its name, and how many lines it has. Formatted code closes a
/// function with a brace in the column in which it began; one without a body ends in `;`.
pub fn functions(source: &Source) -> Vec<(usize, &str, usize)> {
    const QUALIFIERS: [&str; 5] = ["pub", "pub(crate)", "pub(super)", "const", "async"];
    let lines: Vec<(usize, &str)> = source.lines().collect();
    let mut functions = Vec::new();
    for (index, (at, line)) in lines.iter().enumerate() {
        let code = line.trim_start();
        let Some(position) = code.find("fn ") else { continue };
        if !code[..position].split_whitespace().all(|word| QUALIFIERS.contains(&word)) {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let closes = |line: &str| {
            let rest = line.strip_prefix(indent);
            rest.is_some_and(|rest| rest == "}" || (rest.starts_with(')') && rest.ends_with(';')))
        };
        let whole = code.ends_with([';', '}']);
        let end = if whole {
            index
        } else {
            index + lines[index..].iter().position(|(_, line)| closes(line)).unwrap_or(0)
        };
        let name = code[position + 3..].split(['(', '<']).next().unwrap_or_default();
        functions.push((*at, name, end - index + 1));
    }
    functions
}

/// The field or variable that a line declares as a hash map or set.
pub fn hash_map_name(line: &str) -> Option<&str> {
    let at = line.find("HashMap").or_else(|| line.find("HashSet"))?;
    let bytes = &line.as_bytes()[..at];
    let single = |at: usize| bytes.get(at.wrapping_sub(1)) != Some(&b':') && bytes.get(at + 1) != Some(&b':');
    let end = (0..at).rev().find(|&at| bytes[at] == b'=' || (bytes[at] == b':' && single(at)))?;
    // What a function gives back is not the argument in front of the arrow.
    if line[end..at].contains("->") {
        return None;
    }
    let declared = line[..end].trim_end();
    let start = declared.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    (start < declared.len()).then_some(&declared[start..])
}

/// Whether a line goes through this map from one entry to the next.
pub fn walks(line: &str, map: &str) -> bool {
    let by_method = WALKS.iter().any(|walk| has_word(line, &format!("{map}{walk}")));
    let by_loop = ["in &", "in &mut ", "in "].iter().any(|start| {
        let whole = |name: String| line.trim_end().ends_with(&format!("{start}{name} {{"));
        whole(map.to_string()) || whole(format!("self.{map}"))
    });
    by_method || by_loop
}

#[test]
fn the_rules_catch_what_they_are_for() {
    let source = |text: &str| Source { path: "src/wire/x.rs".to_string(), text: text.to_string() };
    assert!(has_word("let x = Instant::now();", "Instant") && !has_word("instantly Instants", "Instant"));
    assert!(!has_word("tracing_subscriber", "subscriber") && has_word("a subscriber.", "subscriber"));
    assert_eq!(hash_map_name("    entries: HashMap<Key, Entry>,"), Some("entries"));
    assert_eq!(hash_map_name("    let mut seen: std::collections::HashSet<u8> = x;"), Some("seen"));
    assert_eq!(hash_map_name("    let mut seen = HashMap::new();"), Some("seen"));
    assert_eq!(hash_map_name("use std::collections::HashMap;"), None);
    assert_eq!(hash_map_name("fn of(keys: &[Key]) -> HashSet<Key> {"), None);
    assert!(walks("for x in &self.entries {", "entries") && walks("self.entries.keys().next()", "entries"));
    assert!(!walks("self.entries.get(&key)", "entries") && !walks("self.more_entries.iter()", "entries"));
    let two = source(
        "fn a() {\n    1\n}\n\nimpl X {\n    pub fn b(\n        self,\n    ) -> u8 {\n        2\n    }\n    fn c() {}\n}\n",
    );
    assert_eq!(functions(&two), [(1, "a", 3), (6, "b", 5), (11, "c", 1)]);
    let tested = source("one // two\n#[cfg(test)]\nmod tests {}\n");
    assert_eq!((tested.lines().count(), tested.code().next()), (1, Some((1, "one "))));
}
