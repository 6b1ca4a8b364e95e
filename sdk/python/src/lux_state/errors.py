"""What can go wrong.

Always true: whatever this package raises for a broker's or a network's sake is a `LuxError`.

Read first: docs/protocol.md, "Errors".
"""

from __future__ import annotations

from .record import Record


class LuxError(Exception):
    """`code` and the message are the broker's own, where it had any; `status` is 0 if there was no answer."""

    def __init__(self, code: str, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Conflict(LuxError):
    """A conditional write that came too late. `record` is what stands there now; None if it may not be read."""

    def __init__(self, message: str, record: Record | None) -> None:
        super().__init__("conflict", message, 412)
        self.record = record


class Unauthorized(LuxError):
    """The broker does not take the API key (401), or not for this (403)."""


class Offline(LuxError):
    """The broker cannot be reached, or did not answer in time."""

    def __init__(self, message: str) -> None:
        super().__init__("offline", message)


class Closed(LuxError):
    """The viewer was closed."""

    def __init__(self) -> None:
        super().__init__("closed", "this viewer was closed")
