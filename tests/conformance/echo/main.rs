//! The echo as a program, for conformance suites that others wrote: `cargo run --example echo -- 127.0.0.1:9001`.
//!
//! Always true: it is built by `cargo test` and `cargo run --example echo`, and by nothing that is released.
//!
//! Read first: `service.rs`.

use std::process::ExitCode;

mod service;

/// The largest cases of the Autobahn suite are messages of 16 MiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_string());
    let Ok(listen) = address.parse() else {
        eprintln!("`{address}` is no address; write it as 127.0.0.1:9001");
        return ExitCode::from(2);
    };
    let outcome = service::start(listen, 2, MESSAGE_BYTES_MAX).and_then(|broker| {
        eprintln!("listening on http://{}", broker.address());
        broker.wait()
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
