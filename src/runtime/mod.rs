//! One process: what `lux serve` and `lux demo` start. The only half that touches Linux.
//!
//! Always true: once [`Broker::start`] has returned, every core listens. SIGTERM, SIGINT and SIGHUP reach the
//! broker through [`Broker::wait`] and nobody else.
//!
//! Read first: `settings/mod.rs`; then `runtime/worker.rs`.

pub mod cores;
pub mod descriptors;

pub use reload::SetLogLevel;

mod clock;
mod door;
mod heard;
mod inherited;
mod journal;
mod lines;
mod listener;
mod look;
mod mesh;
mod notify;
mod pulse;
mod reload;
mod saver;
mod saving;
mod session;
mod share;
mod signals;
mod sockets;
mod speakers;
mod stopping;
mod tls;
mod worker;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::ServerConfig;

use crate::access::Origins;
use crate::access_file::load_access;
use crate::conn::manners::Manners;
use crate::guard::forwarded::Proxies;
use crate::ids::{Epoch, ShardId};
use crate::license::find_and_log;
use crate::operator_error::OperatorError;
use crate::runtime::door::Door;
use crate::runtime::journal::{Journal, Writer};
use crate::runtime::lines::Lines;
use crate::runtime::look::Began;
use crate::runtime::mesh::{Command, Desk, Port};
use crate::runtime::notify::Supervisor;
use crate::runtime::pulse::{Pulse, Pulses};
use crate::runtime::reload::{Next, Renewal};
use crate::runtime::saver::Saver;
use crate::runtime::saving::{Beginning, Saving};
use crate::runtime::share::Share;
use crate::runtime::signals::Signals;
use crate::runtime::stopping::Stopping;
use crate::runtime::worker::Worker;
use crate::settings::Settings;
use crate::shard::owner::Owner;
use crate::shard::saving::Restored;
use crate::shard::{Config, Shard};
use crate::token_file;

/// How long a stop may take beyond draining: viewers' last frames, lingering connections, the process's end.
const STOP_BEYOND_DRAIN: Duration = Duration::from_secs(5);
/// How long the last snapshot may take, on a disk that is slow.
const STOP_FOR_SNAPSHOT: Duration = Duration::from_secs(60);
/// How long a reload waits for every core to have heard of it.
const RELOAD_PATIENCE: Duration = Duration::from_secs(1);

/// A running broker.
pub struct Broker {
    address: SocketAddr,
    settings: Settings,
    desk: Desk,
    pulses: Pulses,
    supervisor: Supervisor,
    signals: Signals,
    /// None where plain bytes are spoken.
    renewal: Option<Renewal>,
    set_log_level: Option<SetLogLevel>,
    threads: Vec<JoinHandle<()>>,
    access_log: Option<Writer>,
    /// Writes snapshots, and ends after the last of the cores.
    saving: Option<JoinHandle<()>>,
}

/// What one core's thread begins with.
struct Start {
    config: Config,
    manners: Manners,
    cores: usize,
    port: Port,
    listener: TcpListener,
    share: Option<Share>,
    stopping: Stopping,
    pulse: Pulse,
    tls: Option<Arc<ServerConfig>>,
    proxies: Proxies,
    journal: Option<Journal>,
    /// What it begins with, and its line to whoever writes snapshots; none without snapshots.
    kept: Option<(Restored, Saver)>,
    began: Began,
}

impl Broker {
    /// Starts every core and returns when all of them listen.
    ///
    /// # Errors
    /// What the machine lacks, and what to do.
    pub fn start(settings: Settings) -> Result<Broker, OperatorError> {
        Broker::start_with(settings, Manners::default())
    }

