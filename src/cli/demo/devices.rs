//! Twelve gateways at the edge: temperature, battery, signal, and now and then one that is offline.
//!
//! Always true: each device's numbers change slowly, as things do that have a mass; one that is offline
//! keeps the numbers it had.
//!
//! Read first: `producer.rs`.

use serde::Serialize;

use super::dice::{Dice, round};
use super::producer::{Producer, Step, timestamp};

const DEVICES: usize = 12;
/// All of them together, so each speaks about every three seconds.
const REST_MS: u64 = 260;
const SITES: [&str; 4] = ["Hamburg dock 3", "Leipzig hub", "Köln depot", "Graz plant"];

/// All the gateways.
pub struct Devices {
    devices: Vec<Device>,
    turn: usize,
}

struct Device {
    temperature: f64,
    battery: f64,
    signal: f64,
    /// Turns left offline.
    offline: u32,
    is_known: bool,
}

#[derive(Serialize)]
struct State {
    name: String,
    site: &'static str,
    online: bool,
    temperature_c: f64,
    battery_percent: u64,
    charging: bool,
    signal_dbm: i64,
    firmware: &'static str,
    seen_at: String,
}

#[derive(Serialize)]
struct Presence {
    online: bool,
}

impl Devices {
    /// Puts them into the field.
    pub fn new() -> Devices {
        let device = |at: usize| Device {
            temperature: 31.0 + at as f64,
            battery: 100.0 - 6.0 * at as f64,
            signal: -58.0 - 2.0 * at as f64,
            offline: 0,
            is_known: false,
        };
        Devices { devices: (0..DEVICES).map(device).collect(), turn: 0 }
    }
}

impl Device {
    fn live(&mut self, at: usize, dice: &mut Dice) {
        self.temperature = dice.walk(self.temperature, 34.0 + at as f64 * 0.8, 9.0);
        self.signal = dice.walk(self.signal, -66.0, 18.0);
        // Every second device is on mains; the others run down until somebody changes their battery.
        self.battery = match self.is_charging(at) {
            true => (self.battery + dice.between(0.4, 1.1)).min(100.0),
            false => self.battery - dice.between(0.05, 0.35),
        };
        if self.battery < 12.0 {
            self.battery = 100.0;
        }
    }

    fn is_charging(&self, at: usize) -> bool {
        at % 2 == 1
    }

    fn state(&self, at: usize, wall_ms: u64) -> State {
        State {
            name: format!("Edge gateway {:02}", at + 1),
            site: SITES[at % SITES.len()],
            online: true,
            temperature_c: round(self.temperature, 1),
            battery_percent: self.battery as u64,
            charging: self.is_charging(at),
            signal_dbm: self.signal as i64,
            firmware: if at < 9 { "2.4.1" } else { "2.5.0-rc2" },
            seen_at: timestamp(wall_ms),
        }
    }
}

impl Producer for Devices {
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        // The others may be silent for a turn; whoever is asked next has something to say.
        loop {
            let at = self.turn;
            self.turn = (at + 1) % DEVICES;
            let key = format!("device-edge-{:02}", at + 1);
            let device = &mut self.devices[at];
            if device.offline > 1 {
                device.offline -= 1;
                continue;
            }
            if device.is_known && device.offline == 0 && dice.once_in(45) {
                device.offline = 4;
                return Step::patch(key, &Presence { online: false }, REST_MS);
            }
            device.offline = 0;
            device.is_known = true;
            device.live(at, dice);
            return Step::put(key, &device.state(at, wall_ms), REST_MS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::producer::tests::story;
    use super::*;

    #[test]
    fn twelve_devices_live_and_some_are_away_now_and_then() {
        let told = story(&mut Devices::new(), 5, 3_000);
        let last = told.last().unwrap();
        assert_eq!(last.len(), DEVICES);
        assert!(last.contains_key("device-edge-01") && last.contains_key("device-edge-12"));
        let mut away = 0;
        for (name, device) in told.iter().flatten() {
            let temperature = device["temperature_c"].as_f64().unwrap();
            assert!((20.0..60.0).contains(&temperature), "{name} {temperature}");
            assert!((10..=100).contains(&device["battery_percent"].as_u64().unwrap()));
            assert!((-90..-40).contains(&device["signal_dbm"].as_i64().unwrap()));
            away += usize::from(device["online"] == false);
        }
        let share = away as f64 / (told.len() * DEVICES) as f64;
        assert!((0.01..0.3).contains(&share), "{share}");
    }

    #[test]
    fn whoever_is_away_comes_back() {
        let told = story(&mut Devices::new(), 11, 3_000);
        for device in told.last().unwrap().keys() {
            let online = |states: &std::collections::BTreeMap<String, serde_json::Value>| {
                states.get(device).is_some_and(|state| state["online"] == true)
            };
            assert!(told[2_800..].iter().any(online), "{device}");
        }
    }
}
