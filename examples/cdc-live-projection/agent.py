#!/usr/bin/env python3
"""Change data capture: reads PostgreSQL's log by logical decoding, folds it into the newest rows, writes them to one key.

Always true: every committed change counts once, in commit order; the slot moves on only after Lux has acknowledged the state
that holds the change. The start is exact: the snapshot that the slot exports is the table at the point where the log begins.
After a restart, each row that differs from what Lux has counts as one change. Many changes between two writes become one state.

usage: PGHOST=… LUX_API_KEY=… ./agent.py [--every 0.1] [--keep-slot]        ./database ./agent.py starts a database for it
"""

import csv
import io
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
from lux_producer import broker_of, options, run  # noqa: E402

KEY = "projection-accounts-current"
SLOT = "lux_accounts"
# The projection's number of an empty table; each change adds one.
FIRST = 1000
LAST_KEPT = 6
CHANGE = re.compile(r"table public\.accounts: (INSERT|UPDATE|DELETE): (.*)", re.DOTALL)
# Which row follows, or a column of it. Quoted values are taken whole, whatever they look like inside.
PART = re.compile(r"(old-key|new-tuple): |(\w+)\[[^\]]+\]:('(?:[^']|'')*'|\S+) ?", re.DOTALL)


class Psql:
    """One psql that stays open: a line of SQL goes in, rows come out."""

    END = "-- lux: end --"

    def __init__(self, connection=""):
        arguments = ["psql", "-X", "-q", "-A", "-t", "--csv", "-v", "ON_ERROR_STOP=1", connection]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, sql):
        self.process.stdin.write(f"{sql};\n\\echo {self.END}\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()).rstrip("\n") != self.END:
            if not line:
                raise ConnectionError("the database has ended the connection")
            lines.append(line)
        return list(csv.reader(io.StringIO("".join(lines))))


def start_at_slot(reader):
    """Makes the slot, and reads the table as it is exactly where the slot begins."""
    reader.ask(f"SELECT pg_drop_replication_slot('{SLOT}') FROM pg_replication_slots WHERE slot_name = '{SLOT}'")
    # The snapshot lasts until this connection says something else.
    maker = Psql("replication=database")
    [[_, begins, snapshot, _]] = maker.ask(f"CREATE_REPLICATION_SLOT {SLOT} LOGICAL test_decoding EXPORT_SNAPSHOT")
    reader.ask("BEGIN ISOLATION LEVEL REPEATABLE READ")
    reader.ask(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
    rows = reader.ask("SELECT id, owner, status, balance FROM accounts")
    reader.ask("COMMIT")
    maker.process.stdin.close()
    maker.process.wait()
    return begins, {row[0]: account(*row[1:]) for row in rows}


def account(owner, status, balance):
    return {"owner": owner, "status": status, "balance": float(balance)}


def decode(text):
    """A line of test_decoding: what happened, the row before, the row after. None for what is no change of a row."""
    found = CHANGE.match(text)
    if not found:
        return None
    what, columns = found.groups()
    rows = {"old-key": {}, "new-tuple": {}}
    which = "old-key" if what == "DELETE" else "new-tuple"
    for part in PART.finditer(columns):
        row, name, value = part.groups()
        which = row or which
        # A long value that did not change stands only in the row before.
        if name and value != "unchanged-toast-datum":
            rows[which][name] = value[1:-1].replace("''", "'") if value[0] == "'" else value
    return what.lower(), rows["old-key"], {**rows["old-key"], **rows["new-tuple"]}


class Projection:
    """The newest rows, and how many changes made them."""

    def __init__(self, before):
        before = before or {}
        self.rows = before.get("accounts", {})
        self.lsn = before.get("lsn", FIRST)
        self.folded = self.transactions = 0
        self.last = before.get("last", [])

    def become(self, rows):
        """The table as it is found at the start: what differs from what is known counts as changes."""
        for key in sorted({*rows, *self.rows}, key=int):
            if rows.get(key) != self.rows.get(key):
                self.count("insert" if key not in self.rows else "update" if key in rows else "delete", key, rows.get(key))
        self.rows = rows

    def fold(self, what, old, new):
        if old and (what == "delete" or old["id"] != new["id"]):
            self.rows.pop(old["id"], None)
        if what != "delete":
            self.rows[new["id"]] = account(new["owner"], new["status"], new["balance"])
        self.count(what, new["id"], new)

    def count(self, what, key, row):
        self.lsn += 1
        self.folded += 1
        self.last = [*self.last, {"lsn": self.lsn, "what": what, "id": key, "owner": row["owner"] if row else None}][-LAST_KEPT:]

    def state(self, wal_lsn):
        return {
            "summary": f"accounts projection lsn={self.lsn} rows={len(self.rows)}",
            "lsn": self.lsn,
            "wal_lsn": wal_lsn,
            "rows": len(self.rows),
            "changes_folded": self.folded,
            "transactions": self.transactions,
            "accounts": self.rows,
            "last": self.last,
        }


def follow(reader, projection, write, every):
    """Folds what the log has that is new; the slot moves on when the broker has it."""
    while True:
        entries = reader.ask(f"SELECT lsn, data FROM pg_logical_slot_peek_changes('{SLOT}', NULL, 5000)")
        for wal_lsn, text in entries:
            change = decode(text)
            if change:
                projection.fold(*change)
            projection.transactions += text.startswith("COMMIT")
        if entries:
            write(projection.state(entries[-1][0]))
            reader.ask(f"SELECT pg_replication_slot_advance('{SLOT}', '{entries[-1][0]}')")
        else:
            time.sleep(every)


def stop(*_):
    raise KeyboardInterrupt


def main():
    parser = options("Projects the table `accounts` of a PostgreSQL into one state.")
    parser.add_argument("--every", type=float, default=0.1, help="seconds between two looks at a log that had nothing new")
    parser.add_argument("--keep-slot", action="store_true", help="leave the slot when it ends; PostgreSQL then keeps its log from there on")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    broker, reader = broker_of(arguments), Psql()

    def write(state):
        while not broker.put(KEY, state):
            time.sleep(1)

    projection = Projection(broker.get(KEY))
    begins, rows = start_at_slot(reader)
    projection.become(rows)
    write(projection.state(begins))
    try:
        follow(reader, projection, write, arguments.every)
    finally:
        if not arguments.keep_slot:
            Psql().ask(f"SELECT pg_drop_replication_slot('{SLOT}')")


if __name__ == "__main__":
    run(main)
