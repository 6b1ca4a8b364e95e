//! A shop's dashboard: orders per second and what goes with them.
//!
//! Always true: its numbers belong together: regions add up to the whole, revenue grows by the orders, and a
//! bad moment shows in errors and latency at once.
//!
//! Read first: `producer.rs`.

use std::f64::consts::TAU;

use serde::Serialize;

use super::dice::{Dice, round};
use super::producer::{Producer, Step};

/// The key it writes.
pub const KEY: &str = "dashboard-main";
/// A day, short enough that who looks on for a while sees its shape.
const DAY_MS: u64 = 8 * 60_000;
const REST_MS: u64 = 800;
const REGIONS: [(&str, f64); 5] =
    [("Berlin", 0.31), ("Hamburg", 0.24), ("München", 0.19), ("Wien", 0.15), ("Zürich", 0.11)];

/// The shop.
pub struct Dashboard {
    orders_per_second: f64,
    error_percent: f64,
    revenue: f64,
    shares: [f64; REGIONS.len()],
    /// Steps left of a bad moment.
    trouble: u32,
}

#[derive(Serialize)]
struct State {
    summary: String,
    orders_per_second: u64,
    revenue_today: f64,
    currency: &'static str,
    average_basket: f64,
    error_rate_percent: f64,
    latency_p95_ms: u64,
    status: &'static str,
    top_regions: Vec<Region>,
}

#[derive(Serialize)]
struct Region {
    name: &'static str,
    orders_per_second: u64,
}

impl Dashboard {
    /// Opens the shop.
    pub fn new() -> Dashboard {
        let shares = REGIONS.map(|(_, share)| share);
        Dashboard { orders_per_second: 42.0, error_percent: 0.4, revenue: 18_400.0, shares, trouble: 0 }
    }

    fn regions(&mut self, dice: &mut Dice, orders: u64) -> Vec<Region> {
        for (share, (_, usual)) in self.shares.iter_mut().zip(REGIONS) {
            *share = dice.walk(*share, usual, usual * 0.4);
        }
        let sum: f64 = self.shares.iter().sum();
        let mut regions: Vec<Region> = REGIONS
            .iter()
            .zip(self.shares)
            .map(|((name, _), share)| Region {
                name,
                orders_per_second: (orders as f64 * share / sum) as u64,
            })
            .collect();
        regions.sort_by_key(|region| std::cmp::Reverse(region.orders_per_second));
        // What rounding down left over goes to the largest.
        let shown: u64 = regions.iter().map(|region| region.orders_per_second).sum();
        regions[0].orders_per_second += orders - shown;
        regions
    }
}

impl Producer for Dashboard {
    fn step(&mut self, dice: &mut Dice, wall_ms: u64) -> Step {
        self.trouble =
            if self.trouble == 0 && dice.once_in(90) { 12 } else { self.trouble.saturating_sub(1) };
        let hour = (wall_ms % DAY_MS) as f64 / DAY_MS as f64;
        // Quiet at night, one hill before noon and a higher one in the evening.
        let shape = 1.0 - 0.45 * (TAU * hour).cos() - 0.15 * (2.0 * TAU * hour).cos();
        let usual = if self.trouble > 0 { 26.0 } else { 42.0 } * shape;
        self.orders_per_second = dice.walk(self.orders_per_second, usual, usual * 0.35).max(1.0);
        let error_usual = if self.trouble > 0 { 4.5 } else { 0.4 };
        self.error_percent = dice.walk(self.error_percent, error_usual, error_usual * 0.8);
        let orders = self.orders_per_second.round() as u64;
        let basket = round(dice.between(31.0, 38.0), 2);
        self.revenue += orders as f64 * basket * REST_MS as f64 / 1_000.0;
        let latency =
            120.0 + self.orders_per_second * 0.9 + self.error_percent * 60.0 + dice.between(0.0, 25.0);
        let state = State {
            summary: format!("orders_per_second={orders}"),
            orders_per_second: orders,
            revenue_today: round(self.revenue, 2),
            currency: "EUR",
            average_basket: basket,
            error_rate_percent: round(self.error_percent, 2),
            latency_p95_ms: latency as u64,
            status: if self.trouble > 0 { "degraded" } else { "ok" },
            top_regions: self.regions(dice, orders),
        };
        Step::put(KEY, &state, REST_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::super::producer::tests::story;
    use super::*;

    #[test]
    fn the_numbers_belong_together() {
        let told = story(&mut Dashboard::new(), 7, 3_000);
        let mut revenue_before = 0.0;
        for states in &told {
            let state = &states[KEY];
            let orders = state["orders_per_second"].as_u64().unwrap();
            assert!((1..=120).contains(&orders), "{orders}");
            assert_eq!(state["summary"], format!("orders_per_second={orders}"));
            let regions = state["top_regions"].as_array().unwrap();
            let sum: u64 = regions.iter().map(|region| region["orders_per_second"].as_u64().unwrap()).sum();
            assert_eq!(sum, orders);
            let revenue = state["revenue_today"].as_f64().unwrap();
            assert!(revenue > revenue_before);
            revenue_before = revenue;
            assert!((0.0..10.0).contains(&state["error_rate_percent"].as_f64().unwrap()));
            assert!((100..900).contains(&state["latency_p95_ms"].as_u64().unwrap()));
        }
        let degraded = told.iter().filter(|states| states[KEY]["status"] == "degraded").count();
        assert!((30..1_500).contains(&degraded), "now and then, not always: {degraded}");
    }

    #[test]
    fn a_day_has_a_shape() {
        let told = story(&mut Dashboard::new(), 3, 600);
        let orders: Vec<u64> =
            told.iter().map(|states| states[KEY]["orders_per_second"].as_u64().unwrap()).collect();
        let (least, most) = (orders.iter().min().unwrap(), orders.iter().max().unwrap());
        assert!(most > &(least * 2), "{least} … {most}");
    }
}
