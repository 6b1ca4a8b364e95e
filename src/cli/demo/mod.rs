//! `lux demo`: a broker with a key shown, and producers that behave like real ones.
//!
//! Always true: nothing is left behind; its state directory is a temporary one, gone when it ends. The
//! producers write through the same HTTP as everybody's.
//!
//! Read first: `producer.rs`; each story is a file of its own.

mod boards;
mod dashboard;
mod deploy;
mod devices;
mod dice;
mod gallery;
mod jobs;
mod producer;
mod stop;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anstyle::{AnsiColor, Style};
use clap::Args;

use super::client::{Ask, BrokerUrl, Client};
use super::failure::Failure;
use super::provision::Place;
use super::trust::Trust;
use super::{logging, output, provision};
use crate::access::{Grant, KeyEntry, Secret};
use crate::access_file::{add_key, make_private_dir};
use crate::operator_error::OperatorError;
use crate::runtime::{self, Broker};
use crate::settings::{self, LogSettings, Settings, units};
use dice::Dice;
use producer::{Producer, Write};
use stop::Stop;

const EXAMPLES: &str = "\
Examples:
  lux demo
  lux demo --listen 0.0.0.0:8080 --for 10m

The console's address goes to standard output, with the key behind the #, which a browser keeps
to itself; everything else goes to standard error. Ctrl-C ends it.";

/// How long a producer that the broker does not answer waits before it goes on.
const TROUBLE_REST: Duration = Duration::from_secs(1);
/// So many failures in a row are trouble; fewer are a broker that is being stopped.
const COMPLAINT_FAILURES: u32 = 7;

/// Flags of `lux demo`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Address and port to listen on [default: 127.0.0.1 and a free port]
    #[arg(long, value_name = "ADDR:PORT", value_parser = settings::parse_listen)]
    listen: Option<SocketAddr>,

    /// How many cores to use [default: all of this machine]
    #[arg(long, value_name = "N", value_parser = settings::parse_cores)]
    cores: Option<usize>,

    /// End by itself after this time, as 30s or 10m
    #[arg(long = "for", value_name = "TIME", value_parser = units::parse_duration_ms)]
    for_ms: Option<u64>,

    /// Which story the producers tell; the same number tells the same one
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,

    /// Print only the console's address
    #[arg(long, short)]
    quiet: bool,
}

/// A directory that is gone when this is.
struct TemporaryDir(PathBuf);

/// Runs a broker and its producers until it is told to end.
///
/// # Errors
/// What is wrong with the flags or the machine.
pub fn run(args: DemoArgs) -> Result<(), Failure> {
    // Nothing reads the settings again here.
    let _set_log_level = logging::start(&LogSettings { level: "warn".to_owned(), ..LogSettings::default() })?;
    let (directory, secret) = (TemporaryDir::new()?, provision::new_secret()?);
    let broker = start(&args, &directory, &secret)?;
    let place = Place::of(&broker);
    provision::say_address(&place, broker.address());
    if !args.quiet {
        introduce(&place, &secret);
    }
    let url = place.url;
    output::line(&format!("{url}/#key={}", secret.reveal()))?;
    let stop = &Stop::default();
    thread::scope(|scope| {
        for (producer, name) in (0..).zip(NAMES) {
            let (url, secret) = (&url, &secret);
            let dice = Dice::new(args.seed, producer);
            scope.spawn(move || tell(name, story(producer), dice, url, secret, stop));
        }
        if let Some(for_ms) = args.for_ms {
            scope.spawn(move || end_after(Duration::from_millis(for_ms), stop));
        }
        // Ctrl-C reaches the broker; the producers hear of it from here.
        let ended = broker.wait();
        stop.set();
        ended
    })?;
    Ok(())
}

fn end_after(span: Duration, stop: &Stop) {
    if !stop.wait(span) {
        // The producers first, so that they hear no refusal.
        stop.set();
        runtime::stop();
    }
}

fn start(args: &DemoArgs, directory: &TemporaryDir, secret: &Secret) -> Result<Broker, OperatorError> {
    let mut defaults = Settings::new(directory.0.clone());
    // Who presses Ctrl-C has seen enough, and nothing here is worth waiting for.
    defaults.limits.drain_ms = 300;
    let settings = Settings {
        listen: args.listen.unwrap_or(SocketAddr::new(defaults.listen.ip(), 0)),
        cores: args.cores.unwrap_or(defaults.cores),
        memory_only: true,
        ..defaults
    };
    let entry =
        KeyEntry { name: "demo".to_owned(), hash: secret.hash(), grant: Grant::all(), expires_at_ms: None };
    add_key(&settings.keys_file, entry)?;
    settings.check()?;
    Broker::start_with(settings, gallery::manners())
}

