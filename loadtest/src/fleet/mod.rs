//! All connections of one generator thread, in one epoll loop.
//!
//! Always true: one read for one event, where it empties the socket (edge-triggered, a short read says so);
//! what goes wrong on a connection is counted under its reason and never hidden.
//!
//! Read first: `fleet/viewer.rs`, `fleet/producer.rs`.

pub mod load;
pub mod producer;
pub mod viewer;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};

use crate::clock::{Clock, MILLISECOND, Nanos, SECOND};
use crate::connect::Sources;
use crate::failure::Failure;
use crate::latency::Latencies;
use crate::speech::Greeting;
use crate::target::Target;
use load::Load;
use producer::{Answer, Producer};
use viewer::{Intake, Seen, Stage, Viewer};

/// Bytes taken with one read.
const READ_BYTES: usize = 64 * 1024;
/// epoll waits whole milliseconds; the last of them before something is due is spent spinning.
const SPIN: Nanos = MILLISECOND + MILLISECOND / 2;

/// The connections of one thread.
pub struct Fleet {
    /// The one clock.
    pub clock: Clock,
    /// How busy this loop was.
    pub load: Load,
    /// What went wrong, by reason.
    pub errors: BTreeMap<String, u64>,
    /// Answers that nobody looked at yet.
    pub answers: Vec<Answer>,
    /// From a viewer's connecting to its snapshot.
    pub openings: Latencies,
    /// All producers.
    pub producers: Vec<Producer>,
    /// It lets others on its processor go first, between two connections.
    pub gives_way: bool,
    viewers: Vec<Viewer>,
    live: usize,
    opening: usize,
    target: Target,
    sources: Sources,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    spins: bool,
}

