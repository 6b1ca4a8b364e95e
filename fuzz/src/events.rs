//! Server-Sent Events, read line by line as the HTML standard's parser does (section 9.2.6).
//!
//! Always true: it knows nothing of records; what is dispatched is type, data and last id.
//!
//! Read first: `targets/event.rs`.

/// One event that a browser would dispatch.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// `message` where none is said.
    pub kind: String,
    /// Its data, lines joined.
    pub data: String,
    /// The last id so far.
    pub id: String,
}

/// Every event of a stream, and how many comments it has.
pub fn read(stream: &str) -> (Vec<Event>, usize) {
    let (mut events, mut comments) = (Vec::new(), 0);
    let (mut kind, mut data, mut id) = (String::new(), String::new(), String::new());
    let unified = stream.replace("\r\n", "\n").replace('\r', "\n");
    for line in unified.split_terminator('\n') {
        if line.is_empty() {
            if let Some(data) = data.strip_suffix('\n') {
                let kind = if kind.is_empty() { "message" } else { &kind };
                events.push(Event { kind: kind.to_owned(), data: data.to_owned(), id: id.clone() });
            }
            kind.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => comments += 1,
            "event" => kind = value.to_owned(),
            "data" => data = data + value + "\n",
            "id" if !value.contains('\0') => id = value.to_owned(),
            _ => {}
        }
    }
    (events, comments)
}
