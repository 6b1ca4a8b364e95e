"""What tests share: one broker for those that leave it running, and a key of one's own for each.

Always true: a test that stops its broker has one to itself (`mortal`).

Read first: broker.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from broker import API_KEY, Broker, Wire

from lux_state import Lux, retry


@pytest.fixture(autouse=True)
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays a tenth as long, so that tests which lose many streams end soon."""
    if "test_pure" not in str(request.node.path):
        monkeypatch.setattr(retry, "FIRST_S", 0.05)
        monkeypatch.setattr(retry, "RESTART_SPREAD_S", 0.3)


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def mortal() -> Iterator[Broker]:
    with Broker() as running:
        yield running


@pytest.fixture
def lux(broker: Broker) -> Iterator[Lux]:
    with Lux(broker.url, api_key=API_KEY) as client:
        yield client


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    with Wire(broker.port) as between:
        yield between


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return str(request.node.name).replace("[", "-").replace("]", "").replace("_", "-")
