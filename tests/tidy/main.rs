//! The source polices itself: what the style asks for and a compiler does not see.
//!
//! Always true: each rule is a few lines over text, and each exception stands here by name with its reason.
//! The list of exceptions only shrinks.
//!
//! Read first: nothing.

mod source;

use std::fs;

use source::{Source, files_under, functions, has_word, hash_map_name, root, sources, walks};

/// Where sources stand that go by these rules.
const FOLDERS: [&str; 6] = ["src", "tests", "benches", "fuzz/src", "fuzz/targets", "fuzz/pure"];
/// Lines of a file, its tests aside.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// The half without sockets, clocks, threads, randomness, environment or log.
const PURE_FOLDERS: [&str; 5] = ["src/wire/", "src/conn/", "src/access/", "src/shard/", "src/snapshot/"];
const PURE_FILES: [&str; 9] = [
    "src/counters.rs",
    "src/dirty.rs",
    "src/ids.rs",
    "src/key.rs",
    "src/limits.rs",
    "src/metrics.rs",
    "src/terms.rs",
    "src/time.rs",
    "src/toml_lines.rs",
];

/// What the pure half does without.
const IMPURE: [&str; 24] = [
    "std::net",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "std::io::std",
    "std::os",
    "Instant",
    "SystemTime",
    "tokio",
    "tracing",
    "println!",
    "eprintln!",
    "print!",
    "dbg!",
    "getrandom",
    "socket2",
    "nix::",
    "rtrb",
    "thread_local!",
    "Mutex",
    "RwLock",
    "Atomic",
    "static mut",
];

/// A storey knows those below it, never those above: folder, and what it must not name.
const STOREYS: [(&str, &[&str]); 5] = [
    (
        "src/wire/",
        &["crate::conn", "crate::shard", "crate::access", "crate::runtime", "crate::cli", "crate::settings"],
    ),
    ("src/access/", &["crate::conn", "crate::shard", "crate::runtime", "crate::cli", "crate::settings"]),
    ("src/conn/", &["crate::shard", "crate::runtime", "crate::cli", "crate::settings"]),
    ("src/shard/", &["crate::runtime", "crate::cli", "crate::settings"]),
    ("src/runtime/", &["crate::cli"]),
];

/// Words for which the field has another: viewer, producer, key, a set of keys that are owed.
const OTHER_WORDS: [&str; 12] = [
    "subscriber",
    "subscribers",
    "publisher",
    "publishers",
    "publish",
    "published",
    "topic",
    "topics",
    "pubsub",
    "client queue",
    "message queue",
    "pub/sub",
];

/// One exception: the file, what stands in the offending line, and why it may.
type Exception = (&'static str, &'static str, &'static str);

/// Files whose header is of another kind, and why.
const HEADERS_ALLOWED: [(&str, &str); 2] = [
    ("src/lib.rs", "the map of the house, in prose"),
    ("src/main.rs", "three lines that call the command line"),
];
const IMPURE_ALLOWED: [Exception; 0] = [];
const WORDS_ALLOWED: [Exception; 0] = [];
const WALKS_ALLOWED: [Exception; 0] = [];

fn is_pure(source: &Source) -> bool {
    PURE_FOLDERS.iter().any(|folder| source.path.starts_with(folder)) || PURE_FILES.contains(&&*source.path)
}

fn is_allowed(exceptions: &[Exception], source: &Source, line: &str) -> bool {
    exceptions.iter().any(|(path, part, _)| source.path == *path && line.contains(part))
}

#[track_caller]
fn assert_none(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}\n  {}", found.join("\n  "));
}

#[test]
fn every_file_says_what_it_is_and_what_is_always_true() {
    let lacks = |source: &Source| {
        let header: String = source.text.lines().take_while(|line| line.starts_with("//!")).collect();
        let exempt = HEADERS_ALLOWED.iter().any(|(path, _)| source.path == *path);
        let says = header.contains("Always true: ") && header.contains("Read first: ");
        !header.starts_with("//! ") || !(exempt || says)
    };
    let found = FOLDERS.into_iter().flat_map(sources).filter(lacks).map(|source| source.path).collect();
    assert_none("a file opens with `//!`: what it is, `Always true: …`, `Read first: …`", found);
}

#[test]
fn no_file_is_long() {
    let lines = |source: &Source| source.lines().count();
    let long = FOLDERS.into_iter().flat_map(sources).filter(|source| lines(source) > FILE_LINES_MAX);
    let found = long.map(|source| format!("{}: {} lines", source.path, lines(&source))).collect();
    assert_none("a file has at most 400 lines, tests aside; split it by idea", found);
}

#[test]
fn no_function_is_long() {
    let mut found = Vec::new();
    for source in FOLDERS.into_iter().flat_map(sources) {
        let long = functions(&source).into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX);
        found.extend(long.map(|(at, name, lines)| format!("{}:{at}: {name} has {lines} lines", source.path)));
    }
    assert_none("a function has at most 70 lines; decide above, work below", found);
}

#[test]
fn the_pure_half_is_pure() {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| is_pure(source)) {
        for (at, line) in source.code() {
            let impure = IMPURE.iter().any(|word| has_word(line, word));
            if impure && !is_allowed(&IMPURE_ALLOWED, source, line) {
                found.push(source.place(at, line));
            }
        }
    }
    assert_none("sockets, clocks, threads, randomness, environment and log stay in the runtime", found);
}

