"""A record: the state of a key at one revision.

Always true: a record never changes.

Read first: docs/protocol.md, "Words".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Record:
    """The state of `key` at one revision, or that there is none."""

    key: str
    #: Order by it, within an epoch. 0 if the key never had a state.
    rev: int
    #: When the broker took it, in Unix milliseconds of its clock; 0 if it never did.
    updated_at: int
    #: The state: what JSON can say. None where there is none; `exists` tells that from a state that is null.
    data: Any
    #: The state was deleted. A viewer that was away may know of it only that: `rev` is then the last one it saw.
    deleted: bool
    #: What `rev` counts in. None where the broker did not say.
    epoch: str | None

    @property
    def exists(self) -> bool:
        """Whether the key has a state."""
        return self.rev > 0 and not self.deleted

    @property
    def etag(self) -> str:
        """The revision as `If-Match` takes it."""
        return f'"{self.epoch}.{self.rev}"'

    def gone(self) -> Record:
        """That this state is there no more."""
        return replace(self, data=None, deleted=True)


def record_of(value: object, epoch: str | None) -> Record | None:
    """A record out of parsed JSON; None if it is none."""
    match value:
        case {"key": str(key), "rev": int(rev), "updatedAt": int(updated_at), **rest}:
            return Record(key, rev, updated_at, rest.get("data"), rest.get("deleted") is True, epoch)
    return None
