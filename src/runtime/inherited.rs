//! The listening socket that a supervisor hands over (`LISTEN_FDS`, sd_listen_fds(3)).
//!
//! Always true: a socket that is meant for another process is left alone. What is handed over stays open when
//! this broker ends, so that whoever connects meanwhile waits for the next one and is not refused. Nothing
//! here may therefore shut it down.
//!
//! Read first: `runtime/listener.rs`.

use std::env;
use std::net::TcpListener;

use listenfd::ListenFd;
use socket2::SockRef;

use crate::operator_error::OperatorError;
use crate::runtime::listener::NOTSENT_BYTES_MAX;

/// Takes the socket out of the environment, so that nobody takes it twice. To be called before other threads
/// are started, since it changes the environment.
///
/// # Errors
/// More than one socket, or one that Lux cannot accept connections from.
pub fn take() -> Result<Option<TcpListener>, OperatorError> {
    if !is_for(env::var("LISTEN_PID").ok().as_deref(), std::process::id()) {
        return Ok(None);
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut handed = ListenFd::from_env();
    match handed.len() {
        0 => return Ok(None),
        1 => {}
        count => return Err(too_many(count, &names)),
    }
    let refuse = |why: String| {
        OperatorError::new(
            format!("the socket that was handed over cannot be used: {why}"),
            "let the socket unit have one `ListenStream=` with an address and a port, and `Accept=no`",
        )
    };
    let listener = handed.take_tcp_listener(0).map_err(|error| refuse(error.to_string()))?;
    let Some(listener) = listener else { return Ok(None) };
    prepare(&listener).map_err(|error| refuse(error.to_string()))?;
    Ok(Some(listener))
}

/// The same socket for each core.
///
/// # Errors
/// No descriptors are left.
pub fn for_cores(listener: &TcpListener, cores: usize) -> Result<Vec<TcpListener>, OperatorError> {
    (0..cores).map(|_| listener.try_clone()).collect::<Result<_, _>>().map_err(|error| {
        OperatorError::new(
            format!("the socket that was handed over cannot be shared out: {error}"),
            "raise the limit on descriptors (`LimitNOFILE=`)",
        )
    })
}

fn is_for(listen_pid: Option<&str>, own_pid: u32) -> bool {
    listen_pid.is_some_and(|pid| pid.parse() == Ok(own_pid))
}

/// What connections inherit, as on sockets of our own. Those that wait in the queue of a socket unit whose
/// very first start this is came too early for it, and are served all the same.
fn prepare(listener: &TcpListener) -> std::io::Result<()> {
    let socket = SockRef::from(listener);
    if !socket.is_listener()? {
        return Err(std::io::Error::other("it is a connection, not a listening socket"));
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(NOTSENT_BYTES_MAX)
}

fn too_many(count: usize, names: &str) -> OperatorError {
    let named = if names.is_empty() { String::new() } else { format!(" ({})", names.replace(':', ", ")) };
    OperatorError::new(
        format!("{count} sockets were handed over{named}, and Lux takes one"),
        "leave one `ListenStream=` in the socket unit; `ListenStream=7373` takes IPv4 and IPv6",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_another_process_is_left_alone() {
        assert!(is_for(Some("7"), 7));
        for other in [Some("8"), Some(""), Some("seven"), None] {
            assert!(!is_for(other, 7), "{other:?}");
        }
    }

    #[test]
    fn a_socket_too_many_is_named() {
        let error = too_many(2, "lux.socket:other").to_string();
        assert!(error.contains("2 sockets") && error.contains("lux.socket, other"), "{error}");
    }
}
