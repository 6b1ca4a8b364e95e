//! The tool against the real broker and its own ceilings, briefly.
//!
//! Always true: where the broker's program was not built beside this one, the test of it says so and passes:
//! this crate does not build the broker.
//!
//! Read first: `src/main.rs`.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const TOOL: &str = env!("CARGO_BIN_EXE_lux-loadtest");
const API_KEY: &str = "smoke-test-on-loopback";

/// A server that ends with the test.
struct Server(Child, String);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let stderr = child.stderr.take().expect("a pipe");
        let url = BufReader::new(stderr)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("the server says where it listens");
        Server(child, url)
    }

    fn run(&self, arguments: &[&str]) -> Value {
        let file = tempfile(arguments[0], &self.1);
        let status = Command::new(TOOL)
            .args(arguments)
            .args(["--seconds", "0.3", "--warmup", "0.1", "--broker", &self.1, "--json"])
            .arg(&file)
            .env("LUX_API_KEY", API_KEY)
            .stdout(Stdio::null())
            .status()
            .expect("the tool runs");
        assert!(status.success());
        let text = std::fs::read_to_string(&file).expect("it wrote its figures");
        std::fs::remove_file(&file).expect("it is ours");
        serde_json::from_str(&text).expect("they are JSON")
    }
}

/// The broker's program, of this profile or as released.
fn broker() -> Option<PathBuf> {
    let folder = PathBuf::from(TOOL).parent()?.to_owned();
    [folder.join("lux"), folder.with_file_name("release").join("lux")].into_iter().find(|lux| lux.exists())
}

fn tempfile(scenario: &str, url: &str) -> PathBuf {
    let port = url.rsplit(':').next().unwrap_or_default();
    std::env::temp_dir().join(format!("lux-smoke-{}-{port}-{scenario}.json", std::process::id()))
}

/// Every viewer saw every revision, in order, and the last one; every write was acknowledged.
fn expect_whole(report: &Value, viewers: u64) {
    let count = |name: &str| report["counts"][name].as_u64().unwrap_or_default();
    assert!(count("answers") > 10, "{report}");
    assert_eq!(
        count("refused requests") + count("missed last revisions") + count("out of order"),
        0,
        "{report}"
    );
    assert_eq!(count("skipped revisions"), 0, "{report}");
    assert!(count("deliveries") >= viewers * 10, "{report}");
    assert_eq!(report["errors"].as_object().map(|errors| errors.len()), Some(0), "{report}");
}

#[test]
fn the_broker_acknowledges_and_delivers() {
    let Some(lux) = broker() else {
        eprintln!("the broker was not built; `cargo build -p lux` first to have it tested");
        return;
    };
    let state = std::env::temp_dir().join(format!("lux-smoke-{}", std::process::id()));
    let server = Server::start(
        Command::new(lux)
            .args(["serve", "--listen", "127.0.0.1:0", "--cores", "1", "--state-dir"])
            .arg(&state)
            .env("LUX_API_KEY", API_KEY),
    );
    expect_whole(&server.run(&["ack", "--producers", "4"]), 0);
    expect_whole(&server.run(&["fanout", "--viewers", "20"]), 20);
    expect_whole(&server.run(&["fanout", "--viewers", "6", "--keys", "3", "--prefix", "--burst", "3"]), 6);
    drop(server);
    let _ = std::fs::remove_dir_all(state);
}

#[test]
fn the_ceilings_answer_and_deliver_too() {
    let echo = Server::start(Command::new(TOOL).args(["ceiling", "echo"]));
    expect_whole(&echo.run(&["ack", "--producers", "4"]), 0);
    let send = Server::start(Command::new(TOOL).args(["ceiling", "send"]));
    expect_whole(&send.run(&["fanout", "--viewers", "20"]), 20);
}
