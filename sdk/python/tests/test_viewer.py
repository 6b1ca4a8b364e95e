"""Viewers against the real broker: restarts, cuts, slow readers.

Always true: within an epoch no revision goes back, in whatever a test reads.

Read first: broker.py, conftest.py.
"""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from broker import API_KEY, DEADLINE_S, Broker, Wire, until

from lux_state import AsyncLux, Lux, Offline, Record, Unauthorized, Viewer


def wait_for(viewer: Viewer, data: object) -> list[Record]:
    """Takes records until one with this state; none of them may go back."""
    taken: list[Record] = []
    while not taken or taken[-1].data != data:
        taken.append(viewer.next(DEADLINE_S))
    for one, two in zip(taken, taken[1:]):
        assert two.key != one.key or two.epoch != one.epoch or two.rev > one.rev
    return taken


def test_what_there_is_then_each_change(lux: Lux, key: str) -> None:
    with lux.watch(key) as viewer:
        none = viewer.next(DEADLINE_S)
        assert (none.rev, none.exists, none.deleted) == (0, False, False)
        assert viewer.wait_synced(DEADLINE_S) == {}
        for n in range(5):
            lux.put(key, n)
            assert wait_for(viewer, n)
        lux.delete(key)
        gone = viewer.next(DEADLINE_S)
        assert gone.deleted and gone.rev == 6 and viewer.get(key) is None


def test_a_prefix_and_a_key_on_one_stream(lux: Lux, key: str) -> None:
    lux.put(f"{key}-a", 1)
    lux.put(f"{key}.b", 2)
    with lux.watch(f"{key}-*", f"{key}.b") as viewer:
        assert set(viewer.wait_synced(DEADLINE_S)) == {f"{key}-a", f"{key}.b"}
        lux.put(f"{key}-c", 3)
        assert [record.data for record in wait_for(viewer, 3)] == [1, 2, 3]
        with pytest.raises(TimeoutError):
            viewer.next(0.1)


def test_a_slow_reader_gets_the_newest_of_each_key(lux: Lux, key: str) -> None:
    with lux.watch(f"{key}-*") as viewer:
        viewer.wait_synced(DEADLINE_S)
        for n in range(300):
            lux.put(f"{key}-{n % 3}", n)
        until(lambda: (known := viewer.get(f"{key}-2")) is not None and known.data == 299, "it reads all the time")
        assert [viewer.next(1).data for _ in range(3)] == [297, 298, 299]
        with pytest.raises(TimeoutError):
            viewer.next(0.1)


def test_a_cut_stream_goes_on_from_what_is_known(wire: Wire, lux: Lux, key: str) -> None:
    lux.put(key, "first")
    with Lux(wire.url, api_key=API_KEY) as cut, cut.watch(key) as viewer:
        wait_for(viewer, "first")
        for n in range(3):
            viewer.wait_synced(DEADLINE_S)
            opened = wire.opened
            wire.cut()
            until(lambda: wire.opened > opened and viewer.connected, "it comes back")
            with pytest.raises(TimeoutError):
                viewer.next(0.05)  # nothing changed, and nothing is told twice
            wire.cut()
            lux.put(key, n)
            assert [record.data for record in wait_for(viewer, n)] == [n]
        since = [target for target in wire.targets if "since=" in target]
        assert len(since) >= 3


def test_a_killed_broker_is_found_again_and_what_it_lost_is_gone(mortal: Broker, key: str) -> None:
    with Lux(mortal.url, api_key=API_KEY) as lux, lux.watch(f"{key}-*") as viewer:
        for name in ("a", "b", "c"):
            lux.put(f"{key}-{name}", "before")
        until(lambda: len(viewer.states()) == 3, "all three")
        before = {viewer.next(1).key for _ in range(3)}
        mortal.kill()
        until(lambda: not viewer.connected, "it notices")
        assert len(viewer.states()) == 3, "what was known is still known"
        mortal.start()
        lux.put(f"{key}-b", "after")
        until(lambda: set(viewer.states()) == {f"{key}-b"} and viewer.connected, "only what was seen again stays")
        told: dict[str, Record] = {}
        while len(told) < 3:
            record = viewer.next(DEADLINE_S)
            told[record.key] = record
        assert set(told) == before
        assert told[f"{key}-a"].deleted and told[f"{key}-c"].deleted
        assert told[f"{key}-b"].data == "after" and told[f"{key}-b"].rev == 1, "a new epoch counts anew"


def test_one_key_over_a_kill_and_a_restart(mortal: Broker, key: str) -> None:
    with Lux(mortal.url, api_key=API_KEY) as lux, lux.watch(key) as viewer:
        for n in range(1, 4):
            lux.put(key, n)
        wait_for(viewer, 3)
        mortal.kill()
        mortal.start()
        none = viewer.next(DEADLINE_S)
        assert (none.rev, none.exists) == (0, False)
        lux.put(key, 4)
        wait_for(viewer, 4)
        mortal.stop()
        mortal.start()
        lux.put(key, 5)
        wait_for(viewer, 5)


