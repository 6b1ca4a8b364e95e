"""The real broker, started for a test, and a wire to it that can be cut.

Always true: loopback only; every broker has a state directory of its own and ends with its test.

Read first: nothing.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

API_KEY = "test_0123456789abcdef"
DEADLINE_S = 20.0
_ROOT = Path(__file__).resolve().parents[3]


def binary() -> str:
    """`LUX_BIN`, or what cargo built last here."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", _ROOT / "target"))
    built = [target / profile / "lux" for profile in ("release", "debug")]
    found = [path for path in [os.environ.get("LUX_BIN"), *map(str, built)] if path and Path(path).exists()]
    if not found:
        raise RuntimeError("no broker: run `cargo build`, or set LUX_BIN")
    return found[0]


class Broker:
    """A broker with two cores, so that keys and viewers often live on different ones."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lux-python-")
        self._lives = 0
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """On the port it had, if it had one; with a state directory of its own, so that nothing is left of before."""
        self._lives += 1
        state = Path(self._folder.name, str(self._lives))
        given = {name: value for name, value in os.environ.items() if not name.startswith("LUX_")}
        command = [binary(), "serve", "--listen", f"127.0.0.1:{self.port}", "--cores", "2", "--state-dir", str(state)]
        self._child = subprocess.Popen(command, env={**given, "LUX_API_KEY": API_KEY}, stderr=subprocess.PIPE)
        assert self._child.stderr is not None
        said = b""
        until = time.monotonic() + DEADLINE_S
        while not (found := re.search(rb"listening on http://[^:]+:(\d+)", said)):
            ready, _, _ = select.select([self._child.stderr], [], [], max(0.0, until - time.monotonic()))
            piece = os.read(self._child.stderr.fileno(), 65536) if ready else b""
            if not piece:
                raise RuntimeError(f"the broker does not start: {said.decode()}")
            said += piece
        self.port = int(found[1])
        threading.Thread(target=self._child.stderr.read, daemon=True).start()

    def kill(self) -> None:
        """Without warning; back when the port is free again."""
        self._end(signal.SIGKILL)
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", self.port))
                    return
                except OSError:
                    continue
        raise RuntimeError("the port does not come free")

    def stop(self) -> None:
        """As an operator would: viewers are told."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        self._child.send_signal(how)
        self._child.wait(DEADLINE_S)
        assert self._child.stderr is not None
        self._child.stderr.close()

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._child.poll() is None:
            self._end(signal.SIGKILL)
        self._folder.cleanup()


class Wire:
    """A relay to a broker, which can break what goes through it, or swallow an answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.opened = 0
        self.targets: list[str] = []  # of requests, as they came
        #: How many answers to swallow: the request goes through, and the connection is cut in place of the answer.
        self.swallow = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Breaks every connection; new ones go through."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                _shut(end)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _shut(self._server)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._port), DEADLINE_S)
                far.settimeout(None)
            except ConnectionRefusedError:
                near.close()
                continue
            except OSError:
                return
            self.opened += 1
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._carry, args=(far, near, False), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        try:
            while piece := source.recv(65536):
                if asks and (found := re.match(rb"[A-Z]+ (\S+) HTTP/1.1\r\n", piece)):
                    self.targets.append(found[1].decode())
                if not asks and self.swallow > 0:
                    self.swallow -= 1
                    break
                target.sendall(piece)
        except OSError:
            pass
        _shut(source)
        _shut(target)


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


def until(asked: object, what: str) -> None:
    """Asks again and again until the answer is yes."""
    assert callable(asked)
    end = time.monotonic() + DEADLINE_S
    while not asked():
        assert time.monotonic() < end, what
        time.sleep(0.01)
