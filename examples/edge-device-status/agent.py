#!/usr/bin/env python3
"""The agent on an edge device: it reads the machine it runs on, and writes its status to one key.

Always true: what the machine cannot measure is simulated, and says so under `simulated`. A device that is shut down says
that it is offline; one that just stops is found by its silence.

usage: LUX_API_KEY=… ./agent.py --device edge-17       this machine, as one device
       LUX_API_KEY=… ./agent.py --fleet 12             twelve simulated ones, which drift and drop out
"""

import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
from lux_producer import broker_of, options, run  # noqa: E402

SITES = ["Hamburg dock 3", "Leipzig hub", "Köln depot", "Graz plant"]
FIRMWARE = "4.8.1"


class Machine:
    """This machine: processor and memory from /proc, temperature from its warmest thermal zone."""

    def __init__(self, name, site):
        self.name, self.site = name, site
        self.busy, self.total = self.processor_times()
        self.warmth = 36.0

    def processor_times(self):
        times = [int(word) for word in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
        return sum(times) - times[3] - times[4], sum(times)

    def processor_percent(self):
        busy, total = self.processor_times()
        spent, passed = busy - self.busy, total - self.total
        self.busy, self.total = busy, total
        return 100 * spent / passed if passed else 0.0

    def memory_percent(self):
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        size = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        return 100 * (1 - size["MemAvailable"] / size["MemTotal"])

    def temperature(self, processor_percent):
        """In degrees Celsius, and whether it was measured."""
        zones = [int(zone.read_text()) / 1000 for zone in pathlib.Path("/sys/class/thermal").glob("thermal_zone*/temp")]
        if zones:
            return max(zones), True
        # A board without a sensor: it warms with its load, and has a mass.
        self.warmth += 0.2 * (33 + 0.12 * processor_percent + random.gauss(0, 0.6) - self.warmth)
        return self.warmth, False

    def state(self):
        processor = self.processor_percent()
        warmth, is_measured = self.temperature(processor)
        uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
        return {
            "summary": f"{self.name} online {round(warmth)}C",
            "name": self.name,
            "site": self.site,
            "online": True,
            "temperature_c": round(warmth, 1),
            "cpu_percent": round(processor, 1),
            "memory_percent": round(self.memory_percent(), 1),
            "uptime_s": round(uptime),
            "firmware": FIRMWARE,
            "simulated": [] if is_measured else ["temperature_c"],
            "seen_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }


class Simulated:
    """A device that is not there: warmth and signal drift, the battery runs down, now and then it drops out."""

    def __init__(self, number):
        self.name = f"edge-{number:02}"
        self.site = SITES[number % len(SITES)]
        self.warmth, self.battery, self.signal = random.uniform(28, 52), random.uniform(15, 100), random.uniform(-95, -55)
        self.silent = 0

    def state(self):
        """What it would say now, or None while it is out of reach."""
        if self.silent > 0 or random.random() < 0.006:
            self.silent = self.silent - 1 if self.silent else random.randint(6, 20)
            return None
        self.warmth += random.gauss(0, 0.5) + 0.02 * (38 - self.warmth)
        self.signal = min(-45, max(-108, self.signal + random.gauss(0, 1.2)))
        self.battery = 100.0 if self.battery < 8 else self.battery - random.uniform(0.02, 0.2)
        return {
            "summary": f"{self.name} online {round(self.warmth)}C",
            "name": self.name,
            "site": self.site,
            "online": True,
            "temperature_c": round(self.warmth, 1),
            "battery_percent": round(self.battery),
            "signal_dbm": round(self.signal),
            "firmware": FIRMWARE,
            "simulated": ["all"],
            "seen_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }


def say_goodbye(*_):
    raise KeyboardInterrupt


def main():
    parser = options("Writes the status of a device, or of a simulated fleet.")
    parser.add_argument("--device", default="edge-17")
    parser.add_argument("--site", default=SITES[0])
    parser.add_argument("--fleet", type=int, default=0, metavar="N", help="simulate N devices in place of this machine")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two states of a device")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, say_goodbye)

    broker = broker_of(arguments)
    devices = [Simulated(number + 1) for number in range(arguments.fleet)] or [Machine(arguments.device, arguments.site)]
    try:
        while True:
            for device in devices:
                state = device.state()
                if state:
                    broker.put(f"device-{device.name}", state)
                time.sleep(arguments.every / len(devices))
    finally:
        for device in devices:
            broker.patch(f"device-{device.name}", {"online": False, "summary": f"{device.name} offline"})


if __name__ == "__main__":
    run(main)
