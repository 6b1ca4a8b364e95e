"""Requests and what their answers mean, without a network.

Always true: what an attempt that lost its answer may have done is not taken for somebody else's doing.

Read first: record.py, errors.py, retry.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

from .errors import Conflict, LuxError, Offline, Unauthorized
from .record import Record, record_of
from .retry import PASSING, Backoff, retry_after

ApiKey = str | Callable[[], str] | None
Answer = TypeVar("Answer")

_KEY = re.compile(r"(?!_|stream\Z|\.{1,2}\Z)[A-Za-z0-9._~:-]{1,128}")
_ETAG = re.compile(r'(?:W/)?"([^".]+)\.\d+"')


def checked_key(key: str) -> str:
    """The key, or a ValueError that says what a key is."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no key: 1-128 of A-Z a-z 0-9 . _ ~ : - , not reserved, no _ at its start")
    return key


def endpoint_of(url: str) -> str:
    """The broker's `/api/lux`, whether it was named or only the broker."""
    base = url.rstrip("/")
    return base if base.endswith("/api/lux") else f"{base}/api/lux"


def bearer(api_key: ApiKey) -> dict[str, str]:
    """The API key as a header. A function is asked each time."""
    known = api_key() if callable(api_key) else api_key
    return {"Authorization": f"Bearer {known}"} if known else {}


@dataclass(frozen=True)
class Reply:
    """What came back, whoever carried it."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Ask(Generic[Answer]):
    """A request, and how its answer is read: the second argument says whether an earlier answer was lost."""

    method: str
    path: str
    read: Callable[[Reply, bool], Answer]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None


def get(key: str) -> Ask[Record | None]:
    return Ask("GET", f"/{quote(checked_key(key))}", lambda reply, _: _read_record(reply, {200}, or_none=True))


def put(key: str, data: Any, if_match: Record | str | None, create: bool) -> Ask[Record]:
    body = _json({"data": data})

    def read(reply: Reply, lost: bool) -> Record:
        return _written(reply, lambda now: lost and now.exists and now.data == data)

    headers = {"Content-Type": "application/json", **_condition(if_match, create)}
    return Ask("PUT", f"/{quote(checked_key(key))}", read, headers, body)


def patch(key: str, fields: Any, if_match: Record | str | None) -> Ask[Record]:
    headers = {"Content-Type": "application/merge-patch+json", **_condition(if_match, False)}
    path = f"/{quote(checked_key(key))}"
    return Ask("PATCH", path, lambda reply, _: _written(reply, lambda _: False), headers, _json(fields))


def delete(key: str, if_match: Record | str | None) -> Ask[bool]:
    def read(reply: Reply, lost: bool) -> bool:
        if reply.status == 404 and _error(reply).code != "http":
            return lost  # by the attempt whose answer never came
        if reply.status == 204:
            return True
        if reply.status == 412:
            raise _conflict(reply)
        raise refusal(reply)

    return Ask("DELETE", f"/{quote(checked_key(key))}", read, _condition(if_match, False))


@dataclass(frozen=True)
class Page:
    records: list[Record]
    next: str | None


def page(prefix: str, limit: int, after: str | None) -> Ask[Page]:
    def read(reply: Reply, _: bool) -> Page:
        if reply.status != 200:
            raise refusal(reply)
        body = parsed(reply.text)
        if not isinstance(body, dict) or not isinstance(body.get("records"), list):
            raise LuxError("http", "this answer is no broker's", reply.status)
        records = [record_of(value, body.get("epoch")) for value in body["records"]]
        return Page([record for record in records if record], body.get("next"))

    query = {"prefix": prefix, "limit": str(limit), **({"after": after} if after else {})}
    return Ask("GET", f"?{urlencode(query)}", read)


class Tries(Generic[Answer]):
    """The attempts at one request: each either ends it, or says after how many seconds the next one is due."""

    def __init__(self, ask: Ask[Answer], until: float, clock: Callable[[], float], backoff: Backoff) -> None:
        self._ask = ask
        self._until = until
        self._clock = clock
        self._backoff = backoff
        self._lost = False

    def answered(self, reply: Reply) -> tuple[Answer, None] | tuple[None, float]:
        """The answer, or the wait before another attempt. Raises what the broker refused."""
        if reply.status in PASSING:
            wait = self._backoff.next(retry_after(reply.headers.get("Retry-After")))
            if self._clock() + wait <= self._until:
                self._lost = self._lost or reply.status in (502, 504)  # a proxy gave up; the broker may not have
                return None, wait
        return self._ask.read(reply, self._lost), None

    def failed(self, error: Exception) -> float:
        """No answer came: the wait before another attempt, or `Offline`."""
        self._lost = True
        wait = self._backoff.next()
        if self._clock() + wait > self._until:
            raise Offline(f"the broker cannot be reached: {error or type(error).__name__}") from error
        return wait


def _condition(if_match: Record | str | None, create: bool) -> dict[str, str]:
    if create or (isinstance(if_match, Record) and not if_match.exists):
        return {"If-None-Match": "*"}
    if if_match is None:
        return {}
    return {"If-Match": if_match.etag if isinstance(if_match, Record) else if_match}


def _written(reply: Reply, is_ours: Callable[[Record], bool]) -> Record:
    if reply.status != 412:
        written = _read_record(reply, {200, 201})
        if written is None:
            raise LuxError("http", "this answer is no broker's", reply.status)
        return written
    now = _record(reply)
    if now is not None and is_ours(now):
        return now
    raise _conflict(reply)


def _conflict(reply: Reply) -> Conflict:
    now = _record(reply)
    return Conflict(str(_error(reply)) if now is None else "the state has changed meanwhile", now)


def _read_record(reply: Reply, good: set[int], or_none: bool = False) -> Record | None:
    record = _record(reply)
    if reply.status in good and record is not None:
        return record
    error = refusal(reply)
    if or_none and reply.status == 404 and error.code != "http":
        return None
    raise error


def _record(reply: Reply) -> Record | None:
    etag = _ETAG.fullmatch(reply.headers.get("ETag", ""))
    return record_of(parsed(reply.text), etag[1] if etag else None)


def _error(reply: Reply) -> LuxError:
    body = parsed(reply.text)
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return LuxError(body["error"], str(body.get("message", body["error"])), reply.status)
    return LuxError("http", f"the broker answered {reply.status}", reply.status)


def refusal(reply: Reply) -> LuxError:
    """What an answer that is no success says, in the broker's words where it spoke."""
    error = _error(reply)
    return Unauthorized(error.code, str(error), error.status) if reply.status in (401, 403) else error



def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def parsed(text: str) -> Any:
    """What JSON says; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None
