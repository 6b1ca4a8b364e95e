//! Brokers that many tests share: one with each number of cores, started when first asked for.
//!
//! Always true: tests that share one stay apart by the names of their keys (`fresh`), and none of them
//! changes what the others rely on.
//!
//! Read first: `broker.rs`.

use std::sync::OnceLock;

use super::{Broker, Setup};

/// The shared broker with 1, 2 or 4 cores. It ends with the test run (see `process.rs`).
pub fn shared(cores: usize) -> &'static Broker {
    static ONE: OnceLock<Broker> = OnceLock::new();
    static TWO: OnceLock<Broker> = OnceLock::new();
    static FOUR: OnceLock<Broker> = OnceLock::new();
    let (place, cores) = match cores {
        1 => (&ONE, 1),
        2 => (&TWO, 2),
        _ => (&FOUR, 4),
    };
    place.get_or_init(|| Setup::cores(cores).start())
}

/// Makes each named check, a function over a broker, a test with 1, 2 and 4 cores.
#[macro_export]
macro_rules! on_1_2_4_cores {
    ($($check:ident),* $(,)?) => {$(
        mod $check {
            #[test]
            fn cores_1() {
                super::$check($crate::harness::shared(1));
            }
            #[test]
            fn cores_2() {
                super::$check($crate::harness::shared(2));
            }
            #[test]
            fn cores_4() {
                super::$check($crate::harness::shared(4));
            }
        }
    )*};
}
