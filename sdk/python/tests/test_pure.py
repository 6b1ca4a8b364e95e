"""What needs no network: jitter, `Retry-After`, and what is held of frames in any order.

Always true: chance and time are what the test says.

Read first: held.py, retry.py.
"""

from __future__ import annotations

import json
import random
from datetime import datetime, timezone

import pytest

from lux_state.held import Held
from lux_state.retry import Backoff, retry_after


def frame(key: str, rev: int, data: object, **more: object) -> str:
    return json.dumps({"key": key, "rev": rev, "updatedAt": rev, "data": data, **more})


def synced(epoch: str) -> str:
    return json.dumps({"synced": True, "epoch": epoch})


def told(held: Held) -> list[tuple[str, int, object, bool]]:
    taken = []
    while (record := held.take()) is not None:
        taken.append((record.key, record.rev, record.data, record.deleted))
    return taken


def hear(held: Held, *frames: str) -> None:
    for text in frames:
        held.received(text)


def test_delays_are_drawn_from_nothing_to_a_bound_that_doubles() -> None:
    longest = Backoff(lambda: 1.0)
    assert [longest.next() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    shortest = Backoff(lambda: 0.0)
    assert [shortest.next() for _ in range(5)] == [0] * 5
    longest.reset()
    assert longest.next(retry_after=7) == 7.5
    assert Backoff(lambda: 0.5).restarting() == 1.5


def test_retry_after_in_both_forms() -> None:
    now = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)
    assert retry_after("120") == 120
    assert retry_after("Sun, 22 Nov 2026 12:00:30 GMT", now) == 30
    assert retry_after("Sun, 22 Nov 2026 11:00:00 GMT", now) == 0
    assert [retry_after(text) for text in (None, "", "soon", "-1")] == [None] * 4


def test_an_older_revision_never_wins_within_an_epoch() -> None:
    held = Held(["*"])
    held.begin()
    hear(held, frame("a", 3, "three"), synced("e"), frame("a", 5, "five"), frame("a", 4, "late"))
    assert told(held) == [("a", 5, "five", False)]
    held.begin()
    hear(held, frame("a", 4, "lags"), synced("e"))
    assert told(held) == []
    held.begin()
    hear(held, frame("a", 1, "anew"), synced("another"))
    assert told(held) == [("a", 1, "anew", False)]


def test_a_snapshot_that_broke_off_counts_for_nothing() -> None:
    held = Held(["*"])
    held.begin()
    hear(held, frame("a", 1, 1), frame("b", 1, 1), synced("e"))
    held.begin()
    hear(held, frame("a", 50, "broken off"))
    held.begin()
    hear(held, frame("a", 2, 2), frame("b", 1, 1), synced("e"))
    assert told(held) == [("a", 2, 2, False), ("b", 1, 1, False)]


def test_what_a_snapshot_leaves_out_is_gone_unless_since_left_it_out() -> None:
    many = Held(["a*"])
    many.begin()
    hear(many, frame("a1", 7, 7), frame("a2", 8, 8), synced("e"))
    told(many)
    many.begin()
    hear(many, frame("a2", 8, 8), synced("e"))
    assert told(many) == [("a1", 7, None, True)]
    assert set(many.states()) == {"a2"}
    one = Held(["a"])
    one.begin()
    hear(one, frame("a", 7, 7), synced("e"))
    told(one)
    assert one.path() == "/stream/a?since=e.7"
    one.begin()
    hear(one, synced("e"))
    assert told(one) == [] and set(one.states()) == {"a"}


def test_deletions_have_revisions_too() -> None:
    held = Held(["a"])
    held.begin()
    hear(held, frame("a", 3, None, deleted=True), synced("e"), frame("a", 2, "late"))
    assert told(held) == [("a", 3, None, True)] and held.get("a") is None
    hear(held, frame("a", 4, "again"))
    assert held.get("a") is not None


@pytest.mark.parametrize("seed", range(50))
def test_whatever_the_order_of_streams_it_ends_on_the_newest(seed: int) -> None:
    chance = random.Random(seed)
    broker: dict[str, tuple[int, object]] = {}
    revs: dict[str, int] = {}
    held = Held(["*"])
    seen: dict[str, int] = {}

    def snapshot(break_off: bool) -> None:
        held.begin()
        frames = [frame(key, rev, data) for key, (rev, data) in broker.items()]
        if break_off:
            return hear(held, *frames[: chance.randrange(len(frames) + 1)])
        hear(held, *frames, synced("e"))

    snapshot(False)
    for _ in range(chance.randrange(200)):
        key = chance.choice("abc")
        match chance.randrange(6):
            case 0:
                snapshot(True)
                snapshot(False)
            case 1 if key in broker:
                revs[key] += 1
                del broker[key]
                hear(held, frame(key, revs[key], None, deleted=True))
            case 2:
                record = held.take()
                if record is not None and not (record.deleted and record.rev == seen.get(record.key)):
                    assert record.rev > seen.get(record.key, 0)
                    seen[record.key] = record.rev
            case _:
                revs[key] = revs.get(key, 0) + 1
                broker[key] = (revs[key], chance.random())
                hear(held, frame(key, *broker[key]))
    assert {key: (record.rev, record.data) for key, record in held.states().items()} == broker
