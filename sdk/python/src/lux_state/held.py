"""What a viewer knows, without a network: it is told of streams and frames, and says what there is to hand out.

Always true: inside an epoch a revision never goes back; what is to be handed out is a set of keys, so that a slow
reader gets the newest of each, and memory grows with keys, not with changes.

Read first: docs/protocol.md, "Snapshot and `synced`".
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from .asking import checked_key, parsed
from .record import Record, record_of


class Held:
    """The records of some patterns, and which of them nobody was told of yet."""

    def __init__(self, patterns: Sequence[str]) -> None:
        if not patterns:
            raise ValueError("name a key to watch, or a prefix that ends in *")
        for pattern in patterns:
            if pattern != "*":
                checked_key(pattern.removesuffix("*"))
        self._patterns = tuple(patterns)
        self._single = patterns[0] if len(patterns) == 1 and not patterns[0].endswith("*") else None
        self._epoch: str | None = None
        self._records: dict[str, Record] = {}  # deletions too, for their revisions
        self._owed: dict[str, Record] = {}  # in the order in which keys changed first
        self._snapshot: dict[str, Record] | None = None  # of a stream that is not synced yet
        self.synced = False

    def path(self) -> str:
        """Where to open the next stream: with what is known, if one key is watched."""
        if self._single is None:
            if len(self._patterns) == 1:
                return f"/stream/{quote(self._patterns[0], safe='*')}"
            return f"/stream?keys={quote(','.join(self._patterns), safe=',*')}"
        known = self._records.get(self._single)
        since = f"?since={known.epoch}.{known.rev}" if known else ""
        return f"/stream/{quote(self._single)}{since}"

    def begin(self) -> None:
        """A stream was opened. A snapshot that broke off counts for nothing."""
        self._snapshot = {}

    def lost(self) -> None:
        self.synced = False

    def received(self, text: str) -> bool:
        """Takes a frame; whether anything is new to somebody who waits."""
        message = parsed(text)
        if isinstance(message, dict) and message.get("synced") is True:
            self._commit(str(message.get("epoch")))
            return True
        record = record_of(message, self._epoch)
        if record is None:
            return False  # an error, or what later brokers may say
        if self._snapshot is None:
            return self._take(record)
        self._snapshot[record.key] = record
        return False

    def take(self) -> Record | None:
        """The next record to hand out."""
        if not self._owed:
            return None
        key = next(iter(self._owed))
        return self._owed.pop(key)

    def states(self) -> dict[str, Record]:
        """The records of all keys that have a state."""
        return {key: record for key, record in self._records.items() if record.exists}

    def get(self, key: str) -> Record | None:
        """The record of a key that has a state."""
        record = self._records.get(key)
        return record if record is not None and record.exists else None

    def _commit(self, epoch: str) -> None:
        """Only now is the epoch of the snapshot known. What it leaves out is gone, or, behind `since`, unchanged."""
        snapshot, self._snapshot = self._snapshot or {}, None
        is_same = epoch == self._epoch
        self._epoch = epoch
        self.synced = True
        if not (is_same and self._single is not None and not snapshot):
            for key in [key for key in self._records if key not in snapshot]:
                known = self._records.pop(key)
                if known.exists:
                    self._owed[key] = known.gone()
        for record in snapshot.values():
            self._take(Record(record.key, record.rev, record.updated_at, record.data, record.deleted, epoch))

    def _take(self, record: Record) -> bool:
        known = self._records.get(record.key)
        if known is not None and known.epoch == record.epoch and record.rev <= known.rev:
            return False
        self._records[record.key] = record
        self._owed[record.key] = record
        return True
