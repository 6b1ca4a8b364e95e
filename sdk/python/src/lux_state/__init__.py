"""Lux for Python: write the current state of a key, and watch it.

Always true: inside an epoch a viewer never sees an older revision after a newer one, and always ends on the newest.

Read first: README.md; then `client`, `viewer`.
"""

from .client import AsyncLux, Lux
from .errors import Closed, Conflict, LuxError, Offline, Unauthorized
from .record import Record
from .viewer import AsyncViewer, Viewer

__all__ = [
    "AsyncLux",
    "AsyncViewer",
    "Closed",
    "Conflict",
    "Lux",
    "LuxError",
    "Offline",
    "Record",
    "Unauthorized",
    "Viewer",
]
