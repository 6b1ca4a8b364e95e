//! The host's fingerprint in an activation request: the same for this machine each time, and good for nothing else.
//!
//! Always true: it is made of `/etc/machine-id` alone, through a keyed hash that cannot be turned back, with a
//! number that is Lux's own: no other program's fingerprint of this machine is the same, so that two vendors
//! cannot compare what they know.
//!
//! Read first: nothing. It is what sd_id128_get_machine_app_specific(3) makes, so
//! `systemd-id128 machine-id --app-specific=aa85dacfe3a14624b9042d44bede70b2` shows it too.

use std::fs;

use ring::hmac::{HMAC_SHA256, Key, sign};

use super::vendor::{from_hex, to_hex};

/// What stands in a request where the machine has no id, as in many containers.
pub const NONE: &str = "none";

/// Lux's own number, drawn once.
const APPLICATION: u128 = 0xaa85_dacf_e3a1_4624_b904_2d44_bede_70b2;
const MACHINE_ID: &str = "/etc/machine-id";

/// This machine's fingerprint, or [`NONE`].
pub fn fingerprint() -> String {
    fs::read_to_string(MACHINE_ID)
        .ok()
        .and_then(|text| of_machine_id(&text))
        .unwrap_or_else(|| NONE.to_owned())
}

fn of_machine_id(text: &str) -> Option<String> {
    // A machine that is still being set up says `uninitialized`.
    let id = from_hex::<16>(text.trim_end()).filter(|id| *id != [0; 16])?;
    let tag = sign(&Key::new(HMAC_SHA256, &id), &APPLICATION.to_be_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&tag.as_ref()[..16]);
    // The marks of a random UUID, as systemd sets them.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Some(to_hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_systemd_makes_and_not_the_machine_id() {
        // As `systemd-id128` says on a machine of this id.
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(of_machine_id(&format!("{id}\n")).as_deref(), Some("c793107f538d4402bab3fd1e782a24ad"));
        let other = of_machine_id("0123456789abcdef0123456789abcdee\n").unwrap();
        assert!(other.len() == 32 && other != "c793107f538d4402bab3fd1e782a24ad");
    }

    #[test]
    fn a_machine_without_an_id_has_no_fingerprint() {
        for text in ["", "\n", "uninitialized\n", "00000000000000000000000000000000\n", "abc\n"] {
            assert_eq!(of_machine_id(text), None, "{text}");
        }
    }
}