fn introduce(place: &Place, secret: &Secret) {
    let (bold, dim) = (Style::new().bold(), Style::new().dimmed());
    let key_style = AnsiColor::Yellow.on_default();
    let (key, url) = (secret.reveal(), &place.url);
    anstream::eprintln!(
        "\n{bold}Lux is running with made-up producers.{bold:#} {dim}Ctrl-C ends it and forgets everything.{dim:#}\n\n\
         API key        {key_style}{key}{key_style:#}\n\
         In a shell     export LUX_BROKER={url} LUX_API_KEY={key}\n\
         Then           lux watch --pretty dashboard-main\n               \
         lux watch --pretty 'device-*'\n\
         Write          {}\n\
         Nine boards    {url}/examples#key={key}\n\n\
         {bold}Open this in a browser:{bold:#}",
        provision::curl_line(place, key),
    );
}

/// What each producer is called when it has to complain; their stories are in the same order.
const NAMES: [&str; 6] = ["dashboard", "devices", "deploy", "imports", "incidents", "boards"];

fn story(producer: u64) -> Box<dyn Producer> {
    match producer {
        0 => Box::new(dashboard::Dashboard::new()),
        1 => Box::new(devices::Devices::new()),
        2 => Box::new(deploy::Deploy::new()),
        3 => Box::new(jobs::Imports::new()),
        4 => Box::new(jobs::Incidents::new()),
        _ => Box::new(boards::Boards::new()),
    }
}

fn tell(name: &str, mut story: Box<dyn Producer>, mut dice: Dice, url: &str, secret: &Secret, stop: &Stop) {
    let Ok(broker) = BrokerUrl::parse(url) else { return };
    let client = Client::new(broker, Some(secret), &Trust::default());
    let mut failures = 0;
    loop {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let step = story.step(&mut dice, since.as_millis() as u64);
        let rest = match send(&client, &step.write) {
            Ok(()) => {
                failures = 0;
                Duration::from_millis(step.rest_ms)
            }
            Err(failure) => {
                failures += 1;
                if failures == COMPLAINT_FAILURES {
                    complain(name, &failure);
                }
                TROUBLE_REST
            }
        };
        if stop.wait(rest) {
            return;
        }
    }
}

fn send(client: &Client, write: &Write) -> Result<(), Failure> {
    let fields = |content_type: &str| {
        vec![("content-type", content_type.to_owned()), ("prefer", "return=minimal".to_owned())]
    };
    let result = match write {
        Write::Put(key, state) => {
            let (path, body) = (format!("/{key}"), format!("{{\"data\":{state}}}"));
            client.ask(&Ask {
                method: "PUT",
                path: &path,
                fields: fields("application/json"),
                body: Some(&body),
            })
        }
        Write::Patch(key, patch) => {
            let (path, fields) = (format!("/{key}"), fields("application/merge-patch+json"));
            client.ask(&Ask { method: "PATCH", path: &path, fields, body: Some(patch) })
        }
        Write::Delete(key) => {
            let path = format!("/{key}");
            client.ask(&Ask { method: "DELETE", path: &path, fields: Vec::new(), body: None })
        }
    };
    result.map(drop)
}

fn complain(name: &str, failure: &Failure) {
    match failure {
        Failure::Operator(error) => eprintln!("the producer `{name}` is in trouble: {error}"),
        Failure::Usage(why) | Failure::Refused(why) => {
            eprintln!("the producer `{name}` is in trouble: {why}")
        }
        Failure::Told | Failure::OutputClosed => {}
    }
}

impl TemporaryDir {
    fn new() -> Result<TemporaryDir, OperatorError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| {
            OperatorError::new(
                format!("the system gives no random bytes ({error})"),
                "let Lux call getrandom(2)",
            )
        })?;
        let path = std::env::temp_dir().join(format!("lux-demo-{:016x}", u64::from_le_bytes(random)));
        make_private_dir(&path)?;
        Ok(TemporaryDir(path))
    }
}

impl Drop for TemporaryDir {
    fn drop(&mut self) {
        // What cannot be removed is a hash of a key that no broker knows any more.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind() {
        let directory = TemporaryDir::new().unwrap();
        let path = directory.0.clone();
        std::fs::write(path.join("keys.toml"), "").unwrap();
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn the_producers_together_write_some_times_a_second() {
        // Their rests say how often they write; more would be a flood, less would be a still picture.
        let per_second = |producer: u64| {
            let (mut story, mut dice, mut rested) = (story(producer), Dice::new(1, producer), 0);
            for _ in 0..500 {
                rested += story.step(&mut dice, rested).rest_ms;
            }
            500_000.0 / rested as f64
        };
        let all: f64 = (0..NAMES.len() as u64).map(per_second).sum();
        assert!((4.0..20.0).contains(&all), "{all}");
    }
}
