"""The README's examples, as written, against the real broker.

Always true: only the broker's address and API key are put in.

Read first: ../README.md.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from broker import API_KEY, Broker

from lux_state import Lux, Record, Viewer

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)


def run(number: int, broker: Broker) -> None:
    text = EXAMPLES[number].replace("http://127.0.0.1:7373", broker.url).replace("lux_…", API_KEY)
    exec(compile(text, f"README example {number}", "exec"), {"__name__": "readme"})


def test_a_producer(broker: Broker, lux: Lux, capsys: pytest.CaptureFixture[str]) -> None:
    run(0, broker)
    assert "somebody was faster: Record(key='dashboard-main'" in capsys.readouterr().out
    found = lux.get("dashboard-main")
    assert found is not None and found.data == {"orders_per_second": 43}


def test_a_viewer(broker: Broker, lux: Lux, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lux.put("device-readme", {"n": 1})
    take = Viewer.next

    def next_or_end(viewer: Viewer, timeout: float | None = None) -> Record:
        record = take(viewer, timeout)
        if record.deleted:
            threading.Thread(target=viewer.close).start()  # the example goes on for ever
        elif record.key == "device-readme":
            lux.delete("device-readme")
        return record

    monkeypatch.setattr(Viewer, "next", next_or_end)
    run(1, broker)
    said = capsys.readouterr().out
    assert "1 devices" in said and "device-readme {'n': 1}" in said and "device-readme is gone" in said
