"""Viewers: the records of some keys, kept current by a thread (`Viewer`) or a task (`AsyncViewer`).

Always true: the stream is read however slowly records are taken; a lost stream is opened again, with `since`, after
a random wait; whatever is handed out is the newest that is known of its key.

Read first: held.py, which decides; this only carries.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Any

from websockets.asyncio.client import connect as async_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from .asking import ApiKey, Reply, bearer, refusal
from .errors import Closed, LuxError, Offline, Unauthorized
from .held import Held
from .record import Record
from .retry import LASTED_S, PASSING, Backoff, retry_after

log = logging.getLogger("lux_state")

PING_S = 20.0  # a stream is asked for a sign of life this often, and given up without one in the same time
FRAME_BYTES_MAX = 64 * 1024 * 1024  # more than any broker lets a state be


def _options(api_key: ApiKey, timeout: float) -> dict[str, Any]:
    return {
        "additional_headers": bearer(api_key),
        "open_timeout": timeout,
        "close_timeout": 1.0,
        "ping_interval": PING_S,
        "ping_timeout": PING_S,
        "max_size": FRAME_BYTES_MAX,
        "compression": None,
    }


class _Fate:
    """What becomes of a stream that ended: another one after a wait, or an error for good."""

    def __init__(self, asks: bool) -> None:
        self._asks = asks  # whether there is somebody to ask for another API key
        self._backoff = Backoff()
        self._refusals = 0
        self._synced_at: float | None = None

    def synced(self) -> None:
        self._refusals = 0
        if self._synced_at is None:
            self._synced_at = time.monotonic()

    def wait_after(self, error: Exception) -> float:
        """Seconds until the next stream. Raises where trying again is no use."""
        if self._synced_at is not None and time.monotonic() - self._synced_at > LASTED_S:
            self._backoff.reset()
        self._synced_at = None
        match error:
            case InvalidStatus(response=response):
                body = (response.body or b"").decode("utf-8", "replace")
                reply = Reply(response.status_code, response.headers, body)
                if reply.status in PASSING or reply.status >= 500:
                    return self._backoff.next(retry_after(reply.headers.get("Retry-After")))
                return self._refused(refusal(reply))
            case ConnectionClosed(rcvd=closed) if closed is not None and closed.code == 4401:
                return self._refused(Unauthorized("unauthorized", closed.reason or "the API key is no longer valid", 401))
            case ConnectionClosed(rcvd=closed) if closed is not None and closed.code == 1012:
                return self._backoff.restarting()
            case ssl.SSLCertVerificationError():
                raise error  # another try finds the same certificate
            case OSError() | ConnectionClosed() | InvalidHandshake() | EOFError():
                return self._backoff.next()
        raise error

    def _refused(self, error: LuxError) -> float:
        self._refusals += 1
        if isinstance(error, Unauthorized) and self._asks and self._refusals < 3:
            return self._backoff.next()
        raise error


def _stream(endpoint: str) -> str:
    return "ws" + endpoint.removeprefix("http")


class Viewer:
    """Records as they change: iterate over it, or ask it what is there. Threads may share it."""

    def __init__(self, endpoint: str, patterns: Sequence[str], *, api_key: ApiKey, timeout: float) -> None:
        self._held = Held(patterns)
        self._endpoint = _stream(endpoint)
        self._api_key = api_key
        self._timeout = timeout
        self._told = threading.Condition()
        self._error: Exception | None = None
        self._closing = threading.Event()
        self._socket: ClientConnection | None = None
        self._thread = threading.Thread(target=self._run, name="lux-viewer", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Record]:
        """The records there are, then each change, deletions included; who is slow gets the newest of each key.
        Ends when the viewer is closed; raises if the broker refuses the API key."""
        while True:
            try:
                yield self.next()
            except Closed:
                return

    def next(self, timeout: float | None = None) -> Record:
        """The next record. Raises TimeoutError if none comes in so many seconds, Closed when closed."""
        with self._told:
            record: Record | None = None

            def is_there() -> bool:
                nonlocal record
                record = self._held.take()
                return record is not None or self._error is not None or self._closing.is_set()

            if not self._told.wait_for(is_there, timeout):
                raise TimeoutError(f"nothing changed in {timeout} s")
            if record is not None:
                return record
            if self._error is not None:
                raise self._error
            raise Closed

    def wait_synced(self, timeout: float | None = None) -> dict[str, Record]:
        """Waits until all that is watched is known, and gives it. Raises `Offline` if that takes longer."""
        with self._told:
            ready = self._told.wait_for(lambda: self._held.synced or self._error or self._closing.is_set(), timeout)
            if self._error is not None:
                raise self._error
            if self._closing.is_set():
                raise Closed
            if not ready:
                raise Offline(f"no snapshot in {timeout} s")
            return self._held.states()

    @property
    def connected(self) -> bool:
        """Whether the stream is up, and what is known therefore current."""
        return self._held.synced

    def states(self) -> dict[str, Record]:
        """The records of all watched keys that have a state, as they are known now."""
        with self._told:
            return self._held.states()

    def get(self, key: str) -> Record | None:
        """The record of a watched key, as it is known now."""
        with self._told:
            return self._held.get(key)

    def close(self) -> None:
        """Ends the stream; whoever waits is told."""
        with self._told:
            self._closing.set()
            socket = self._socket
            self._told.notify_all()
        if socket is not None:
            socket.close()
        if self._thread is not threading.current_thread():
            self._thread.join(self._timeout + 2)

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        fate = _Fate(callable(self._api_key))
        try:
            while not self._closing.is_set():
                try:
                    self._read(fate)
                except Exception as error:
                    if self._closing.is_set():
                        return
                    self._lost()
                    wait = fate.wait_after(error)
                    log.info("the stream ended (%s); the next one in %.1f s", error, wait)
                    self._closing.wait(wait)
        except Exception as error:  # for good: whoever waits for a record is told
            with self._told:
                self._error = error
                self._told.notify_all()

    def _read(self, fate: _Fate) -> None:
        with connect(self._endpoint + self._held.path(), **_options(self._api_key, self._timeout)) as socket:
            with self._told:
                self._socket = socket
                self._held.begin()
            if self._closing.is_set():
                return
            while True:
                text = socket.recv()
                with self._told:
                    if self._held.received(text if isinstance(text, str) else text.decode()):
                        self._told.notify_all()
                    if self._held.synced:
                        fate.synced()

    def _lost(self) -> None:
        with self._told:
            self._socket = None
            self._held.lost()


class AsyncViewer:
    """The same for asyncio: `async with lux.watch("device-*") as viewer:`, then `async for record in viewer`."""

    def __init__(self, endpoint: str, patterns: Sequence[str], *, api_key: ApiKey, timeout: float) -> None:
        self._held = Held(patterns)
        self._endpoint = _stream(endpoint)
        self._api_key = api_key
        self._timeout = timeout
        self._told = asyncio.Condition()
        self._error: Exception | None = None
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    async def __aiter__(self) -> AsyncIterator[Record]:
        """As `Viewer.__iter__`."""
        while True:
            try:
                yield await self.next()
            except Closed:
                return

    async def next(self, timeout: float | None = None) -> Record:
        """As `Viewer.next`."""
        try:
            return await asyncio.wait_for(self._next(), timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"nothing changed in {timeout} s") from None

    async def _next(self) -> Record:
        self.open()
        async with self._told:
            while (record := self._held.take()) is None:
                if self._error is not None:
                    raise self._error
                if self._closed:
                    raise Closed
                await self._told.wait()
            return record

    async def wait_synced(self, timeout: float | None = None) -> dict[str, Record]:
        """As `Viewer.wait_synced`."""
        self.open()

        async def ready() -> None:
            async with self._told:
                await self._told.wait_for(lambda: self._held.synced or self._error or self._closed)

        try:
            await asyncio.wait_for(ready(), timeout)
        except asyncio.TimeoutError:
            raise Offline(f"no snapshot in {timeout} s") from None
        if self._error is not None:
            raise self._error
        if self._closed:
            raise Closed
        return self._held.states()

    @property
    def connected(self) -> bool:
        """Whether the stream is up, and what is known therefore current."""
        return self._held.synced

    def states(self) -> dict[str, Record]:
        """The records of all watched keys that have a state, as they are known now."""
        return self._held.states()

    def get(self, key: str) -> Record | None:
        """The record of a watched key, as it is known now."""
        return self._held.get(key)

    def open(self) -> None:
        """Begins to watch; in a running loop. Whoever asks for a record, or enters `async with`, does so too."""
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="lux-viewer")

    async def close(self) -> None:
        """Ends the stream; whoever waits is told."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        async with self._told:
            self._told.notify_all()

    async def __aenter__(self) -> AsyncViewer:
        self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self) -> None:
        fate = _Fate(callable(self._api_key))
        try:
            while True:
                try:
                    await self._read(fate)
                except Exception as error:
                    self._held.lost()
                    wait = fate.wait_after(error)
                    log.info("the stream ended (%s); the next one in %.1f s", error, wait)
                    await asyncio.sleep(wait)
        except Exception as error:  # for good: whoever waits for a record is told
            self._error = error
            async with self._told:
                self._told.notify_all()

    async def _read(self, fate: _Fate) -> None:
        address = self._endpoint + self._held.path()
        async with async_connect(address, **_options(self._api_key, self._timeout)) as socket:
            self._held.begin()
            while True:
                text = await socket.recv()
                async with self._told:
                    if self._held.received(text if isinstance(text, str) else text.decode()):
                        self._told.notify_all()
                if self._held.synced:
                    fate.synced()
