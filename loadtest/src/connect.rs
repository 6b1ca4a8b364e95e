//! Connections, from several addresses of the loopback network.
//!
//! Always true: a connection from here to 127.0.0.1 comes from the next of many addresses, each with its
//! own ports. So no count of viewers that descriptors allow runs out of ports, and the kernel finds one at once,
//! although those of the last minute still rest in TIME-WAIT.
//!
//! Read first: nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// How many addresses connections come from.
const SOURCES: u8 = 128;

/// Gives each connection the next address.
#[derive(Default)]
pub struct Sources(u8);

impl Sources {
    /// Begins a connection; it may not be established yet. `EINPROGRESS` is no error here.
    ///
    /// # Errors
    /// No descriptor or port is left, or nobody listens there.
    pub fn connect(&mut self, to: SocketAddr) -> io::Result<mio::net::TcpStream> {
        const EINPROGRESS: i32 = 115;
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            self.0 = (self.0 + 1) % SOURCES;
            let source = SocketAddr::from(([127, 0, 0, 2 + self.0], 0));
            socket.bind(&source.into())?;
        }
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
            Ok(()) | Err(_) => Ok(mio::net::TcpStream::from_std(socket.into())),
        }
    }
}
