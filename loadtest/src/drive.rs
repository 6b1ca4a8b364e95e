//! The loop that runs flows: send what is due, take in what came, until a time.
//!
//! Always true: it ends by itself; a settled flow is one where all answers are there and every viewer holds
//! the last state of what it watches.
//!
//! Read first: `flow.rs`.

use crate::clock::{MILLISECOND, Nanos};
use crate::failure::Failure;
use crate::fleet::Fleet;
use crate::flow::Flow;
use crate::progress::Progress;

/// Runs the flows until a time. `tend` is called in each turn and says when it wants to be called again at
/// the latest.
///
/// # Errors
/// epoll failed.
pub fn drive(
    fleet: &mut Fleet,
    flows: &mut [Flow],
    until: Nanos,
    progress: &mut Progress,
    mut tend: impl FnMut(&mut Fleet, &mut [Flow], Nanos) -> Nanos,
) -> Result<(), Failure> {
    loop {
        let now = fleet.clock.now();
        if now >= until {
            return Ok(());
        }
        flows.iter_mut().for_each(|flow| flow.send(fleet));
        let wanted = tend(fleet, flows, now);
        let due = flows.iter().map(|flow| flow.due(now)).min().unwrap_or(until).min(until).min(wanted);
        turn(fleet, flows, due)?;
        progress.tick(fleet, flows);
    }
}

/// Sends nothing more and waits, so many seconds at most, until everything is settled; how many states of
/// viewers are not the last.
///
/// # Errors
/// epoll failed.
pub fn settle(fleet: &mut Fleet, flows: &mut [Flow], seconds: f64) -> Result<u64, Failure> {
    let now = fleet.clock.now();
    let until = fleet.clock.after(seconds);
    flows.iter_mut().for_each(|flow| flow.pause(true, now));
    loop {
        let missing: usize = flows.iter().map(Flow::missing).sum();
        let unanswered: usize = fleet.producers.iter().map(|producer| producer.in_flight()).sum();
        let now = fleet.clock.now();
        if missing + unanswered == 0 || now >= until {
            return Ok(missing as u64);
        }
        turn(fleet, flows, now + 20 * MILLISECOND)?;
    }
}

fn turn(fleet: &mut Fleet, flows: &mut [Flow], due: Nanos) -> Result<(), Failure> {
    fleet.turn(due, &mut |seen| {
        if let Some(flow) = flows.iter_mut().find(|flow| flow.has_viewer(seen.viewer)) {
            flow.saw(&seen);
        }
    })?;
    while let Some(answer) = fleet.answers.pop() {
        flows.iter_mut().for_each(|flow| flow.answered(answer));
    }
    Ok(())
}