impl Fleet {
    /// No connections yet. A loop that spins never sleeps: it is awake when an answer comes, which costs a
    /// processor and spares the broker waking it.
    ///
    /// # Errors
    /// The kernel gives no epoll.
    pub fn new(target: &Target, clock: Clock, spins: bool) -> Result<Fleet, Failure> {
        const EVENTS: usize = 1024;
        Ok(Fleet {
            clock,
            load: Load::begin(clock),
            errors: BTreeMap::new(),
            answers: Vec::new(),
            openings: Latencies::new(),
            producers: Vec::new(),
            gives_way: false,
            viewers: Vec::new(),
            live: 0,
            opening: 0,
            target: target.clone(),
            sources: Sources::default(),
            poll: Poll::new().map_err(Failure::of("setting up epoll"))?,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; 2 * READ_BYTES],
            spins,
        })
    }

    /// Viewers whose snapshot is complete.
    pub fn live(&self) -> usize {
        self.live
    }

    /// All viewers that were ever begun; indices are below this.
    pub fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Counts something that went wrong.
    pub fn error(&mut self, why: impl Into<String>) {
        *self.errors.entry(why.into()).or_default() += 1;
    }

    /// Connects one producer, and waits until it is up.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn add_producer(&mut self) -> Result<usize, Failure> {
        let address = self.target.producer_address;
        let refused = || format!("connecting to {address}");
        let mut stream = std::net::TcpStream::connect(address).map_err(Failure::of(refused()))?;
        stream.set_nodelay(true).map_err(Failure::of(refused()))?;
        producer::greet(&mut stream, self.target.speech())?;
        stream.set_nonblocking(true).map_err(Failure::of(refused()))?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let index = self.producers.len();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut stream, producer_token(index), interest).map_err(Failure::of(refused()))?;
        self.producers.push(Producer::new(stream));
        Ok(index)
    }

    /// Begins one viewer's connection; `greeting` is its handshake, none for a bare connection. Whether it
    /// could be begun; if not, the error is counted.
    pub fn begin_viewer(&mut self, greeting: Option<Rc<Greeting>>) -> bool {
        let began = self.clock.now();
        let stream = match self.sources.connect(self.target.address) {
            Ok(stream) => Some(stream),
            Err(error) => {
                self.error(format!("connecting: {error}"));
                None
            }
        };
        let begun = stream.is_some();
        let index = self.viewers.len();
        let stage = if begun { Stage::Connecting } else { Stage::Gone };
        self.viewers.push(Viewer::new(stream, stage, greeting, began));
        if begun {
            self.opening += 1;
            self.greet(index, true);
        }
        begun
    }

    /// Sends the handshake, and watches the connection.
    fn greet(&mut self, index: usize, is_new: bool) {
        let viewer = &mut self.viewers[index];
        let greeted = viewer.greet();
        let bare = viewer.greeting.is_none();
        let Some(stream) = viewer.stream.as_mut() else { return };
        let interest = match greeted {
            Ok(true) => Interest::READABLE,
            Ok(false) => Interest::READABLE | Interest::WRITABLE,
            Err(error) => return self.lose(index, format!("sending the handshake: {error}")),
        };
        let registry = self.poll.registry();
        let watched = match is_new {
            true => registry.register(stream, viewer_token(index), interest),
            false => registry.reregister(stream, viewer_token(index), interest),
        };
        if let Err(error) = watched {
            return self.lose(index, format!("watching a connection: {error}"));
        }
        if bare {
            viewer.stage = Stage::Live;
            self.opening -= 1;
            self.live += 1;
        }
    }

    /// Opens one viewer for each greeting, so many at a time, and waits until each is live or lost.
    ///
    /// # Errors
    /// epoll failed.
    pub fn open_viewers(
        &mut self,
        greetings: impl IntoIterator<Item = Option<Rc<Greeting>>>,
        at_once: usize,
        seconds: f64,
        saw: &mut impl FnMut(Seen<'_>),
    ) -> Result<(), Failure> {
        let mut greetings = greetings.into_iter().peekable();
        let until = self.clock.after(seconds);
        while greetings.peek().is_some() || self.opening > 0 {
            // A few connects, then a look at what came: the broker works meanwhile.
            for greeting in greetings.by_ref().take(at_once.saturating_sub(self.opening).min(64)) {
                self.begin_viewer(greeting);
                self.give_way();
            }
            let now = self.clock.now();
            if now >= until {
                break;
            }
            let wait = if greetings.peek().is_some() && self.opening < at_once {
                now
            } else {
                now + 50 * MILLISECOND
            };
            self.turn(wait.min(until), saw)?;
        }
        let late = self.opening;
        for index in 0..self.viewers.len() {
            if matches!(self.viewers[index].stage, Stage::Connecting | Stage::Upgrading | Stage::Snapshot) {
                self.lose(index, "a viewer that had no snapshot in time".to_owned());
            }
        }
        debug_assert!(self.opening == 0 || late > 0);
        Ok(())
    }

    /// Ends all viewers' connections at once, without counting them as errors.
    pub fn drop_viewers(&mut self) {
        for viewer in std::mem::take(&mut self.viewers) {
            drop(viewer);
            self.give_way();
        }
        (self.live, self.opening) = (0, 0);
    }

    fn give_way(&self) {
        if self.gives_way {
            std::thread::yield_now();
        }
    }

    /// From now on this viewer reads only through [`Fleet::read_slowly`].
    pub fn slow_down(&mut self, index: usize) {
        let viewer = &mut self.viewers[index];
        viewer.is_slow = true;
        if let Some(stream) = viewer.stream.as_mut() {
            let _ = self.poll.registry().deregister(stream);
        }
    }

    /// Reads as soon as there is something again.
    pub fn speed_up(&mut self, index: usize) {
        let viewer = &mut self.viewers[index];
        viewer.is_slow = false;
        if let Some(stream) = viewer.stream.as_mut() {
            // What lies there already makes an event of its own.
            let _ = self.poll.registry().register(stream, viewer_token(index), Interest::READABLE);
        }
    }

    /// Reads at most so many bytes.
    pub fn read_slowly(&mut self, index: usize, bytes: usize, saw: &mut impl FnMut(Seen<'_>)) {
        self.read_viewer(index, bytes, false, saw);
    }

    /// Waits until something happens or is due, and deals with everything that has happened.
    ///
    /// # Errors
    /// epoll failed.
    pub fn turn(&mut self, due: Nanos, saw: &mut impl FnMut(Seen<'_>)) -> Result<(), Failure> {
        let now = self.clock.now();
        self.load.wait_begins(now);
        let wait = due.saturating_sub(now).min(SECOND);
        let timeout = if self.spins { 0 } else { wait.saturating_sub(SPIN) };
        match self.poll.poll(&mut self.events, Some(Duration::from_nanos(timeout))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure::new(format!("waiting for events: {error}")));
            }
            Ok(()) | Err(_) => {}
        }
        if self.events.is_empty() {
            return Ok(());
        }
        let began = self.clock.now();
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        events.iter().for_each(|event| self.happened(event, saw));
        self.events = events;
        self.load.batch(began, self.clock.now());
        Ok(())
    }

    fn happened(&mut self, event: &Event, saw: &mut impl FnMut(Seen<'_>)) {
        let index = event.token().0 / 2;
        if event.token() == producer_token(index) {
            return self.producer_event(index, event);
        }
        let Some(viewer) = self.viewers.get(index) else { return };
        if viewer.stage == Stage::Connecting && event.is_writable() {
            self.greet(index, false);
        }
        self.read_viewer(index, READ_BYTES, true, saw);
    }

    fn producer_event(&mut self, index: usize, event: &Event) {
        let producer = &mut self.producers[index];
        let flushed = if event.is_writable() { producer.flush() } else { Ok(()) };
        let clock = self.clock;
        let read = {
            let speech = self.target.speech();
            producer.read(index, &mut self.buffer[..READ_BYTES], speech, || clock.now(), &mut self.answers)
        };
        let flushed = flushed.map_err(|error| format!("sending a request: {error}"));
        if let Err(why) = flushed.and(read) {
            producer.stream = None;
            self.error(why);
        }
    }

    fn read_viewer(&mut self, index: usize, bytes: usize, all: bool, saw: &mut impl FnMut(Seen<'_>)) {
        loop {
            let viewer = &mut self.viewers[index];
            let Some(stream) = viewer.stream.as_mut() else { return };
            let kept = viewer.partial.len();
            if self.buffer.len() < kept + bytes {
                self.buffer.resize(kept + bytes, 0);
            }
            self.buffer[..kept].copy_from_slice(&viewer.partial);
            let len = match stream.read(&mut self.buffer[kept..kept + bytes]) {
                Ok(0) => return self.lose(index, "the broker closed a viewer's connection".to_owned()),
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => return self.lose(index, format!("reading a stream: {error}")),
            };
            let at = self.clock.now();
            let was = viewer.stage;
            let filled = &self.buffer[..kept + len];
            match viewer.take_in(index, filled, at, self.target.speech(), saw) {
                Intake::Used(used) if used == filled.len() => {
                    if kept > 0 {
                        viewer.partial = Vec::new();
                    }
                }
                Intake::Used(used) => {
                    viewer.partial.clear();
                    viewer.partial.extend_from_slice(&filled[used..]);
                }
                Intake::Over(why) => return self.lose(index, why),
            }
            if was != Stage::Live && viewer.stage == Stage::Live {
                self.openings.record(at - viewer.began);
                self.opening -= 1;
                self.live += 1;
            }
            if !all || len < bytes {
                return;
            }
        }
    }

    fn lose(&mut self, index: usize, why: String) {
        let viewer = &mut self.viewers[index];
        match viewer.stage {
            Stage::Gone => return,
            Stage::Live => self.live -= 1,
            Stage::Connecting | Stage::Upgrading | Stage::Snapshot => self.opening -= 1,
        }
        viewer.stage = Stage::Gone;
        viewer.stream = None;
        self.error(why);
    }
}

fn viewer_token(index: usize) -> Token {
    Token(index * 2)
}

fn producer_token(index: usize) -> Token {
    Token(index * 2 + 1)
}
