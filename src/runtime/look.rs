//! What only the runtime can see: time used, memory, descriptors, and what the kernel holds for a viewer.
//!
//! Always true: nothing is looked at unless somebody asks. What cannot be seen is left out, never guessed.
//!
//! Read first: `shard/survey.rs`.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::libc;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::socket::getsockopt;
use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use nix::{getsockopt_impl, sockopt_impl};

use crate::conn::explain::PeerFacts;
use crate::metrics::ProcessFigures;

/// What is known of the process from its start; the same for all cores.
#[derive(Clone, Default)]
pub struct Began {
    at_ms: u64,
    descriptors: Arc<AtomicU64>,
}

impl Began {
    /// The process begins now.
    pub fn now() -> Began {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Began { at_ms: at.as_millis() as u64, descriptors: Arc::default() }
    }

    /// Everything is open that is open without a connection.
    pub fn is_ready(&self) {
        let count = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        self.descriptors.store(count as u64, Ordering::Relaxed);
    }

    /// The process as it is now.
    pub fn process(&self) -> ProcessFigures {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let usage = getrusage(UsageWho::RUSAGE_SELF);
        ProcessFigures {
            began_ms: self.at_ms,
            cpu_us: usage.map_or(0, |usage| {
                (usage.user_time() + usage.system_time()).num_microseconds().unsigned_abs()
            }),
            resident_bytes: kib(&status, "VmRSS:") * 1024,
            virtual_bytes: kib(&status, "VmSize:") * 1024,
            // Since Linux 6.2 the folder's size says how many there are. Counting them would hold the core up.
            open_fds: fs::metadata("/proc/self/fd")
                .ok()
                .map(|folder| folder.len())
                .filter(|count| *count > 0),
            idle_fds: self.descriptors.load(Ordering::Relaxed),
            max_fds: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
        }
    }
}

/// A figure of `/proc/self/status`; 0 where it is not.
fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Processor time of this thread so far, in microseconds.
pub fn thread_busy_us() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.map_or(0, |time| time.num_microseconds().unsigned_abs())
}

/// What the kernel says of a connection; `None` once it is not connected any more.
pub fn peer(stream: &TcpStream) -> Option<PeerFacts> {
    let address = stream.peer_addr().ok()?.to_string();
    let info = getsockopt(stream, Info).ok()?;
    let in_flight = info.bytes_sent.saturating_sub(info.bytes_retrans).saturating_sub(info.bytes_acked);
    let waiting_bytes = u64::from(info.notsent_bytes);
    Some(PeerFacts {
        address,
        unsent_bytes: in_flight + waiting_bytes,
        waiting_bytes,
        is_full: waiting_bytes > 0 && info.unacked == 0,
        retransmissions: u32::from(info.retransmits),
        bytes_per_second: info.delivery_rate,
    })
}

sockopt_impl!(
    /// The kernel's view of a TCP connection, as far as Linux 5.4 has it.
    Info,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    TcpInfo
);

/// `struct tcp_info` of linux/tcp.h up to `tcpi_snd_wnd`. The one of the `libc` crate is longer than what older
/// kernels fill, and a part of it that is not filled would be an error.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TcpInfo {
    state: u8,
    ca_state: u8,
    retransmits: u8,
    probes: u8,
    backoff: u8,
    options: u8,
    scales: u8,
    flags: u8,
    rto: u32,
    ato: u32,
    mss: [u32; 2],
    unacked: u32,
    /// sacked, lost, retrans, fackets, four times since last …, pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh,
    /// snd_cwnd, advmss, reordering, rcv_rtt, rcv_space, total_retrans.
    between: [u32; 19],
    pacing_rates: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segments: [u32; 2],
    notsent_bytes: u32,
    min_rtt: u32,
    data_segments: [u32; 2],
    delivery_rate: u64,
    /// busy_time, rwnd_limited, sndbuf_limited.
    times: [u64; 3],
    delivered: [u32; 2],
    bytes_sent: u64,
    bytes_retrans: u64,
    /// dsack_dups, reord_seen, rcv_ooopack, snd_wnd.
    last: [u32; 4],
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::mem::offset_of;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn fields_stand_where_the_kernel_puts_them() {
        for (ours, theirs) in [
            (offset_of!(TcpInfo, retransmits), offset_of!(libc::tcp_info, tcpi_retransmits)),
            (offset_of!(TcpInfo, unacked), offset_of!(libc::tcp_info, tcpi_unacked)),
            (offset_of!(TcpInfo, bytes_acked), offset_of!(libc::tcp_info, tcpi_bytes_acked)),
            (offset_of!(TcpInfo, notsent_bytes), offset_of!(libc::tcp_info, tcpi_notsent_bytes)),
            (offset_of!(TcpInfo, delivery_rate), offset_of!(libc::tcp_info, tcpi_delivery_rate)),
            (offset_of!(TcpInfo, bytes_sent), offset_of!(libc::tcp_info, tcpi_bytes_sent)),
            (offset_of!(TcpInfo, bytes_retrans), offset_of!(libc::tcp_info, tcpi_bytes_retrans)),
            (offset_of!(TcpInfo, last), offset_of!(libc::tcp_info, tcpi_dsack_dups)),
        ] {
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_a_peer_does_not_read_is_seen_to_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut reader = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut writer, _) = listener.accept().unwrap();
        assert_eq!(peer(&writer).unwrap().address, reader.local_addr().unwrap().to_string());
        assert_eq!(peer(&writer).unwrap().waiting_bytes, 0);
        writer.set_nonblocking(true).unwrap();
        let block = [7; 64 * 1024];
        let mut written = 0;
        while let Ok(len) = writer.write(&block) {
            written += len;
        }
        let facts = peer(&writer).unwrap();
        assert!(facts.waiting_bytes > 0 && facts.unsent_bytes >= facts.waiting_bytes, "{facts:?}");
        reader.read_exact(&mut vec![0; written]).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while peer(&writer).unwrap().unsent_bytes > 0 {
            assert!(std::time::Instant::now() < deadline, "{:?}", peer(&writer));
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_process_has_memory_and_descriptors() {
        let began = Began::now();
        began.is_ready();
        let figures = began.process();
        assert!(figures.resident_bytes > 100_000 && figures.virtual_bytes >= figures.resident_bytes);
        assert!(figures.idle_fds >= 3 && figures.max_fds >= figures.idle_fds, "{figures:?}");
        assert!(figures.open_fds.is_none_or(|open| open >= 3));
    }
}
