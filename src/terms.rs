//! What a license says, how it stands at a given moment, and the lines that `/metrics` says about it.
//!
//! Always true: nothing in here refuses, limits or slows anything, and nobody else asks how a license stands but
//! to show it: a broker is never less correct for want of one.
//!
//! Read first: `time.rs`. The file it comes from is read in `license/text.rs`.

use std::fmt::Write;

/// How long after its end a license is still taken for one: time to renew it in peace.
pub const GRACE_MS: u64 = 30 * DAY_MS;
/// A license from the near future is taken all the same: clocks differ, and it may be used as soon as it is made.
pub const EARLY_MS: u64 = DAY_MS;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What a license says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Its number at the vendor.
    pub id: String,
    /// Whom it is for.
    pub customer: String,
    /// What they may do with it, in the vendor's words.
    pub entitlement: String,
    /// One word of `a–z 0–9 -`.
    pub tier: String,
    /// When it was made, Unix milliseconds, whole seconds.
    pub issued_at_ms: u64,
    /// From this Unix millisecond on it has ended; whole seconds.
    pub expires_at_ms: u64,
    /// Where they get help.
    pub contact: String,
    /// What else stands in it, by name: later versions of Lux may know what it means.
    pub others: Vec<(String, String)>,
}

/// What a running broker keeps of its license.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it says.
    pub terms: Terms,
    /// It was verified with the vendor's key, not with another that somebody named.
    pub is_vendors: bool,
}

/// How a license stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was made in the future, going by this machine's clock.
    Early,
    /// It holds.
    Valid,
    /// It has ended, less than [`GRACE_MS`] ago.
    Grace,
    /// It has ended.
    Expired,
}

impl Standing {
    /// Its name, as metrics and JSON have it.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Early => EVALUATION,
            Standing::Valid => "valid",
            Standing::Grace => "grace",
            Standing::Expired => "expired",
        }
    }
}

/// How a broker runs that has no license in force.
pub const EVALUATION: &str = "evaluation";

impl Terms {
    /// How it stands at this Unix millisecond.
    pub fn standing(&self, wall_ms: u64) -> Standing {
        if wall_ms.saturating_add(EARLY_MS) < self.issued_at_ms {
            Standing::Early
        } else if wall_ms < self.expires_at_ms {
            Standing::Valid
        } else if wall_ms < self.grace_ends_at_ms() {
            Standing::Grace
        } else {
            Standing::Expired
        }
    }

    /// The Unix millisecond from which on it is no longer taken for a license.
    pub fn grace_ends_at_ms(&self) -> u64 {
        self.expires_at_ms.saturating_add(GRACE_MS)
    }
}

/// Writes what Prometheus reads about the license (text format 0.0.4): how it stands, and when it ends.
pub fn render(held: Option<&Held>, wall_ms: u64, out: &mut String) {
    let (tier, state, key) = held.map_or(("none", EVALUATION, "none"), |held| {
        let key = if held.is_vendors { "vendor" } else { "other" };
        (&*held.terms.tier, held.terms.standing(wall_ms).name(), key)
    });
    let _ = writeln!(
        out,
        "# HELP lux_license_info The license: evaluation, valid, grace or expired. Nothing depends on it.\n\
         # TYPE lux_license_info gauge\n\
         lux_license_info{{tier=\"{tier}\",state=\"{state}\",key=\"{key}\"}} 1"
    );
    if let Some(held) = held {
        let _ = writeln!(
            out,
            "# HELP lux_license_expiry_timestamp_seconds When the license ends, Unix time.\n\
             # TYPE lux_license_expiry_timestamp_seconds gauge\n\
             lux_license_expiry_timestamp_seconds {}",
            held.terms.expires_at_ms / 1000
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUED: u64 = 1_782_000_000_000;
    const EXPIRES: u64 = ISSUED + 365 * DAY_MS;

    fn terms() -> Terms {
        Terms {
            id: "lux-1".to_owned(),
            customer: "Example".to_owned(),
            entitlement: "production".to_owned(),
            tier: "team".to_owned(),
            issued_at_ms: ISSUED,
            expires_at_ms: EXPIRES,
            contact: "help@vendor.example".to_owned(),
            others: vec![],
        }
    }

    #[test]
    fn each_boundary_is_where_it_is_said_to_be() {
        for (at, standing) in [
            (0, Standing::Early),
            (ISSUED - EARLY_MS - 1, Standing::Early),
            (ISSUED - EARLY_MS, Standing::Valid),
            (ISSUED, Standing::Valid),
            (EXPIRES - 1, Standing::Valid),
            (EXPIRES, Standing::Grace),
            (EXPIRES + 1_000, Standing::Grace),
            (EXPIRES + GRACE_MS - 1, Standing::Grace),
            (EXPIRES + GRACE_MS, Standing::Expired),
            (u64::MAX, Standing::Expired),
        ] {
            assert_eq!(terms().standing(at), standing, "at {at}");
        }
    }

    #[test]
    fn metrics_say_how_it_stands_now() {
        let text = |held: Option<&Held>, at| {
            let mut out = String::new();
            render(held, at, &mut out);
            out
        };
        assert!(text(None, 0).contains("{tier=\"none\",state=\"evaluation\",key=\"none\"} 1\n"));
        assert!(!text(None, 0).contains("expiry"));
        let held = Held { terms: terms(), is_vendors: true };
        assert!(text(Some(&held), ISSUED).contains("{tier=\"team\",state=\"valid\",key=\"vendor\"} 1\n"));
        assert!(text(Some(&held), EXPIRES).contains("state=\"grace\""));
        assert!(text(Some(&held), EXPIRES).contains(&format!("_seconds {}\n", EXPIRES / 1000)));
        let held = Held { is_vendors: false, ..held };
        assert!(text(Some(&held), EXPIRES + GRACE_MS).contains("state=\"expired\",key=\"other\""));
    }
}
