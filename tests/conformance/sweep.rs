//! Plays a whole table, several vectors at once, and lists everything that failed.
//!
//! Always true: a vector that fails stops no other; a table that is too short for what it claims fails.
//!
//! Read first: `table.rs`.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Vectors under way at once: most of the time each waits for the loopback.
const LANES: usize = 8;

thread_local! {
    /// What went wrong on this thread; `None` where failures are printed as usual.
    static OVERHEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Plays every vector; `begin` makes what one lane keeps from vector to vector.
///
/// # Panics
/// With every failure, by name, or where there are fewer than `least` vectors.
pub fn play<V: Sync, L>(
    vectors: &[V],
    least: usize,
    name: impl Fn(&V) -> String + Sync,
    begin: impl Fn() -> L + Sync,
    play_one: impl Fn(&mut L, &V) + Sync,
) {
    assert!(vectors.len() >= least, "{} vectors are left of {least}", vectors.len());
    listen_for_failures();
    let next = AtomicUsize::new(0);
    let lane = || {
        let (mut kept, mut failures) = (begin(), Vec::new());
        while let Some(vector) = vectors.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Some(why) = failure_of(|| play_one(&mut kept, vector)) {
                failures.push(format!("{}\n    {why}", name(vector)));
                // Whatever the failure left behind is not the next vector's.
                kept = begin();
            }
        }
        failures
    };
    let failures: Vec<String> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().flat_map(|lane| lane.join().expect("a lane ends well")).collect()
    });
    let (failed, all) = (failures.len(), vectors.len());
    assert!(failures.is_empty(), "{failed} of {all} vectors failed:\n  {}", failures.join("\n  "));
}

/// What made this panic, and where, if it did.
fn failure_of(act: impl FnOnce()) -> Option<String> {
    OVERHEARD.set(Some(String::new()));
    let outcome = catch_unwind(AssertUnwindSafe(act));
    let overheard = OVERHEARD.take().unwrap_or_default();
    outcome.is_err().then_some(overheard)
}

/// Failures inside [`failure_of`] are kept for the list, not printed one by one.
fn listen_for_failures() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |info| {
            let said = info.to_string().replace('\n', "\n    ");
            let is_kept = OVERHEARD.with_borrow_mut(|slot| slot.as_mut().map(|kept| *kept = said));
            if is_kept.is_none() {
                print(info);
            }
        }));
    });
}

#[test]
fn every_failure_is_listed_by_name() {
    let result = catch_unwind(|| {
        failure_of(|| {
            play(&[1, 2, 3, 4], 4, |n| format!("vector {n}"), || (), |(), n| assert!(n % 2 == 0, "odd {n}"));
        })
    });
    let said = result.expect("it is caught").expect("two fail");
    assert!(said.contains("2 of 4 vectors failed"), "{said}");
    for part in ["vector 1", "odd 1", "vector 3", "odd 3"] {
        assert!(said.contains(part), "{said}");
    }
}
