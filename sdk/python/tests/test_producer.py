"""Producers against the real broker, and against networks that lose answers.

Always true: what is asserted is what stands in the broker afterwards.

Read first: broker.py, conftest.py.
"""

from __future__ import annotations

import asyncio
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from broker import API_KEY, Broker, Wire

from lux_state import AsyncLux, Conflict, Lux, LuxError, Offline, Unauthorized


def test_the_life_of_a_state(lux: Lux, key: str) -> None:
    assert lux.get(key) is None
    first = lux.put(key, {"n": 1, "text": "é ☃ </script>"})
    assert (first.rev, first.exists, first.data) == (1, True, {"n": 1, "text": "é ☃ </script>"})
    patched = lux.patch(key, {"n": 2, "text": None})
    assert (patched.rev, patched.data) == (2, {"n": 2})
    assert lux.get(key) == patched
    assert lux.delete(key)
    assert not lux.delete(key)
    assert lux.get(key) is None


@pytest.mark.parametrize("data", [None, True, 0, -1.5, 2**60, "", [], {}, {"a": [None, {"b": []}]}])
def test_any_json_is_a_state(lux: Lux, data: object) -> None:
    lux.put("any-json", data)
    found = lux.get("any-json")
    assert found is not None and found.exists and found.data == data


def test_what_is_no_json_or_no_key_never_leaves(lux: Lux, key: str) -> None:
    for wrong in (float("nan"), float("inf"), object()):
        with pytest.raises((ValueError, TypeError)):
            lux.put(key, wrong)
    for name in ("", "stream", "_a", "..", "a b", "a/b", "a\n", "x" * 129):
        with pytest.raises(ValueError, match="is no key"):
            lux.get(name)


def test_only_if_nobody_was_faster(lux: Lux, key: str) -> None:
    mine = lux.put(key, 1, create=True)
    with pytest.raises(Conflict) as taken:
        lux.put(key, 2, create=True)
    assert taken.value.record == mine
    theirs = lux.put(key, "theirs")
    with pytest.raises(Conflict) as late:
        lux.put(key, 3, if_match=mine)
    assert (late.value.record, late.value.status) == (theirs, 412)
    with pytest.raises(Conflict) as late:
        lux.patch(key, {"a": 1}, if_match=mine.etag)
    assert late.value.record == theirs
    with pytest.raises(Conflict) as late:
        lux.delete(key, if_match=mine)
    assert late.value.record == theirs
    assert lux.put(key, 4, if_match=theirs).rev == 3
    assert lux.delete(key, if_match=f'"{theirs.epoch}.3"')


def test_a_prefix_is_listed_page_by_page(lux: Lux) -> None:
    keys = [f"page-{n:03}" for n in range(25)]
    for name in keys:
        lux.put(name, name)
    lux.put("pagf", 1)
    import lux_state.client as client

    whole, client.PAGE = client.PAGE, 10
    try:
        assert [record.key for record in lux.list("page-")] == keys
    finally:
        client.PAGE = whole
    assert [record.data for record in lux.list("page-00")] == keys[:10]
    assert list(lux.list("nothing-")) == []


def test_refusals_have_the_brokers_words(broker: Broker, lux: Lux, key: str) -> None:
    with Lux(broker.url, api_key="wrong_0123456789abcdef") as stranger, pytest.raises(Unauthorized) as refused:
        stranger.put(key, 1)
    assert (refused.value.status, refused.value.code) == (401, "unauthorized")
    with pytest.raises(LuxError) as large:
        lux.put(key, "x" * 300_000)
    assert (large.value.status, large.value.code) == (413, "too_large")


def test_an_api_key_may_be_a_function(broker: Broker, key: str) -> None:
    asked = []

    def api_key() -> str:
        asked.append(1)
        return API_KEY

    with Lux(f"{broker.url}/api/lux/", api_key=api_key) as lux:
        lux.put(key, 1)
        assert lux.get(key) is not None
    assert len(asked) == 2


def test_a_lost_answer_is_no_conflict(wire: Wire, key: str) -> None:
    with Lux(wire.url, api_key=API_KEY) as lux:
        first = lux.put(key, 1)
        wire.swallow = 1
        second = lux.put(key, {"n": 2}, if_match=first)
        assert second.rev == 2, "it was taken once, and found again"
        wire.swallow = 1
        assert lux.delete(key), "deleted by the attempt whose answer was lost"
        assert wire.swallow == 0


def test_a_cut_before_the_request_is_tried_again(wire: Wire, key: str) -> None:
    with Lux(wire.url, api_key=API_KEY) as lux:
        lux.put(key, 1)
        for n in range(5):
            wire.cut()
            assert lux.put(key, n).data == n


def test_a_broker_that_comes_back_is_written_to(mortal: Broker, key: str) -> None:
    with Lux(mortal.url, api_key=API_KEY) as lux:
        lux.put(key, 1)
        mortal.kill()
        back = threading.Timer(0.5, mortal.start)
        back.start()
        assert lux.put(key, 2).data == 2
        back.join()
        found = lux.get(key)
        assert found is not None and found.data == 2


def test_one_that_does_not_is_given_up_in_time(key: str) -> None:
    begun = time.monotonic()
    with Lux("http://127.0.0.1:9", retry_for=1.0) as lux, pytest.raises(Offline):
        lux.put(key, 1)
    assert time.monotonic() - begun < 5


class Busy(BaseHTTPRequestHandler):
    """A gate in front of a broker that is too busy for the first requests."""

    refusals: list[tuple[int, str | None]] = []
    times: list[float] = []

    def do_PUT(self) -> None:
        Busy.times.append(time.monotonic())
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert body == b'{"data":1}'
        status, after = Busy.refusals.pop(0) if Busy.refusals else (201, None)
        text = b'{"key":"busy","rev":1,"updatedAt":1,"data":1}' if status == 201 else b'{"error":"busy","message":"later"}'
        self.send_response(status)
        if after is not None:
            self.send_header("Retry-After", after)
        self.send_header("ETag", '"epoch.1"')
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def busy() -> str:
    server = HTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Busy.times = []
    return f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(busy: str, status: int) -> None:
    Busy.refusals = [(status, "1"), (status, None)]
    with Lux(busy) as lux:
        assert lux.put("busy", 1).etag == '"epoch.1"'
    first, second, _ = Busy.times
    assert second - first >= 1.0


def test_what_lasts_too_long_is_not_waited_for(busy: str) -> None:
    Busy.refusals = [(503, "3600")]
    begun = time.monotonic()
    with Lux(busy) as lux, pytest.raises(LuxError, match="later") as refused:
        lux.put("busy", 1)
    assert refused.value.status == 503 and time.monotonic() - begun < 5


def test_the_same_with_asyncio(broker: Broker, key: str) -> None:
    async def run() -> None:
        async with AsyncLux(broker.url, api_key=API_KEY) as lux:
            first = await lux.put(key, {"n": 1})
            await asyncio.gather(*(lux.patch(key, {f"m{n}": n}) for n in range(20)))
            found = await lux.get(key)
            assert found is not None and found.data == {"n": 1, **{f"m{n}": n for n in range(20)}}
            with pytest.raises(Conflict):
                await lux.put(key, 0, if_match=first)
            assert [record.key async for record in lux.list(key)] == [key]
            assert await lux.delete(key)

    asyncio.run(run())
