//! A core that does nothing for a second, and a broker that does nothing for two.
//!
//! Always true: nobody is cut off for what the broker did not do; those whom the stalled core does not
//! concern notice nothing; everybody else ends on the newest state once it goes on.
//!
//! Read first: `help/stall.rs`.

use std::fs;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::socket::upgrade;
use crate::harness::viewer::assert_rising;
use crate::harness::{Broker, Http, RawSocket, Request, Setup, Viewer, fresh, get, put};
use crate::help::stall::Stalled;
use crate::help::{Memory, Patience, Witness, figures, has_answer, wait_a_second};

/// Makes things until one adds to this figure of this core: `make` gives the next.
#[track_caller]
fn placed<T>(asker: &mut Http, figure: &str, core: usize, mut make: impl FnMut() -> T) -> T {
    for _ in 0..200 {
        let before = figures(asker, figure);
        let made = make();
        if figures(asker, figure)[core] > before[core] {
            return made;
        }
    }
    panic!("no {figure} comes to core {core}");
}

const ACCEPTED: &str = "lux_connections_accepted_total";

#[track_caller]
fn connection_at(broker: &Broker, asker: &mut Http, core: usize) -> Http {
    placed(asker, ACCEPTED, core, || {
        let mut connection = broker.http();
        connection.ask(&get("nothing")).expect(404);
        connection
    })
}

/// A viewer on this core, with its snapshot still to be read.
#[track_caller]
fn viewer_at(broker: &Broker, asker: &mut Http, core: usize, rest: &str) -> Viewer {
    placed(asker, ACCEPTED, core, || Viewer::open(broker, rest))
}

/// A key that this core owns, with a state.
#[track_caller]
fn key_of(broker: &Broker, asker: &mut Http, core: usize) -> String {
    placed(asker, "lux_keys", core, || {
        let key = fresh("placed");
        broker.ask(put(&key, "0")).expect(201);
        key
    })
}

/// Everything that a core's stall does and does not concern, with the cores 0 and 1 to go on and 2 to stall.
struct Scene {
    near: String,
    far: String,
    witness: Witness,
    /// On core 0.
    asker: Http,
}

impl Scene {
    fn of(broker: &Broker) -> Scene {
        let mut any = broker.http();
        let (near, far) = (key_of(broker, &mut any, 0), key_of(broker, &mut any, 2));
        let own = key_of(broker, &mut any, 0);
        let producer = connection_at(broker, &mut any, 0);
        let rest = format!("/{own}");
        let viewers = [0, 0, 1, 1].map(|core| viewer_at(broker, &mut any, core, &rest)).into();
        let asker = connection_at(broker, &mut any, 0);
        let witness = Witness::with(own, producer, viewers);
        Scene { near, far, witness, asker }
    }

    /// A second in which the witness goes on.
    fn second(&mut self) -> u64 {
        let (asker, near) = (&mut self.asker, &self.near);
        self.witness.during(|| wait_a_second(asker, near)).1
    }
}

#[test]
fn a_core_that_stalls_for_a_second_loses_nobody_anything() {
    const WRITES: u64 = 3_000;
    let broker = Setup::cores(3).start();
    let mut scene = Scene::of(&broker);
    let mut any = broker.http();
    // Viewers of the stalled core's key everywhere, and viewers on the stalled core of another's key.
    let (of_far, of_near) = (format!("/{}", scene.far), format!("/{}", scene.near));
    let mut viewers: Vec<(Viewer, &str)> =
        (0..6).map(|at| (viewer_at(&broker, &mut any, at % 3, &of_far), "far")).collect();
    viewers.extend((0..4).map(|_| (viewer_at(&broker, &mut any, 2, &of_near), "near")));
    for (viewer, _) in &mut viewers {
        viewer.snapshot();
    }
    let mut far_producers: Vec<Http> = (0..8).map(|at| connection_at(&broker, &mut any, at % 2)).collect();
    let mut newcomer = connection_at(&broker, &mut any, 0);
    let memory = Memory::of(&broker);

    let Some(stalled) = Stalled::core(&broker, 2) else { return };
    for (n, producer) in far_producers.iter_mut().enumerate() {
        producer.send(&put(&scene.far, &format!("\"far {n}\"")).bytes());
    }
    newcomer.send(&upgrade(&of_far).bytes());
    // More changes than the queue between two cores has room for, conflated into one.
    for n in 1..=WRITES {
        scene.asker.ask(&put(&scene.near, &n.to_string())).expect(200);
    }
    let rounds = scene.second();
    assert!(rounds > 1, "the others go on meanwhile");
    assert!(!far_producers.iter().any(has_answer), "nobody else may answer for the owner");
    drop(stalled);

    for producer in &mut far_producers {
        producer.answer().expect(200);
    }
    let last_far = broker.ask(put(&scene.far, "\"last\"")).expect(200).record();
    let last_near = broker.ask(put(&scene.near, "\"last\"")).expect(200).record();
    for (viewer, which) in &mut viewers {
        let last = if *which == "far" { &last_far } else { &last_near };
        let seen = viewer.records_until(|record| record.rev == last.rev);
        assert_rising(&seen);
        assert_eq!(seen.last(), Some(last));
    }
    let mut newcomer = RawSocket::accepted(newcomer);
    while !newcomer.text().contains("\"last\"") {}
    memory.assert_grew_less_than_mib(4);
    scene.witness.end_with(broker);
}

