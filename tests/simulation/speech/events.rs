//! Server-Sent Events as a browser reads them.
//!
//! Always true: an event is whole before anybody sees it; comments mean nothing.
//!
//! Read first: `speech/mod.rs`.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name; empty for a plain message.
    pub name: String,
    /// Its id, where it has one.
    pub id: Option<String>,
    /// What it says; nothing where the block was a comment.
    pub data: Option<Vec<u8>>,
}

/// An event at the front of these bytes, and how many of them it is.
pub fn read(bytes: &[u8]) -> Result<Option<(Event, usize)>, String> {
    let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") else { return Ok(None) };
    let mut event = Event::default();
    for line in bytes[..end].split(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        if let Some(data) = line.strip_prefix(b"data: ") {
            event.data = Some(data.to_vec());
        } else if let Some(name) = text.strip_prefix("event: ") {
            event.name = name.to_owned();
        } else if let Some(id) = text.strip_prefix("id: ") {
            event.id = Some(id.to_owned());
        } else if !line.starts_with(b":") {
            return Err(format!("`{text}` is no line of an event"));
        }
    }
    Ok(Some((event, end + 2)))
}
