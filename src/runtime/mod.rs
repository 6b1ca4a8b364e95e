//! One process: what `lux serve` and `lux demo` start. The only half that touches Linux.
//!
//! Always true: once [`Broker::start`] has returned, every core listens. SIGTERM, SIGINT and SIGHUP reach the
//! broker through [`Broker::wait`] and nobody else.
//!
//! Read first: `settings/mod.rs`; then `runtime/worker.rs`.

pub mod cores;
pub mod descriptors;

mod clock;
mod door;
mod heard;
mod listener;
mod mesh;
mod sockets;
mod stopping;
mod worker;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::access::{Access, Origins};
use crate::access_file::load_access;
use crate::ids::{Epoch, ShardId};
use crate::operator_error::OperatorError;
use crate::runtime::mesh::{Command, Desk, Port};
use crate::runtime::stopping::Stopping;
use crate::runtime::worker::Worker;
use crate::settings::Settings;
use crate::shard::{Config, Shard};

/// A running broker.
pub struct Broker {
    address: SocketAddr,
    settings: Settings,
    desk: Desk,
    threads: Vec<JoinHandle<()>>,
}

/// What one core's thread begins with.
struct Start {
    config: Config,
    cores: usize,
    port: Port,
    listener: TcpListener,
    stopping: Stopping,
}

impl Broker {
    /// Starts every core and returns when all of them listen.
    ///
    /// # Errors
    /// What the machine lacks, and what to do.
    pub fn start(settings: Settings) -> Result<Broker, OperatorError> {
        settings.check()?;
        let access = Arc::new(load_access(&settings)?);
        let listeners = listener::open(settings.listen, settings.cores)?;
        let address = listeners[0].local_addr().unwrap_or(settings.listen);
        block_signals()?;
        let shards = settings.cores as u16;
        let limits = &settings.limits;
        let descriptors = descriptors::for_connections(limits.connections_max, settings.cores);
        let (desk, ports) = mesh::build(shards);
        let busy = Arc::new(AtomicUsize::new(settings.cores));
        let (hash_seed, epoch) = (random()?, Epoch::from_bits(random()?));
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
            let start = Start { config, cores: settings.cores, port, listener, stopping };
            threads.push(spawn(start, ready.clone())?);
        }
        for _ in &threads {
            readiness
                .recv()
                .unwrap_or_else(|_| Err(OperatorError::new("a core ended early", "try again")))?;
        }
        tracing::info!(%address, cores = settings.cores, epoch = epoch.as_str(), "the broker listens");
        Ok(Broker { address, settings, desk, threads })
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
        let signals = signals();
        while !matches!(signals.wait(), Ok(Signal::SIGTERM | Signal::SIGINT)) {
            self.reload();
        }
        tracing::info!("the broker stops");
        let mut desk = self.desk;
        desk.tell_all(|| Command::Drain);
        let in_a_hurry = move || {
            while !matches!(signals.wait(), Ok(Signal::SIGTERM | Signal::SIGINT)) {}
            desk.tell_all(|| Command::Halt);
        };
        // Ends with the process; a second signal ends the process sooner.
        let _ = Builder::new().name("lux-hurry".into()).spawn(in_a_hurry);
        for thread in self.threads {
            thread.join().map_err(|_| OperatorError::new("a core ended with a fault", "see the log"))?;
        }
        tracing::info!("the broker has stopped");
        Ok(())
    }

    fn reload(&mut self) {
        match load_access(&self.settings) {
            Ok(access) => {
                tracing::info!(keys = access.keys(), "the key file was read again");
                let access: Arc<Access> = Arc::new(access);
                self.desk.tell_all(|| Command::Reload(access.clone()));
            }
            Err(error) => tracing::error!(%error, "the key file is not usable; the keys stay as they were"),
        }
    }
}

/// Tells the broker of this process to stop, as SIGTERM does.
pub fn stop() {
    if let Err(error) = kill(Pid::this(), Signal::SIGTERM) {
        tracing::error!(%error, "the broker could not be told to stop");
    }
}

fn signals() -> SigSet {
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect()
}

/// Threads that are started after this do not see the signals either: only `wait` does.
fn block_signals() -> Result<(), OperatorError> {
    signals()
        .thread_block()
        .map_err(|error| OperatorError::new(format!("signals cannot be blocked: {error}"), "report this"))
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
    let Start { config, cores, port, listener, stopping } = start;
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
    let shard = Shard::new(config);
    runtime.block_on(async {
        match Worker::new(shard, others, port, listener, stopping) {
            Ok(worker) => {
                let _ = ready.send(Ok(()));
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
