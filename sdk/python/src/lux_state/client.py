"""Producers: one broker, written to and asked, from threads (`Lux`) or from asyncio (`AsyncLux`).

Always true: a call ends within `retry_for` and one `timeout`; what it raises says what became of the write, or that
nobody knows.

Read first: asking.py, which knows what requests and answers mean; this only carries them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, TypeVar

import httpx

from . import asking
from .asking import ApiKey, Ask, Reply, Tries
from .record import Record
from .retry import Backoff
from .viewer import AsyncViewer, Viewer

Answer = TypeVar("Answer")
PAGE = 1_000  # records asked for at once


def _request(http: httpx.Client | httpx.AsyncClient, endpoint: str, ask: Ask[Any], api_key: ApiKey) -> httpx.Request:
    headers = {**ask.headers, **asking.bearer(api_key)}
    return http.build_request(ask.method, f"{endpoint}{ask.path}", headers=headers, content=ask.body)


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content.decode("utf-8", "replace"))


class Lux:
    """One broker. Threads may share it. Close it, or use it in a `with`."""

    def __init__(self, url: str, *, api_key: ApiKey = None, timeout: float = 10.0, retry_for: float = 30.0) -> None:
        """`url` is the broker's, with or without `/api/lux`. `api_key` may be a function, asked for each request.

        `timeout` is for one attempt, in seconds. What passes (429, 503, a lost connection) is tried again, with
        growing random waits, for `retry_for` seconds in all.
        """
        self._endpoint = asking.endpoint_of(url)
        self._api_key = api_key
        self._timeout = timeout
        self._retry_for = retry_for
        self._http = httpx.Client(timeout=timeout)

    def put(self, key: str, data: Any, *, if_match: Record | str | None = None, create: bool = False) -> Record:
        """Makes `data` the state. With `if_match`, only if the record is still that one; with `create`, only if
        there is none. Else raises `Conflict`."""
        return self._send(asking.put(key, data, if_match, create))

    def patch(self, key: str, fields: Any, *, if_match: Record | str | None = None) -> Record:
        """Changes members: a JSON Merge Patch (RFC 7396), in which None removes one."""
        return self._send(asking.patch(key, fields, if_match))

    def delete(self, key: str, *, if_match: Record | str | None = None) -> bool:
        """Deletes the state; whether there was one."""
        return self._send(asking.delete(key, if_match))

    def get(self, key: str) -> Record | None:
        """The record; None where there is none."""
        return self._send(asking.get(key))

    def list(self, prefix: str = "") -> Iterator[Record]:
        """The records of all keys with this prefix, in the order of their keys, page by page."""
        after: str | None = None
        while True:
            page = self._send(asking.page(prefix, PAGE, after))
            yield from page.records
            if page.next is None:
                return
            after = page.next

    def watch(self, *patterns: str) -> Viewer:
        """Watches keys, or prefixes that end in `*`. Opened at once, and kept open until it is closed."""
        return Viewer(self._endpoint, patterns, api_key=self._api_key, timeout=self._timeout)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Lux:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _send(self, ask: Ask[Answer]) -> Answer:
        tries = Tries(ask, time.monotonic() + self._retry_for, time.monotonic, Backoff())
        while True:
            try:
                response = self._http.send(_request(self._http, self._endpoint, ask, self._api_key))
            except httpx.TransportError as error:
                time.sleep(tries.failed(error))
                continue
            answer, wait = tries.answered(_reply(response))
            if wait is None:
                return answer  # type: ignore[return-value]  # the pair says that it is one
            time.sleep(wait)


class AsyncLux:
    """The same for asyncio. Close it, or use it in an `async with`."""

    def __init__(self, url: str, *, api_key: ApiKey = None, timeout: float = 10.0, retry_for: float = 30.0) -> None:
        """As `Lux`."""
        self._endpoint = asking.endpoint_of(url)
        self._api_key = api_key
        self._timeout = timeout
        self._retry_for = retry_for
        self._http = httpx.AsyncClient(timeout=timeout)

    async def put(self, key: str, data: Any, *, if_match: Record | str | None = None, create: bool = False) -> Record:
        """As `Lux.put`."""
        return await self._send(asking.put(key, data, if_match, create))

    async def patch(self, key: str, fields: Any, *, if_match: Record | str | None = None) -> Record:
        """As `Lux.patch`."""
        return await self._send(asking.patch(key, fields, if_match))

    async def delete(self, key: str, *, if_match: Record | str | None = None) -> bool:
        """As `Lux.delete`."""
        return await self._send(asking.delete(key, if_match))

    async def get(self, key: str) -> Record | None:
        """As `Lux.get`."""
        return await self._send(asking.get(key))

    async def list(self, prefix: str = "") -> AsyncIterator[Record]:
        """As `Lux.list`."""
        after: str | None = None
        while True:
            page = await self._send(asking.page(prefix, PAGE, after))
            for record in page.records:
                yield record
            if page.next is None:
                return
            after = page.next

    def watch(self, *patterns: str) -> AsyncViewer:
        """As `Lux.watch`; opened by `async with`."""
        return AsyncViewer(self._endpoint, patterns, api_key=self._api_key, timeout=self._timeout)

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncLux:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, ask: Ask[Answer]) -> Answer:
        tries = Tries(ask, time.monotonic() + self._retry_for, time.monotonic, Backoff())
        while True:
            try:
                response = await self._http.send(_request(self._http, self._endpoint, ask, self._api_key))
            except httpx.TransportError as error:
                await asyncio.sleep(tries.failed(error))
                continue
            answer, wait = tries.answered(_reply(response))
            if wait is None:
                return answer  # type: ignore[return-value]  # the pair says that it is one
            await asyncio.sleep(wait)
