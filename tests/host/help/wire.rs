//! A wire between two namespaces that loses, delays, doubles and reorders packets, or is cut.
//!
//! Always true: what goes over it are IP packets between two real TCP stacks; each is either carried whole,
//! a little later, or not at all. What happens to which packet is drawn from a seed. Some kernels lack netem,
//! and none lacks TUN devices: hence a wire of our own.
//!
//! Read first: `namespace.rs`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tappers::Tun;

use super::Namespace;
use super::rights::skip;
use crate::harness::Dice;

/// How long a packet is on its way, drawn evenly; so neighbours overtake each other.
const DELAY_MS: std::ops::Range<usize> = 2..22;
/// The largest IP packet.
const PACKET_BYTES: usize = 65_536;

/// The near end's address.
pub const NEAR: &str = "10.77.0.1";
const FAR: &str = "10.77.0.2";

/// What is wrong with a wire, and what it did.
#[derive(Default)]
struct Faults {
    loss_percent: usize,
    double_percent: usize,
    is_cut: AtomicBool,
    is_over: AtomicBool,
    carried: AtomicU64,
    lost: AtomicU64,
    overtook: AtomicU64,
}

/// A wire between two namespaces.
pub struct Wire {
    faults: Arc<Faults>,
    carriers: Vec<JoinHandle<()>>,
}

/// A packet on its way; soonest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Parcel {
    due: Instant,
    number: u64,
    bytes: Vec<u8>,
}

impl Wire {
    /// Lays it: the near end gets [`NEAR`]. Of a hundred packets each way so many are lost. `None`, said aloud,
    /// where there are no TUN devices.
    pub fn lay(near: &Namespace, far: &Namespace, loss_percent: usize) -> Option<Wire> {
        let devices = [near, far].map(|namespace| namespace.run(Tun::new));
        let [Ok(near_end), Ok(far_end)] = devices else {
            skip("no TUN device can be made: is there a /dev/net/tun?");
            return None;
        };
        let ends = [(near, NEAR, near_end), (far, FAR, far_end)].map(|(namespace, address, mut tun)| {
            tun.set_nonblocking(true).expect("a device can be asked not to wait");
            namespace.shell(&format!("ip address add {address}/24 dev tun0; ip link set tun0 up"));
            Arc::new(tun)
        });
        let faults = Arc::new(Faults { loss_percent, double_percent: 1, ..Faults::default() });
        let [near, far] = ends;
        let ways = [(near.clone(), far.clone()), (far, near)];
        let carriers = (1..).zip(ways).map(|(seed, (from, to))| {
            let faults = faults.clone();
            thread::spawn(move || carry(&from, &to, &faults, Dice(seed)))
        });
        Some(Wire { carriers: carriers.collect(), faults })
    }

    /// Nothing comes through any more, not even an end.
    pub fn cut(&self) {
        self.faults.is_cut.store(true, Ordering::SeqCst);
    }

    /// It carries again.
    pub fn mend(&self) {
        self.faults.is_cut.store(false, Ordering::SeqCst);
    }

    /// How many packets were carried, were lost, and came before one that was sent earlier.
    pub fn figures(&self) -> (u64, u64, u64) {
        let read = |figure: &AtomicU64| figure.load(Ordering::SeqCst);
        (read(&self.faults.carried), read(&self.faults.lost), read(&self.faults.overtook))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.faults.is_over.store(true, Ordering::SeqCst);
        for carrier in self.carriers.drain(..) {
            let _ = carrier.join();
        }
    }
}

/// Carries one way.
fn carry(from: &Tun, to: &Tun, faults: &Faults, mut dice: Dice) {
    let (mut buffer, mut under_way) = (vec![0; PACKET_BYTES], BinaryHeap::new());
    let (mut number, mut latest) = (0, 0);
    while !faults.is_over.load(Ordering::SeqCst) {
        wait(from, under_way.peek().map(|Reverse(parcel): &Reverse<Parcel>| parcel.due));
        while let Ok(len) = from.recv(&mut buffer) {
            let copies = copies(faults, &mut dice);
            faults.lost.fetch_add(u64::from(copies == 0), Ordering::SeqCst);
            for _ in 0..copies {
                number += 1;
                let delay = DELAY_MS.start + dice.below(DELAY_MS.len());
                let due = Instant::now() + Duration::from_millis(delay as u64);
                under_way.push(Reverse(Parcel { due, number, bytes: buffer[..len].to_vec() }));
            }
        }
        while let Some(Reverse(parcel)) = under_way.peek()
            && parcel.due <= Instant::now()
        {
            // Where the far queue is full, or the wire has been cut meanwhile, the packet is lost like any other.
            let is_carried = !faults.is_cut.load(Ordering::SeqCst) && to.send(&parcel.bytes).is_ok();
            faults.carried.fetch_add(u64::from(is_carried), Ordering::SeqCst);
            faults.overtook.fetch_add(u64::from(parcel.number < latest), Ordering::SeqCst);
            latest = latest.max(parcel.number);
            under_way.pop();
        }
    }
}

/// How many of a packet arrive: none, one or two.
fn copies(faults: &Faults, dice: &mut Dice) -> usize {
    let draw = dice.below(100);
    match draw {
        _ if faults.is_cut.load(Ordering::SeqCst) => 0,
        draw if draw < faults.loss_percent => 0,
        draw if draw < faults.loss_percent + faults.double_percent => 2,
        _ => 1,
    }
}

/// Waits for a packet, or until one is due; now and then for a look at whether it is all over.
fn wait(from: &Tun, due: Option<Instant>) {
    const LOOK: Duration = Duration::from_millis(50);
    let left = due.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()).min(LOOK));
    let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
    let _ = poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], timeout);
}
