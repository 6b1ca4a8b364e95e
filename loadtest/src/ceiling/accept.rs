//! Accepts connections and does nothing with them.
//!
//! Always true: several accepts are with the kernel at a time, as in Lux.
//!
//! Read first: `ceiling/mod.rs`.

use std::rc::Rc;

use tokio_uring::net::TcpListener;

/// Accepts for ever.
pub async fn serve(listener: TcpListener) {
    const ACCEPTS: usize = 8;
    let listener = Rc::new(listener);
    for _ in 1..ACCEPTS {
        tokio_uring::spawn(keep(listener.clone()));
    }
    keep(listener).await;
}

async fn keep(listener: Rc<TcpListener>) {
    let mut kept = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        kept.push(stream);
    }
}
