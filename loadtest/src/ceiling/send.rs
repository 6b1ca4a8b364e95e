//! Answers every request and sends its mark, in a frame of fixed size, to every viewer.
//!
//! Always true: answer and frames are one submission, the answer first; of all the sends only the last to be
//! submitted is waited for with a waker, as its completion means that the others have completed, nearly
//! always. A viewer that is not done with one frame holds up the next: nothing is conflated.
//!
//! Read first: `ceiling/echo.rs`.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use memchr::memmem;
use tokio_uring::net::{TcpListener, TcpStream};

use crate::ceiling::Options;
use crate::ceiling::echo::READ_BYTES;
use crate::ceiling::producer::{Inbox, answer};
use crate::mark::{INTRODUCTION, MARK_LEN};
use crate::websocket;

/// All viewers; one that is gone leaves its place empty.
type Viewers = Rc<RefCell<Vec<Option<Rc<TcpStream>>>>>;

/// Serves for ever.
pub async fn serve(listener: TcpListener, options: &Options) {
    let viewers = Viewers::default();
    let (answer, frame) = (answer(options.answer_bytes), frame(options.message_bytes));
    let listener = Rc::new(listener);
    while let Ok((stream, _)) = listener.accept().await {
        tokio_uring::spawn(meet(Rc::new(stream), viewers.clone(), answer.clone(), frame.clone()));
    }
}

/// Finds out whether it is a viewer or a producer.
async fn meet(stream: Rc<TcpStream>, viewers: Viewers, answer: Bytes, frame: Vec<u8>) {
    let (read, head) = stream.read(Vec::with_capacity(READ_BYTES)).await;
    if !matches!(read, Ok(1..)) {
        return;
    }
    if memmem::find(&head, b"Upgrade: websocket").is_some() {
        drop(head);
        keep(stream, viewers).await;
    } else {
        spread(stream, viewers, answer, frame, head).await;
    }
}

async fn keep(stream: Rc<TcpStream>, viewers: Viewers) {
    let mut greeting = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        websocket::ACCEPT
    )
    .into_bytes();
    greeting.extend(websocket::text(b"{\"synced\":true,\"epoch\":\"ceiling\"}"));
    let greeting = stream.write(greeting).submit();
    let place = {
        let mut viewers = viewers.borrow_mut();
        viewers.push(Some(stream.clone()));
        viewers.len() - 1
    };
    let mut buffer = Vec::with_capacity(128);
    let _ = greeting.await;
    // Whatever a viewer says is let go; its end is noticed.
    loop {
        buffer.clear();
        let (read, back) = stream.read(buffer).await;
        buffer = back;
        if !matches!(read, Ok(1..)) {
            viewers.borrow_mut()[place] = None;
            return;
        }
    }
}

async fn spread(stream: Rc<TcpStream>, viewers: Viewers, answer: Bytes, mut frame: Vec<u8>, first: Vec<u8>) {
    let mark_at = memmem::find(&frame, INTRODUCTION.as_bytes()).map_or(0, |at| at + INTRODUCTION.len());
    let mut inbox = Inbox::default();
    let mut buffer = first;
    loop {
        let requests = inbox.requests(&buffer);
        if requests > 0 {
            if let Some(mark) = inbox.last_mark(&buffer) {
                frame[mark_at..mark_at + MARK_LEN].copy_from_slice(mark);
            }
            let answer = if requests == 1 { answer.clone() } else { Bytes::from(answer.repeat(requests)) };
            let answering = stream.write(answer).submit();
            let shared = Bytes::copy_from_slice(&frame);
            let mut sends: Vec<_> = viewers
                .borrow()
                .iter()
                .flatten()
                .map(|viewer| viewer.write(shared.clone()).submit())
                .collect();
            while let Some(send) = sends.pop() {
                let _ = send.await;
            }
            let _ = answering.await;
        }
        buffer.clear();
        let (read, back) = stream.read(buffer).await;
        buffer = back;
        if !matches!(read, Ok(1..)) {
            return;
        }
    }
}

/// A frame whose message has so many bytes, with a mark where Lux's records have theirs.
fn frame(message_bytes: usize) -> Vec<u8> {
    const BEFORE: &str = "{\"key\":\"..................\",\"rev\":0,\"updatedAt\":0,";
    let mut message = format!("{BEFORE}{INTRODUCTION}{}\",\"note\":\"", "0".repeat(MARK_LEN));
    let missing = message_bytes.saturating_sub(message.len() + 2);
    message.extend(std::iter::repeat_n('.', missing));
    message.push_str("\"}");
    websocket::text(message.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Progress;
    use crate::websocket::{Frame, read_frame};

    #[test]
    fn a_frame_has_the_size_asked_for_and_a_mark() {
        let frame = frame(280);
        let Progress::Done(Frame::Message(message), _) = read_frame(&frame) else { panic!("no frame") };
        assert_eq!(message.len(), 280);
        assert!(crate::mark::position(message).is_some());
    }
}
