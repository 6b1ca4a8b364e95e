#!/usr/bin/env python3
"""A metrics agent for the live dashboard: once a second it writes the shop's state to one key.

Always true: a state that could not be sent is not kept for later. The next second has a newer one, and only
the newest is worth anything; so a broker that was away is simply current again with the next write.

usage: LUX_API_KEY=… ./producer.py [--broker http://127.0.0.1:7373] [--state dashboard-main] [--every 1.0]
"""

import math
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
from lux_producer import broker_of, options, run  # noqa: E402

REGIONS = {"Lyon": 0.31, "Porto": 0.24, "Malmö": 0.19, "Gent": 0.15, "Trieste": 0.11}


class Shop:
    """Orders as a shop sees them: a tide over minutes, noise over seconds, and now and then a bad spell."""

    def __init__(self):
        self.noise = 0.0
        self.trouble = 0.0
        self.basket = 24.0
        self.revenue_today = 412_000.0

    def measure(self, now):
        self.noise = 0.85 * self.noise + random.gauss(0, 1.6)
        self.basket = min(29.0, max(20.0, self.basket + random.gauss(0, 0.15)))
        if random.random() < 0.006:
            self.trouble = 1.0
        self.trouble *= 0.93
        tide = 42 + 9 * math.sin(now / 70) + 4 * math.sin(now / 17)
        orders = max(0, round((tide + self.noise) * (1 - 0.5 * self.trouble)))
        self.revenue_today += orders * self.basket
        return {
            "summary": f"orders_per_second={orders}",
            "orders_per_second": orders,
            "revenue_today": round(self.revenue_today, 2),
            "currency": "EUR",
            "average_basket": round(self.basket, 2),
            "error_rate_percent": round(max(0.0, random.gauss(0.4, 0.08)) + 4 * self.trouble, 2),
            "latency_p95_ms": round(148 + 0.6 * orders + random.gauss(0, 4) + 380 * self.trouble),
            "status": "degraded" if self.trouble > 0.2 else "ok",
            "top_regions": self.regions(orders),
        }

    def regions(self, orders):
        # Whole orders that add up: what is left over goes to the largest.
        counts = {name: int(orders * share) for name, share in REGIONS.items()}
        counts[next(iter(counts))] += orders - sum(counts.values())
        return [{"name": name, "orders_per_second": count} for name, count in counts.items()]


def main():
    parser = options("Writes the state of a shop, once a second.")
    parser.add_argument("--state", default="dashboard-main", help="the key to write")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two states")
    arguments = parser.parse_args()

    shop = Shop()
    broker = broker_of(arguments)
    due = time.monotonic()
    while True:
        broker.put(arguments.state, shop.measure(time.time()))
        due = max(due + arguments.every, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    run(main)
