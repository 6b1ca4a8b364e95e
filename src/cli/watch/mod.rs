//! `lux watch`: states as they change, over every reconnect.
//!
//! Always true: it ends when it was asked to (`--once`, `--count`), when the broker says no, or when its
//! output is closed; everything else is waited out.
//!
//! Read first: `session.rs`, then `connection.rs`. What is shown is made in `plain.rs` or `pretty.rs`.

mod backoff;
mod connection;
mod frame;
mod plain;
mod pretty;
mod screen;
mod session;
mod tree;

use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use super::client::{BrokerArgs, BrokerUrl};
use super::failure::Failure;
use super::keys::parse_pattern;
use super::output;
use super::trust::Trust;
use crate::access::Secret;
use crate::key::Pattern;
use backoff::Backoff;
use connection::{Connection, Heard, Lost};
use frame::Record;
use plain::Plain;
use pretty::Pretty;
use session::{News, Session};

/// Nothing is drawn between two lines; it is only asked whether anybody still reads them.
const PLAIN_PATIENCE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "\
Examples:
  lux watch dashboard-main                  one record a line: now, then at every change
  lux watch --pretty dashboard-main         the state as a tree, updating in place
  lux watch --pretty 'device-*'             a list of every key with that prefix
  lux watch --data dashboard-main | jq .orders_per_second
  lux watch --once 'job-*'                  the states as they are, then end
  lux watch --count 1 deploy-web            wait for the next change

A line is {\"key\":…,\"rev\":…,\"updatedAt\":…,\"data\":…}; a deletion has \"data\":null,\"deleted\":true.
A lost connection is taken up again by itself; what was missed then comes as the newest state of each key.";

/// Flags of `lux watch`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    /// Keys, or prefixes ending in *
    #[arg(value_name = "KEY|PATTERN", required = true, value_parser = parse_pattern)]
    patterns: Vec<Pattern>,

    /// Print only the state, without key, rev and updatedAt
    #[arg(long, conflicts_with = "pretty")]
    data: bool,

    /// Show the states as they are now, updating in place
    #[arg(long)]
    pretty: bool,

    /// End after the snapshot
    #[arg(long, conflicts_with = "count")]
    once: bool,

    /// End after so many changes; the snapshot does not count
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    #[command(flatten)]
    broker: BrokerArgs,
}

/// Everything about one `lux watch`.
struct Watch {
    broker: BrokerUrl,
    key: Option<Secret>,
    trust: Trust,
    patterns: Vec<Pattern>,
    once: bool,
    changes_left: Option<u64>,
    session: Session,
    display: Display,
}

enum Display {
    Plain(Plain),
    Pretty(Box<Pretty>),
}

/// How one connection ended.
enum Ended {
    /// What was asked for is done.
    Done,
    /// There may be another.
    Lost(String),
}

/// Watches until it is asked to end.
///
/// # Errors
/// The broker said no; with `--once`, also that it cannot be reached.
pub fn run(args: WatchArgs) -> Result<(), Failure> {
    Watch::new(args)?.watch()
}

impl Watch {
    fn new(args: WatchArgs) -> Result<Watch, Failure> {
        let (key, trust) = (args.broker.api_key()?, args.broker.trust.read()?);
        let broker = args.broker.broker;
        let session = Session::new(&args.patterns);
        let display = if args.pretty && io::stdout().is_terminal() {
            let is_single = matches!(args.patterns[..], [Pattern::Exact(_)]);
            let source = broker.http(&format!("/{}", join(&args.patterns)));
            Display::Pretty(Box::new(Pretty::new(source, is_single)))
        } else {
            Display::Plain(Plain { only_data: args.data })
        };
        let (once, changes_left) = (args.once, args.count);
        Ok(Watch { broker, key, trust, patterns: args.patterns, once, changes_left, session, display })
    }

    fn watch(mut self) -> Result<(), Failure> {
        let mut backoff = Backoff::default();
        self.display.status(&format!("connecting to {}", self.broker), false)?;
        loop {
            let why = match Connection::open(&self.url(), self.key.as_ref(), &self.trust) {
                Err(Lost::ForGood(failure)) => return Err(failure),
                Err(Lost::ForNow(why)) => why,
                Ok(connection) => match self.follow(connection, &mut backoff)? {
                    Ended::Done => return self.display.finish(),
                    Ended::Lost(why) => why,
                },
            };
            if self.once {
                let message = format!("no broker answers at {} ({why})", self.broker);
                return Err(Failure::operator(
                    message,
                    "start one with `lux serve`, or say where it is with --broker",
                ));
            }
            self.pause(&why, backoff.next(random()?))?;
        }
    }