#[test]
fn the_pure_half_never_walks_a_hash_map() {
    let mut found = Vec::new();
    for source in sources("src").iter().filter(|source| is_pure(source)) {
        let maps: Vec<&str> = source.code().filter_map(|(_, line)| hash_map_name(line)).collect();
        for (at, line) in source.code() {
            let walked = maps.iter().any(|map| walks(line, map));
            if walked && !is_allowed(&WALKS_ALLOWED, source, line) {
                found.push(source.place(at, line));
            }
        }
    }
    assert_none("a hash map's order is not a seed's: look up in it, or keep an ordered structure", found);
}

#[test]
fn a_storey_names_none_above_it() {
    let mut found = Vec::new();
    for source in sources("src") {
        let above = STOREYS
            .iter()
            .filter(|(folder, _)| source.path.starts_with(folder))
            .flat_map(|(_, above)| *above);
        for name in above {
            let lines = source.code().filter(|(_, line)| has_word(line, name));
            found.extend(lines.map(|(at, line)| source.place(at, line)));
        }
    }
    assert_none("data goes one way: wire, conn, shard, runtime", found);
}

#[test]
fn nothing_depends_on_a_license() {
    // Who reads it, hands it on and shows it. Nobody else has a reason to know of one.
    let told = [
        "src/lib.rs",
        "src/terms.rs",
        "src/license/",
        "src/cli/",
        "src/console/mod.rs",
        "src/settings/mod.rs",
        "src/settings/file.rs",
        "src/runtime/mod.rs",
        "src/runtime/mesh.rs",
        "src/runtime/worker.rs",
        "src/shard/mod.rs",
        "src/shard/survey.rs",
    ];
    let mut found = Vec::new();
    for source in
        sources("src").iter().filter(|source| !told.iter().any(|path| source.path.starts_with(path)))
    {
        let lines = source.code().filter(|(_, line)| line.to_lowercase().contains("license"));
        found.extend(lines.map(|(at, line)| source.place(at, line)));
    }
    let survey = fs::read_to_string(root().join("src/shard/survey.rs")).unwrap();
    assert_eq!(survey.matches("license").count(), 1, "the metrics show it, and nothing else here reads it");
    assert_none("a broker is never less correct for want of a license", found);
}

#[test]
fn nothing_is_unsafe_and_nothing_is_left_to_do() {
    let words = [
        concat!("un", "safe"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        "todo!",
        "unimplemented!",
    ];
    let mut found = Vec::new();
    for source in
        FOLDERS.into_iter().flat_map(sources).filter(|source| !source.path.starts_with("tests/tidy/"))
    {
        for (at, line) in (1..).zip(source.text.lines()) {
            let bans = line.contains("(unsafe_code)");
            if !bans && words.iter().any(|word| has_word(line, word)) {
                found.push(source.place(at, line));
            }
        }
    }
    assert_none("what is there is finished, and safe", found);
}

#[test]
fn nothing_knows_the_machine_it_was_written_on() {
    let folders = ["/home/", "/root/", "/Users/", "/work/", "/tmp/"];
    // What a test may name because it stands for nobody's machine.
    let nobody = ["/home/me", "/nonexistent"];
    let kinds = ["rs", "js", "ts", "mjs", "html", "css", "json", "toml", "sh", "service", "socket", "py"];
    let mut found = Vec::new();
    for folder in ["src", "sdk", "examples", "scripts", "systemd", "tests", "benches", "loadtest", "fuzz"] {
        for path in files_under(&root().join(folder)) {
            let kind = path.extension().map_or("sh", |extension| extension.to_str().unwrap_or_default());
            let foreign = path.components().any(|part| part.as_os_str() == "node_modules")
                || path.ends_with("tests/tidy/main.rs");
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if foreign || !kinds.contains(&kind) {
                continue;
            }
            let named = |line: &&str| {
                folders.iter().any(|name| line.contains(name))
                    && !nobody.iter().any(|name| line.contains(name))
            };
            let path = path.strip_prefix(root()).unwrap().display();
            found.extend(text.lines().filter(named).map(|line| format!("{path}: {}", line.trim())));
        }
    }
    assert_none("no path of one machine stands in the repository", found);
}

#[test]
fn one_word_per_thing() {
    let mut found = Vec::new();
    for source in sources("src") {
        for (at, line) in source.lines() {
            let lower = line.to_lowercase();
            let other = OTHER_WORDS.iter().any(|word| has_word(&lower, word));
            if other && !is_allowed(&WORDS_ALLOWED, &source, line) {
                found.push(source.place(at, line));
            }
        }
    }
    assert_none(
        "the field's words: viewer, producer, key, state, record, revision, snapshot, shard, grant",
        found,
    );
}

#[test]
fn every_exception_is_still_needed() {
    let mut found = Vec::new();
    for (path, part, why) in IMPURE_ALLOWED.iter().chain(&WORDS_ALLOWED).chain(&WALKS_ALLOWED) {
        assert!(!why.is_empty());
        let text = fs::read_to_string(root().join(path)).unwrap_or_default();
        if !text.contains(part) {
            found.push(format!("{path}: {part}"));
        }
    }
    assert_none("the list of exceptions only shrinks", found);
}
