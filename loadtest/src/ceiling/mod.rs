//! What the kernel alone costs: servers that do the least that could carry the same bytes.
//!
//! Always true: they use the engine Lux uses, tokio-uring on one thread, in the way that was found fastest
//! with it, and know nothing of HTTP beyond the first request's length. They are yardsticks, not servers.
//!
//! Read first: nothing.

pub mod accept;
pub mod echo;
pub mod producer;
pub mod send;

use std::io;
use std::net::SocketAddr;

use clap::{Args, Subcommand};
use socket2::{Domain, Protocol, Socket, Type};

use crate::failure::Failure;

/// Which ceiling.
#[derive(Subcommand, Clone, Debug)]
pub enum Kind {
    /// Answers every request with the same bytes
    Echo(Options),
    /// The same, and sends every request's mark in a frame to all viewers, all sends in one submission
    Send(Options),
    /// Accepts connections and keeps them
    Accept(Options),
}

/// Options of a ceiling.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address and port; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Bytes of an answer, head and all
    #[arg(long, default_value_t = 500)]
    pub answer_bytes: usize,
    /// Bytes of a frame's message, without its header
    #[arg(long, default_value_t = 280)]
    pub message_bytes: usize,
}

/// Runs a ceiling until it is ended by a signal.
///
/// # Errors
/// There is no io_uring, or the port is taken.
pub fn run(kind: &Kind) -> Result<(), Failure> {
    let (Kind::Echo(options) | Kind::Send(options) | Kind::Accept(options)) = kind;
    let listener = listen(options.listen).map_err(Failure::of(format!("listening on {}", options.listen)))?;
    let address = listener.local_addr().map_err(Failure::of("asking for the port"))?;
    // As Lux sets its rings up.
    let mut ring = tokio_uring::uring_builder();
    ring.setup_cqsize(8192).setup_clamp().setup_coop_taskrun();
    let runtime = tokio_uring::Runtime::new(tokio_uring::builder().entries(1024).uring_builder(&ring))
        .map_err(Failure::of("setting up io_uring"))?;
    eprintln!("listening on http://{address}");
    runtime.block_on(async {
        let listener = tokio_uring::net::TcpListener::from_std(listener);
        match kind {
            Kind::Echo(_) => echo::serve(listener, options).await,
            Kind::Send(_) => send::serve(listener, options).await,
            Kind::Accept(_) => accept::serve(listener).await,
        }
    });
    Ok(())
}

/// A listening socket; accepted ones inherit TCP_NODELAY.
fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}