    fn follow(&mut self, mut connection: Connection, backoff: &mut Backoff) -> Result<Ended, Failure> {
        self.session.begin();
        loop {
            match connection.listen(self.display.patience()) {
                Heard::Text(text) => {
                    for news in self.session.take(&text) {
                        if self.show(news, backoff)? {
                            return Ok(Ended::Done);
                        }
                    }
                }
                Heard::Silence => {}
                Heard::Lost(Lost::ForGood(failure)) => return Err(failure),
                Heard::Lost(Lost::ForNow(why)) => return Ok(Ended::Lost(why)),
            }
            self.display.refresh()?;
        }
    }

    /// Shows it; true if that was the last.
    fn show(&mut self, news: News, backoff: &mut Backoff) -> Result<bool, Failure> {
        let is_change = match news {
            News::Record { record, is_change } => {
                self.display.record(&record, is_change)?;
                is_change
            }
            News::Gone(key) => {
                self.display.gone(&key)?;
                true
            }
            News::Synced => {
                backoff.reset();
                self.display.live(&self.broker)?;
                return Ok(self.once);
            }
            News::Said(words) => {
                self.display.status(&format!("the broker says: {words}"), true)?;
                false
            }
        };
        if let Some(left) = self.changes_left.as_mut().filter(|_| is_change) {
            *left -= 1;
        }
        Ok(self.changes_left == Some(0))
    }

    /// Says why, and waits; what is drawn keeps its ages up to date meanwhile.
    fn pause(&mut self, why: &str, delay: Duration) -> Result<(), Failure> {
        self.display.status(&format!("{why}; trying again in {:.1} s", delay.as_secs_f64()), false)?;
        let until = Instant::now() + delay;
        loop {
            self.display.refresh()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(self.display.patience().max(Duration::from_millis(10))));
        }
    }

    fn url(&self) -> String {
        let path = match &self.patterns[..] {
            [pattern] => format!("/stream/{pattern}"),
            several => format!("/stream?keys={}", join(several)),
        };
        // Only one key has a `since`, and then the path has no query yet.
        let since = self.session.since().map(|since| format!("?since={since}")).unwrap_or_default();
        self.broker.websocket(&(path + &since))
    }
}

impl Display {
    fn record(&mut self, record: &Record, is_change: bool) -> Result<(), Failure> {
        match self {
            Display::Plain(plain) => plain.record(record),
            Display::Pretty(pretty) => {
                pretty.record(record, is_change);
                Ok(())
            }
        }
    }

    fn gone(&mut self, key: &str) -> Result<(), Failure> {
        match self {
            Display::Plain(plain) => plain.gone(key),
            Display::Pretty(pretty) => {
                pretty.gone(key);
                Ok(())
            }
        }
    }

    fn status(&mut self, text: &str, is_live: bool) -> Result<(), Failure> {
        match self {
            Display::Plain(plain) => {
                plain.status(text);
                Ok(())
            }
            Display::Pretty(pretty) => {
                pretty.status(text, is_live);
                pretty.refresh()
            }
        }
    }

    fn live(&mut self, broker: &BrokerUrl) -> Result<(), Failure> {
        match self {
            Display::Plain(_) => self.status(&format!("live from {broker}"), true),
            // The heading names the source already.
            Display::Pretty(_) => self.status("live", true),
        }
    }

    fn patience(&self) -> Duration {
        match self {
            Display::Plain(_) => PLAIN_PATIENCE,
            Display::Pretty(pretty) => pretty.patience(),
        }
    }

    fn refresh(&mut self) -> Result<(), Failure> {
        match self {
            Display::Plain(_) if output::is_read() => Ok(()),
            Display::Plain(_) => Err(Failure::OutputClosed),
            Display::Pretty(pretty) => pretty.refresh(),
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        match self {
            Display::Plain(_) => Ok(()),
            Display::Pretty(pretty) => pretty.draw(),
        }
    }
}

fn join(patterns: &[Pattern]) -> String {
    patterns.iter().map(Pattern::to_string).collect::<Vec<_>>().join(",")
}

fn random() -> Result<u64, Failure> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::operator(format!("the system gives no random bytes ({error})"), "see getrandom(2)")
    })?;
    Ok(u64::from_le_bytes(bytes))
}
