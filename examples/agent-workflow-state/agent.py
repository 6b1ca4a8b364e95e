#!/usr/bin/env python3
"""An agent that reconciles invoices with payments, step by step, and writes where it is to one key.

Always true: the work is done, not played: what is counted as matched was matched. The ledger that it asks is away now and
then, so steps are tried again, with a growing pause. Whoever opens the page late sees where the run is, not its past.

usage: LUX_API_KEY=… ./agent.py [--invoices 1200] [--pace 1.0] [--once]
"""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
from lux_producer import broker_of, options, run  # noqa: E402

KEY = "workflow-invoice-reconcile-abc123"
STEPS = ["collecting", "extracting", "matching", "converting", "validating", "posting"]
ATTEMPTS_MAX = 4
RATES = {"EUR": 1.0, "SEK": 0.088, "PLN": 0.23}
LOG_LINES = 6


class LedgerAway(Exception):
    """The ledger did not answer; it is worth another try."""


class Reconciliation:
    """The work: one method a step, each saying what it did."""

    def __init__(self, invoices, dice):
        self.count, self.dice = invoices, dice
        self.figures = {"invoices": 0, "payments": 0, "matched": 0, "exceptions": 0}

    def collecting(self):
        """Invoices and payments as they come in: lines of text, some paid twice, some in part, some not at all."""
        self.lines = [f"R{4000 + at};{self.dice.choice(list(RATES))};{self.dice.randint(900, 250_000)}" for at in range(self.count)]
        paid = [line for line in self.lines if self.dice.random() > 0.04]
        self.payments = [line if self.dice.random() > 0.02 else f"{line}9" for line in paid]
        self.dice.shuffle(self.payments)
        self.figures.update(invoices=len(self.lines), payments=len(self.payments))
        return f"{len(self.lines)} invoices, {len(self.payments)} payments"

    def extracting(self):
        split = [line.split(";") for line in self.lines]
        self.open = {number: (currency, int(cents)) for number, currency, cents in split}
        return f"{len(self.open)} numbers read"

    def matching(self):
        self.maybe_away()
        received = {number: int(cents) for number, _, cents in (line.split(";") for line in self.payments)}
        self.matched = [number for number in self.open if number in received]
        self.differing = [number for number in self.matched if received[number] != self.open[number][1]]
        self.figures["matched"] = len(self.matched) - len(self.differing)
        return f"{len(self.matched)} found by number"

    def converting(self):
        self.maybe_away()
        self.total = sum(self.open[number][1] * RATES[self.open[number][0]] for number in self.matched) / 100
        return f"{self.total:,.0f} EUR at today's rates"

    def validating(self):
        self.maybe_away()
        self.figures["exceptions"] = len(self.open) - len(self.matched) + len(self.differing)
        return f"{self.figures['exceptions']} need a person"

    def posting(self):
        self.maybe_away()
        return f"{self.figures['matched']} postings in the ledger"

    def maybe_away(self):
        if self.dice.random() < 0.3:
            raise LedgerAway("the ledger did not answer in time")


class Run:
    """One run: what is written of it."""

    def __init__(self, broker, work, pace):
        self.broker, self.work, self.pace = broker, work, pace
        self.steps = [{"name": name, "status": "waiting", "attempts": 0} for name in STEPS]
        self.log = []

    def tell(self, step, status, line=None):
        done = sum(1 for each in self.steps if each["status"] == "done")
        percent = round(100 * done / len(STEPS))
        if line:
            self.log = [*self.log, f"{time.strftime('%H:%M:%S')} {line}"][-LOG_LINES:]
        word = step["name"] if status != "done" else "done"
        self.broker.put(KEY, {
            "summary": f"invoice-reconcile {word} {percent}%",
            "workflow": "invoice-reconcile",
            "run": "abc123",
            "status": status,
            "step": word,
            "progress_percent": percent,
            "steps": self.steps,
            "figures": self.work.figures,
            "log": self.log,
        })

    def go(self):
        for step in self.steps:
            self.take(step)
        self.tell(self.steps[-1], "done", "the run is over")

    def take(self, step):
        for attempt in range(1, ATTEMPTS_MAX + 1):
            step.update(status="running", attempts=attempt)
            self.tell(step, "running")
            began = time.monotonic()
            time.sleep(self.pace * random.uniform(0.8, 1.6))
            try:
                note = getattr(self.work, step["name"])()
            except LedgerAway as away:
                step.update(status="retrying", note=str(away))
                self.tell(step, "retrying", f"{step['name']}: {away}, attempt {attempt}")
                time.sleep(self.pace * 0.5 * 2**attempt)
                continue
            step.update(status="done", note=note, took_ms=round(1000 * (time.monotonic() - began)))
            return self.tell(step, "running", f"{step['name']}: {note}")
        self.tell(step, "failed", f"{step['name']} failed {ATTEMPTS_MAX} times")
        sys.exit(1)


def main():
    parser = options("Reconciles invoices, and writes where it is.")
    parser.add_argument("--invoices", type=int, default=1200)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds that a step takes, about")
    parser.add_argument("--once", action="store_true", help="end after one run")
    arguments = parser.parse_args()
    broker = broker_of(arguments)
    while True:
        Run(broker, Reconciliation(arguments.invoices, random.Random()), arguments.pace).go()
        if arguments.once:
            return
        time.sleep(4 * arguments.pace)


if __name__ == "__main__":
    run(main)
