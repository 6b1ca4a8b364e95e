//! States of a wished size that look like what dashboards carry.
//!
//! Always true: a state has exactly the bytes asked for and is JSON that a broker has to check: numbers,
//! texts, an object within, not one long string of x.
//!
//! Read first: `mark.rs`.

use crate::mark::{INTRODUCTION, MARK_LEN};

/// The smallest state there is room for a mark in.
pub const BYTES_MIN: usize = 40;

/// A state of `bytes` bytes (at least [`BYTES_MIN`]) that carries `mark`.
pub fn build(bytes: usize, mark: &str) -> String {
    const PAD: &str = ",\"note\":\"\"}";
    debug_assert_eq!(mark.len(), MARK_LEN);
    let bytes = bytes.max(BYTES_MIN);
    let mut state = format!("{{{INTRODUCTION}{mark}\"");
    for turn in 0.. {
        let member = member(turn);
        if state.len() + member.len() + PAD.len() > bytes {
            break;
        }
        state.push_str(&member);
    }
    let missing = bytes.saturating_sub(state.len() + PAD.len());
    state.push_str(",\"note\":\"");
    state.extend(std::iter::repeat_n('.', missing));
    state.push_str("\"}");
    state
}

fn member(turn: usize) -> String {
    match turn % 4 {
        0 => format!(",\"orders_{turn}\":{}", 40 + turn * 7),
        1 => format!(",\"load_{turn}\":{}.{}", turn, turn * 37 % 100),
        2 => format!(",\"status_{turn}\":\"ok\""),
        _ => format!(",\"site_{turn}\":{{\"up\":true,\"queue\":{turn}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Tag;

    #[test]
    fn states_have_the_size_asked_for_and_are_json() {
        for bytes in [BYTES_MIN, 41, 60, 200, 1024, 5000] {
            let state = build(bytes, &Tag::from_seed(1).mark(9));
            assert_eq!(state.len(), bytes);
            assert!(serde_json::from_str::<serde_json::Value>(&state).is_ok(), "{state}");
        }
    }
}