    /// The same, making something else of what its peers say.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub fn start_with(settings: Settings, manners: Manners) -> Result<Broker, OperatorError> {
        settings.check()?;
        let began = Began::now();
        make_token_key(&settings);
        let access = Arc::new(load_access(&settings)?);
        let (renewal, tls) = Renewal::begin(&settings)?.unzip();
        let (listeners, is_shared) = listeners(&settings)?;
        let address = listeners[0].local_addr().unwrap_or(settings.listen);
        let signals = Signals::take()?;
        let access_log = journal::start(&settings.access_log)?;
        let shards = settings.cores as u16;
        let limits = &settings.limits;
        let descriptors = descriptors::for_connections(limits.connections_max, settings.cores);
        let (mut desk, ports) = mesh::build(shards);
        let mut shares = is_shared.then(|| share::among(settings.cores, desk.bells()).into_iter());
        let pulses = Pulses::new(settings.cores, desk.bells().clone());
        let busy = Arc::new(AtomicUsize::new(settings.cores));
        let hash_seed = random()?;
        let mut beginning = match settings.memory_only {
            true => None,
            false => Some(Beginning::find(&settings, &Owner::new(hash_seed, shards))?),
        };
        let epoch = match beginning.as_mut().and_then(|beginning| beginning.epoch.take()) {
            Some(epoch) => epoch,
            None => Epoch::from_bits(random()?),
        };
        let restored = beginning.as_mut().map(|beginning| std::mem::take(&mut beginning.restored));
        let (savers, lines) = saving::lines(settings.cores);
        let mut kept = restored.map(|restored| restored.into_iter().zip(savers));
        let (ready, readiness) = channel();
        let mut threads = Vec::with_capacity(settings.cores);
        for (port, listener) in ports.into_iter().zip(listeners) {
            let id = ShardId(threads.len() as u16);
            let config = Config {
                id,
                shards,
                hash_seed,
                epoch: epoch.clone(),
                limits: limits.clone(),
                descriptors,
                access: access.clone(),
                origins: origins(&settings),
            };
            let stopping = Stopping::new(limits.drain_ms, busy.clone(), port.bells().clone());
            let tls = tls.clone();
            let (share, pulse) = (shares.as_mut().and_then(Iterator::next), pulses.of(id));
            let proxies = Proxies::new(settings.trusted_proxies.clone());
            let journal = access_log.as_ref().map(Writer::journal);
            let (cores, began) = (settings.cores, began.clone());
            let kept = kept.as_mut().and_then(Iterator::next);
            let start = Start {
                config,
                manners,
                cores,
                port,
                listener,
                share,
                stopping,
                pulse,
                tls,
                proxies,
                journal,
                kept,
                began,
            };
            threads.push(spawn(start, ready.clone())?);
        }
        if let Err((error, nobody_served)) = wait_for_all(threads.len(), &readiness) {
            if nobody_served && let Some(beginning) = beginning {
                beginning.undo();
            }
            return Err(error);
        }
        let saving = match beginning {
            Some(beginning) => {
                let bells = desk.bells().clone();
                Some(Saving::start(beginning, lines, epoch.clone(), &settings, bells)?)
            }
            None => None,
        };
        began.is_ready();
        tracing::info!(%address, cores = settings.cores, epoch = epoch.as_str(), "the broker listens");
        let license = find_and_log(&settings);
        desk.tell_all(|| Command::License(license.clone()));
        let supervisor = Supervisor::of_environment();
        let set_log_level = None;
        let broker = Broker {
            address,
            settings,
            desk,
            pulses,
            supervisor,
            signals,
            renewal,
            set_log_level,
            threads,
            access_log,
            saving,
        };
        broker.supervisor.ready(&broker.greeting());
        Ok(broker)
    }

    /// The same, setting the level of the log with this when it is reloaded.
    pub fn with_log_level(self, set: SetLogLevel) -> Broker {
        Broker { set_log_level: Some(set), ..self }
    }

    /// The certificate's file and its SHA-256, where TLS is spoken.
    pub fn certificate(&self) -> Option<(PathBuf, &str)> {
        let files = self.settings.tls_files()?;
        Some((files.cert, self.renewal.as_ref()?.fingerprint()))
    }

    fn greeting(&self) -> String {
        let scheme = if self.renewal.is_some() { "https" } else { "http" };
        format!("listening on {scheme}://{}", self.address)
    }

    /// Where it listens; the port that was picked where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it was told to stop, by a signal or [`stop`], and has drained.
    ///
    /// # Errors
    /// What ended it instead.
    pub fn wait(mut self) -> Result<(), OperatorError> {
        self.serve();
        tracing::info!("the broker stops");
        let drain = Duration::from_millis(self.settings.limits.drain_ms);
        let beyond = if self.saving.is_some() { STOP_FOR_SNAPSHOT } else { Duration::ZERO };
        self.supervisor.stopping("draining", drain + STOP_BEYOND_DRAIN + beyond);
        let (mut desk, signals) = (self.desk, self.signals);
        desk.tell_all(|| Command::Drain);
        let in_a_hurry = move || {
            signals.wait_for_end();
            desk.tell_all(|| Command::Halt);
        };
        // Ends with the process; a second signal ends the process sooner.
        let _ = Builder::new().name("lux-hurry".into()).spawn(in_a_hurry);
        for thread in self.threads {
            thread.join().map_err(|_| OperatorError::new("a core ended with a fault", "see the log"))?;
        }
        if let Some(access_log) = self.access_log {
            access_log.finish();
        }
        if let Some(saving) = self.saving {
            saving.join().map_err(|_| OperatorError::new("snapshots ended with a fault", "see the log"))?;
        }
        tracing::info!("the broker has stopped");
        Ok(())
    }

    /// Reloads and feeds the watchdog, until a signal ends it.
    fn serve(&mut self) {
        let interval = self.supervisor.feeding_interval();
        let mut feed_at = interval.map(|time| Instant::now() + time);
        loop {
            let look_at = self.renewal.as_ref().map(Renewal::look_at);
            let soonest = feed_at.into_iter().chain(look_at).min();
            let patience = soonest.map(|at| at.saturating_duration_since(Instant::now()));
            match self.signals.wait(patience) {
                Some(signal) if signals::is_end(signal) => return,
                Some(_) => self.reload(),
                None => {}
            }
            if look_at.is_some_and(|at| at <= Instant::now()) {
                self.look_at_certificate();
            }
            if feed_at.is_some_and(|at| at <= Instant::now()) {
                self.feed_if_all_moved();
                feed_at = interval.map(|time| Instant::now() + time);
            }
        }
    }

    fn feed_if_all_moved(&mut self) {
        match self.pulses.first_still() {
            None => self.supervisor.feed(),
            Some(core) => tracing::warn!(core = core.0, "a core does not move; the watchdog is not fed"),
        }
    }

    fn look_at_certificate(&mut self) {
        let command = self.renewal.as_mut().and_then(|renewal| renewal.look(&self.settings));
        self.tell_of_certificate(command);
    }

    fn tell_of_certificate(&mut self, command: Option<Command>) {
        if let Some(Command::Certify(config)) = command {
            self.desk.tell_all(|| Command::Certify(config.clone()));
        }
    }

    fn reload(&mut self) {
        self.supervisor.reloading();
        make_token_key(&self.settings);
        if let Some(access_log) = &self.access_log {
            access_log.reopen();
        }
        let outcome = match Next::read(&self.settings) {
            Ok(next) => self.adopt(next),
            Err(error) => {
                tracing::error!(%error, "nothing was reloaded; everything stays as it was");
                format!("everything stays as it was: {error}")
            }
        };
        self.supervisor.ready(&format!("{}; {outcome}", self.greeting()));
    }

    /// Goes by what was read again; what became of it, for the supervisor.
    fn adopt(&mut self, next: Next) -> String {
        let keys = next.access.keys();
        let certificate = self.renewal.as_mut().and_then(|renewal| renewal.take(&next.settings, &next));
        self.tell_of_certificate(certificate);
        let Next { settings, access, rules, waiting, .. } = next;
        if let Some(Err(error)) = self.set_log_level.as_ref().map(|set| set(&settings.log)) {
            tracing::error!(%error, "the log level stays as it was");
        }
        self.desk.tell_all(|| Command::Rule(Box::new(rules.clone())));
        self.desk.tell_all(|| Command::Reload(access.clone()));
        self.settings = settings;
        let license = find_and_log(&self.settings);
        self.desk.tell_all(|| Command::License(license.clone()));
        // Whoever waits for the reload may rely on it from then on.
        self.pulses.wait_for_a_turn(RELOAD_PATIENCE);
        tracing::info!(keys, "the key file was read again, and so were the settings and the certificate");
        if waiting.is_empty() {
            return format!("{keys} API keys read again");
        }
        let waiting = waiting.join(", ");
        tracing::warn!(waiting, "some settings wait for a restart");
        format!("{keys} API keys read again; waiting for a restart: {waiting}")
    }
}

