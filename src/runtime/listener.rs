//! Listening sockets: one per core, all on one port.
//!
//! Always true: a port that somebody else holds is an error, although SO_REUSEPORT would let us share it.
//! What connections inherit is set here once, so accepting one costs no further call.
//!
//! Read first: `settings/mod.rs`.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::operator_error::OperatorError;

/// Unsent bytes the kernel may hold for one connection before it stops taking more: what waits in there is
/// out of our hands and grows old.
pub const NOTSENT_BYTES_MAX: u32 = 16 * 1024;
/// Connections that may wait to be accepted, per core.
const BACKLOG: i32 = 4096;

/// Opens a listening socket for each core.
///
/// # Errors
/// The port is taken, the address is not of this machine, or may not be listened on.
pub fn open(address: SocketAddr, cores: usize) -> Result<Vec<TcpListener>, OperatorError> {
    let refuse = |error: io::Error| explain(address, &error);
    if address.port() != 0 {
        wait_for_port(address).map_err(refuse)?;
    }
    let first = listen(address).map_err(refuse)?;
    let address = first.local_addr().map_err(refuse)?;
    let mut listeners = vec![first];
    for _ in 1..cores {
        listeners.push(listen(address).map_err(refuse)?);
    }
    Ok(listeners)
}

/// After a `kill -9` the kernel takes a moment to let go of a port: its ring closes the listening sockets
/// only once the process is gone.
fn wait_for_port(address: SocketAddr) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(1);
    const PAUSE: Duration = Duration::from_millis(10);
    let until = Instant::now() + PATIENCE;
    loop {
        match probe(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < until => {
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

/// Sockets that share a port have to say so; one that does not finds out whether anybody holds it.
fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(NOTSENT_BYTES_MAX)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn explain(address: SocketAddr, error: &io::Error) -> OperatorError {
    let port = address.port();
    match error.kind() {
        ErrorKind::AddrInUse => OperatorError::new(
            format!("{address} is in use by another program"),
            format!("stop it (`ss -ltnp 'sport = :{port}'` names it) or choose another port with --listen"),
        ),
        ErrorKind::AddrNotAvailable => OperatorError::new(
            format!("{} is not an address of this machine", address.ip()),
            "give --listen one that `ip address` shows, or 0.0.0.0 for all of them",
        ),
        ErrorKind::PermissionDenied => OperatorError::new(
            format!("port {port} may not be listened on without privileges"),
            "choose a port above 1023, or give the service CAP_NET_BIND_SERVICE",
        ),
        _ => OperatorError::new(
            format!("cannot listen on {address}: {error}"),
            "choose another address with --listen",
        ),
    }
}