def test_many_cuts_under_load_end_on_the_newest(wire: Wire, lux: Lux, key: str) -> None:
    with Lux(wire.url, api_key=API_KEY) as cut, cut.watch(f"{key}-*") as viewer:
        over = threading.Event()

        def write() -> None:
            with Lux(lux._endpoint, api_key=API_KEY) as writer:
                for n in range(400):
                    writer.put(f"{key}-{n % 4}", n)
            over.set()

        writing = threading.Thread(target=write)
        writing.start()
        newest: dict[str, Record] = {}
        last = time.monotonic()
        while not over.is_set() or any(newest.get(f"{key}-{n}", None) is None or newest[f"{key}-{n}"].data != 396 + n for n in range(4)):
            record = viewer.next(DEADLINE_S)
            known = newest.get(record.key)
            assert known is None or record.rev > known.rev, (known, record)
            newest[record.key] = record
            if time.monotonic() - last > 0.1:
                last = time.monotonic()
                wire.cut()
        writing.join()
        assert wire.opened > 1


def test_a_refused_api_key_ends_it_and_one_that_is_found_later_does_not(broker: Broker, lux: Lux, key: str) -> None:
    with Lux(broker.url, api_key="wrong_0123456789abcdef") as stranger, stranger.watch(key) as viewer:
        with pytest.raises(Unauthorized):
            viewer.next(DEADLINE_S)
        with pytest.raises(Unauthorized):
            viewer.wait_synced(DEADLINE_S)
    keys = ["wrong_0123456789abcdef", API_KEY]
    lux.put(key, 1)
    with Lux(broker.url, api_key=lambda: keys.pop(0) if len(keys) > 1 else keys[0]) as finder, finder.watch(key) as viewer:
        wait_for(viewer, 1)


def test_closing_ends_whoever_waits(lux: Lux, key: str) -> None:
    viewer = lux.watch(key)
    viewer.next(DEADLINE_S)
    taken: list[Record] = []
    waiting = threading.Thread(target=lambda: taken.extend(viewer))
    waiting.start()
    viewer.close()
    waiting.join(DEADLINE_S)
    assert not waiting.is_alive() and taken == []
    viewer.close()


def test_no_broker_is_no_error_until_somebody_waits(key: str) -> None:
    with Lux("http://127.0.0.1:9") as lux, lux.watch(key) as viewer:
        with pytest.raises(Offline):
            viewer.wait_synced(0.2)
        with pytest.raises(TimeoutError):
            viewer.next(0.2)
        assert not viewer.connected


def test_nothing_to_watch_is_said_at_once(lux: Lux) -> None:
    for wrong in ((), ("a b",), ("_a*",)):
        with pytest.raises(ValueError):
            lux.watch(*wrong)


def test_the_same_with_asyncio(broker: Broker, wire: Wire, lux: Lux, key: str) -> None:
    async def run() -> None:
        async with AsyncLux(wire.url, api_key=API_KEY) as client:
            await client.put(f"{key}-a", 1)
            async with client.watch(f"{key}-*") as viewer:
                assert set(await viewer.wait_synced(DEADLINE_S)) == {f"{key}-a"}
                assert (await viewer.next(DEADLINE_S)).data == 1
                with pytest.raises(TimeoutError):
                    await viewer.next(0.1)
                opened = wire.opened
                wire.cut()
                for n in range(100):
                    await asyncio.to_thread(lux.put, f"{key}-b", n)
                newest = -1
                async for record in viewer:
                    assert record.key == f"{key}-b" and record.data > newest
                    newest = record.data
                    if newest == 99:
                        break
                assert wire.opened > opened
                await asyncio.to_thread(lux.delete, f"{key}-a")
                gone = await viewer.next(DEADLINE_S)
                assert gone.deleted and viewer.get(f"{key}-a") is None and viewer.connected
                waiting = asyncio.create_task(_all(viewer))
                await asyncio.sleep(0)
            assert await asyncio.wait_for(waiting, DEADLINE_S) == []

    async def _all(viewer: object) -> list[Record]:
        return [record async for record in viewer]  # type: ignore[attr-defined]

    asyncio.run(run())


def test_asyncio_over_a_kill(mortal: Broker, key: str) -> None:
    async def run() -> None:
        async with AsyncLux(mortal.url, api_key=API_KEY) as lux, lux.watch(key) as viewer:
            await lux.put(key, "before")
            while (await viewer.next(DEADLINE_S)).data != "before":
                pass
            await asyncio.to_thread(mortal.kill)
            await asyncio.to_thread(mortal.start)
            await lux.put(key, "after")
            while (await viewer.next(DEADLINE_S)).data != "after":
                pass

    asyncio.run(run())


def test_asyncio_with_a_refused_api_key(broker: Broker, key: str) -> None:
    async def run() -> None:
        async with AsyncLux(broker.url, api_key="wrong_0123456789abcdef") as lux, lux.watch(key) as viewer:
            with pytest.raises(Unauthorized):
                await viewer.next(DEADLINE_S)

    asyncio.run(run())