/// Waits until every core listens; else why one does not, and whether none of them has begun to serve.
fn wait_for_all(
    cores: usize,
    readiness: &Receiver<Result<(), OperatorError>>,
) -> Result<(), (OperatorError, bool)> {
    let early = || Err(OperatorError::new("a core ended early", "try again"));
    let all: Vec<_> = (0..cores).map(|_| readiness.recv().unwrap_or_else(|_| early())).collect();
    let nobody_serves = all.iter().all(Result::is_err);
    all.into_iter().collect::<Result<(), _>>().map_err(|error| (error, nobody_serves))
}

/// A broker has a secret to sign tokens with; where none can be kept it does without, and says so.
fn make_token_key(settings: &Settings) {
    if let Err(error) = token_file::make_own_key(settings) {
        tracing::warn!(%error, "there is no secret to sign tokens with; `lux token` and _token do not work");
    }
}

/// Tells the broker of this process to stop, as SIGTERM does.
pub fn stop() {
    if let Err(error) = kill(Pid::this(), Signal::SIGTERM) {
        tracing::error!(%error, "the broker could not be told to stop");
    }
}

/// A listening socket for each core, and whether all of them are the same one: that of the supervisor, if it
/// hands one over.
fn listeners(settings: &Settings) -> Result<(Vec<TcpListener>, bool), OperatorError> {
    match inherited::take()? {
        Some(listener) => {
            tracing::info!("the listening socket was handed over; `listen` in the settings is not used");
            Ok((inherited::for_cores(&listener, settings.cores)?, true))
        }
        None => Ok((listener::open(settings.listen, settings.cores)?, false)),
    }
}

