//! One core's thread, from its ring to its loop.
//!
//! Always true: a core that panics takes the process with it; whoever waits for a core hears that it listens, or why
//! it does not.
//!
//! Read first: `runtime/mod.rs`, `runtime/worker.rs`.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{Builder, JoinHandle};

use rustls::ServerConfig;

use crate::access::Access;
use crate::conn::manners::Manners;
use crate::guard::address::Network;
use crate::guard::forwarded::Proxies;
use crate::ids::{Epoch, ShardId};
use crate::operator_error::OperatorError;
use crate::runtime::door::Door;
use crate::runtime::journal::Journal;
use crate::runtime::look::Began;
use crate::runtime::mesh::Port;
use crate::runtime::pulse::Pulse;
use crate::runtime::saver::Saver;
use crate::runtime::share::Share;
use crate::runtime::stopping::Stopping;
use crate::runtime::worker::Worker;
use crate::runtime::{cores, descriptors, origins};
use crate::settings::Settings;
use crate::shard::saving::Restored;
use crate::shard::{Config, Shard};

/// What one core's thread begins with.
pub struct Start {
    /// What its shard begins with.
    pub config: Config,
    /// What requests and messages come to.
    pub manners: Manners,
    /// How many cores there are.
    pub cores: usize,
    /// Its ends of the queues.
    pub port: Port,
    /// Where its connections come in.
    pub listener: TcpListener,
    /// Its part in a socket that all share.
    pub share: Option<Share>,
    /// Its part in stopping.
    pub stopping: Stopping,
    /// What it ticks.
    pub pulse: Pulse,
    /// How newcomers are met, where TLS is spoken.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whose word about others is believed.
    pub proxies: Proxies,
    /// Where requests are written down.
    pub journal: Option<Journal>,
    /// What it begins with, and its line to whoever writes snapshots; none without snapshots.
    pub kept: Option<(Restored, Saver)>,
    /// When the process began.
    pub began: Began,
}

/// What all cores begin with alike.
pub struct Common {
    config: Config,
    manners: Manners,
    tls: Option<Arc<ServerConfig>>,
    trusted_proxies: Vec<Network>,
    journal: Option<Journal>,
    /// Cores that still have connections.
    busy: Arc<AtomicUsize>,
    began: Began,
}

impl Common {
    /// Puts it together.
    #[expect(clippy::too_many_arguments, reason = "one of each, once")]
    pub fn new(
        settings: &Settings,
        manners: Manners,
        hash_seed: u64,
        epoch: Epoch,
        access: Arc<Access>,
        tls: Option<Arc<ServerConfig>>,
        journal: Option<Journal>,
        began: Began,
    ) -> Common {
        let limits = settings.limits.clone();
        let config = Config {
            id: ShardId(0),
            shards: settings.cores as u16,
            hash_seed,
            epoch,
            descriptors: descriptors::for_connections(limits.connections_max, settings.cores),
            limits,
            access,
            origins: origins(settings),
        };
        let (busy, trusted_proxies) =
            (Arc::new(AtomicUsize::new(settings.cores)), settings.trusted_proxies.clone());
        Common { config, manners, tls, trusted_proxies, journal, busy, began }
    }

    /// One core, with what is its own.
    pub fn start(
        &self,
        id: ShardId,
        port: Port,
        listener: TcpListener,
        share: Option<Share>,
        kept: Option<(Restored, Saver)>,
        pulse: Pulse,
    ) -> Start {
        let config = Config { id, ..self.config.clone() };
        Start {
            manners: self.manners,
            cores: usize::from(config.shards),
            stopping: Stopping::new(config.limits.drain_ms, self.busy.clone(), port.bells().clone()),
            config,
            port,
            listener,
            share,
            pulse,
            tls: self.tls.clone(),
            proxies: Proxies::new(self.trusted_proxies.clone()),
            journal: self.journal.clone(),
            kept,
            began: self.began.clone(),
        }
    }
}

/// Waits until every core listens; else why one does not, and whether none of them has begun to serve.
///
/// # Errors
/// Both of these.
pub fn wait_for_all(
    cores: usize,
    readiness: &Receiver<Result<(), OperatorError>>,
) -> Result<(), (OperatorError, bool)> {
    let early = || Err(OperatorError::new("a core ended early", "try again"));
    let all: Vec<_> = (0..cores).map(|_| readiness.recv().unwrap_or_else(|_| early())).collect();
    let nobody_serves = all.iter().all(Result::is_err);
    all.into_iter().collect::<Result<(), _>>().map_err(|error| (error, nobody_serves))
}

/// Begins a core on a thread of its own, which says when it listens, or why it cannot.
///
/// # Errors
/// There is no thread for it.
pub fn spawn(
    start: Start,
    ready: Sender<Result<(), OperatorError>>,
) -> Result<JoinHandle<()>, OperatorError> {
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
                let worker = Worker::new(shard, others, port, door, stopping, pulse, began)
                    .with_tls(tls)
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
