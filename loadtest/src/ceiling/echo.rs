//! Answers every request with the same bytes.
//!
//! Always true: an answer and the next read go to the kernel in one submission, so a request costs one
//! io_uring call and one wait, however many connections are busy.
//!
//! Read first: `ceiling/producer.rs`.

use bytes::Bytes;
use tokio_uring::net::{TcpListener, TcpStream};

use crate::ceiling::Options;
use crate::ceiling::producer::{Inbox, answer};

/// Bytes of a producer's read.
pub const READ_BYTES: usize = 4096;

/// Answers for ever.
pub async fn serve(listener: TcpListener, options: &Options) {
    let answer = answer(options.answer_bytes);
    while let Ok((stream, _)) = listener.accept().await {
        tokio_uring::spawn(echo(stream, answer.clone()));
    }
}

async fn echo(stream: TcpStream, answer: Bytes) {
    let mut inbox = Inbox::default();
    let mut buffer = Vec::with_capacity(READ_BYTES);
    let mut answering = None;
    loop {
        buffer.clear();
        // The read goes along with the answer before it.
        let (read, back) = stream.read(buffer).await;
        buffer = back;
        if !matches!(read, Ok(1..)) {
            return;
        }
        if let Some(former) = answering.take() {
            let _: (std::io::Result<usize>, Bytes) = futures_done(former).await;
        }
        answering = match inbox.requests(&buffer) {
            0 => None,
            1 => Some(stream.write(answer.clone()).submit()),
            more => Some(stream.write(Bytes::from(answer.repeat(more))).submit()),
        };
    }
}

/// Names the type of a write's outcome.
async fn futures_done<F: Future<Output = (std::io::Result<usize>, Bytes)>>(write: F) -> F::Output {
    write.await
}