fn origins(settings: &Settings) -> Origins {
    match settings.allow_origins.is_empty() {
        true => Origins::any(),
        false => Origins::new(&settings.allow_origins),
    }
}

fn random() -> Result<u64, OperatorError> {
    getrandom::u64().map_err(|error| {
        OperatorError::new(
            format!("the system gives no random bytes: {error}"),
            "see that getrandom(2) works",
        )
    })
}

fn spawn(start: Start, ready: Sender<Result<(), OperatorError>>) -> Result<JoinHandle<()>, OperatorError> {
    let name = format!("lux-core-{}", start.config.id.0);
    Builder::new().name(name).spawn(move || run(start, &ready)).map_err(|error| {
        OperatorError::new(format!("no thread for a core: {error}"), "raise the limit on processes")
    })
}

/// A core that panics takes the process with it: the others would wait for it for ever.
struct AllOrNone;

impl Drop for AllOrNone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

fn run(start: Start, ready: &Sender<Result<(), OperatorError>>) {
    let _all_or_none = AllOrNone;
    let Start {
        config,
        manners,
        cores,
        port,
        listener,
        share,
        stopping,
        pulse,
        tls,
        proxies,
        journal,
        kept,
        began,
    } = start;
    let id = config.id;
    cores::pin(id.index(), cores);
    let runtime = match cores::build_ring() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let others = (0..config.shards).map(ShardId).filter(|shard| *shard != id).collect();
    let shard = Shard::new(config).with_manners(manners).with_guard(proxies, journal.is_some());
    let (shard, saver) = restore(shard, kept);
    runtime.block_on(async {
        match Door::new(listener, share) {
            Ok(door) => {
                let _ = ready.send(Ok(()));
                let worker = Worker::new(shard, others, port, door, Lines::new(tls), stopping, pulse, began)
                    .with_journal(journal)
                    .with_saver(saver);
                // As a task beside the one that hears the kernel, it runs in the same round as that one.
                if let Err(error) = tokio_uring::spawn(worker.run()).await {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
            Err(error) => {
                let _ = ready.send(Err(OperatorError::new(
                    format!("the listening socket cannot be used: {error}"),
                    "raise the limit on descriptors (`LimitNOFILE=` in systemd, `ulimit -n` in a shell)",
                )));
            }
        }
    });
}

/// Gives a core the states it begins with, if states outlive the process.
fn restore(shard: Shard, kept: Option<(Restored, Saver)>) -> (Shard, Option<Saver>) {
    match kept {
        Some((restored, saver)) => {
            let mut shard = shard.with_snapshots();
            shard.restore(restored);
            (shard, Some(saver))
        }
        None => (shard, None),
    }
}