/// Figures are for the moment in which something is wrong: then they must come.
#[test]
fn figures_and_explanations_come_without_a_core_that_stalls() {
    let broker = Setup::cores(3).start();
    let mut scene = Scene::of(&broker);
    let mut any = broker.http();
    let mut asker = connection_at(&broker, &mut any, 0);
    let Some(stalled) = Stalled::core(&broker, 2) else { return };
    // More often than there is patience for, on one connection: what is late is no answer to what comes after it.
    for _ in 0..3 {
        let metrics = asker.ask(&Request::new("GET", "/metrics")).expect(200);
        let up: Vec<&str> = metrics.text().lines().filter(|line| line.starts_with("lux_core_up{")).collect();
        let expected =
            [0, 1, 2].map(|core| format!("lux_core_up{{core=\"{core}\"}} {}", u8::from(core != 2)));
        assert_eq!(up, expected);
        assert!(metrics.text().contains("\nlux_viewers{core=\"1\"} 2\n"), "{}", metrics.text());
        let explain = |key: &str| Request::new("GET", &format!("/api/lux/_explain?key={key}"));
        let far = asker.ask(&explain(&scene.far)).expect(200);
        assert!(far.text().contains("core 2, which owns this key, does not answer"), "{}", far.text());
        let near = asker.ask(&explain(&scene.near)).expect(200);
        assert!(near.text().contains("; core 2 does not answer"), "{}", near.text());
    }
    drop(stalled);
    let patience = Patience::begin();
    while !asker.ask(&Request::new("GET", "/metrics")).text().contains("lux_core_up{core=\"2\"} 1\n") {
        patience.check("the core is not seen to go on");
    }
    scene.second();
    scene.witness.end_with(broker);
}

#[test]
fn a_viewer_that_waits_for_a_stalled_core_is_not_taken_for_dead() {
    let broker = Setup::cores(3).limit("ping_interval", "800ms").start();
    let mut scene = Scene::of(&broker);
    let mut any = broker.http();
    let rest = format!("?keys={}", scene.near);
    let mut waiting: Vec<Viewer> = (0..4).map(|at| viewer_at(&broker, &mut any, at % 2, &rest)).collect();
    let Some(stalled) = Stalled::core(&broker, 2) else { return };
    // Two commands: the second waits behind the first, and nothing is read behind it.
    for viewer in &mut waiting {
        viewer.snapshot();
        viewer.say(&format!("{{\"subscribe\":[\"{}\"]}}", scene.far));
        viewer.say(&format!("{{\"subscribe\":[\"{}\"]}}", scene.near));
    }
    // They read, and so answer each ping, while time passes; then the snapshots must come, and no close.
    let read = |mut viewer: Viewer| thread::spawn(move || [viewer.snapshot(), viewer.snapshot()]);
    let readers: Vec<_> = waiting.into_iter().map(read).collect();
    for _ in 0..3 {
        scene.second();
    }
    drop(stalled);
    for reader in readers {
        // The witness's seconds wrote the other key, too.
        let [(far, _), (near, _)] = reader.join().unwrap();
        assert!(far.iter().any(|record| record.key == scene.far), "{far:?}");
        assert!(near.iter().any(|record| record.key == scene.near), "{near:?}");
    }
    scene.witness.end_with(broker);
}

#[track_caller]
fn wait_until_all_threads_stand(broker: &Broker) {
    let stands = |stat: String| stat.rsplit(')').next().is_some_and(|rest| rest.trim().starts_with('T'));
    let patience = Patience::begin();
    loop {
        let tasks = fs::read_dir(format!("/proc/{}/task", broker.pid())).expect("it is there");
        let stats = tasks.map(|task| fs::read_to_string(task.expect("a thread").path().join("stat")));
        if stats.map(|stat| stat.expect("a thread's state")).all(stands) {
            return;
        }
        patience.check("a thread goes on");
    }
}

#[test]
fn a_broker_that_was_stopped_for_two_seconds_goes_on() {
    const STOP: Duration = Duration::from_secs(2);
    for cores in [1, 2] {
        let broker = Setup::cores(cores).limit("ping_interval", "1s").start();
        let mut witness = Witness::of(&broker);
        let mut producer = broker.http();
        producer.ask(&put("board", "0")).expect(201);
        // They read all the while, and so answer each ping that comes.
        let watch = |mut viewer: Viewer| {
            viewer.snapshot();
            thread::spawn(move || viewer.records_until(|record| record.data == "\"last\""))
        };
        let viewers: Vec<_> = (0..30).map(|_| watch(Viewer::open(&broker, "/board"))).collect();
        let memory = Memory::of(&broker);
        broker.signal(Signal::SIGSTOP);
        wait_until_all_threads_stand(&broker);
        producer.send(&(1..=50).flat_map(|n| put("board", &n.to_string()).bytes()).collect::<Vec<u8>>());
        // The kernel takes them in; they wait for the broker.
        let mut newcomers = broker.connections(20);
        for newcomer in &mut newcomers {
            newcomer.send(&get("board").bytes());
        }
        assert!(!producer.readable_within(STOP), "a stopped broker says nothing");
        broker.signal(Signal::SIGCONT);
        for _ in 0..50 {
            producer.answer().expect(200);
        }
        for newcomer in &mut newcomers {
            newcomer.answer().expect(200);
        }
        let last = producer.ask(&put("board", "\"last\"")).expect(200).record();
        for viewer in viewers {
            let seen = viewer.join().unwrap();
            assert_rising(&seen);
            assert_eq!(seen.last(), Some(&last));
        }
        memory.assert_grew_less_than_mib(4);
        witness.round();
        witness.end_with(broker);
    }
}
