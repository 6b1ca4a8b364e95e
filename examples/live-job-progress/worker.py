#!/usr/bin/env python3
"""A job that really works through files: it reads every file below a folder, indexes its words, and writes how far it is.

Always true: what is counted as done was read. Progress is written a few times a second and not for each file, since only the
newest is worth anything; the end is always written. What cannot be read as text is rejected, and counted.

usage: LUX_API_KEY=… ./worker.py --folder ../../docs [--name index-docs] [--files-per-second 20] [--once]
"""

import collections
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "shared"))
from lux_producer import broker_of, options, run  # noqa: E402

WORD = re.compile(r"[^\W\d_]{3,}")
TELL_SECONDS = 0.2


class Job:
    """One pass over a folder."""

    def __init__(self, broker, name, folder):
        self.broker, self.name, self.folder = broker, name, folder
        self.files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.done = self.rejected = self.bytes = 0
        self.words = collections.Counter()
        self.current, self.began, self.told = "", time.monotonic(), 0.0

    def index(self, path):
        content = path.read_bytes()
        self.bytes += len(content)
        try:
            self.words.update(word.lower() for word in WORD.findall(content.decode("utf-8")))
        except UnicodeDecodeError:
            self.rejected += 1

    def tell(self, status):
        total = len(self.files)
        percent = 100 * self.done // total if total else 100
        self.broker.put(f"job-{self.name}", {
            "summary": f"{self.name} {percent}% {self.done} of {total} files",
            "source": self.folder.name,
            "status": status,
            "progress_percent": percent,
            "files_done": self.done,
            "files_total": total,
            "files_rejected": self.rejected,
            "bytes_done": self.bytes,
            "rate_per_second": round(self.done / max(0.001, time.monotonic() - self.began), 1),
            "current": self.current,
            "words_most_used": [word for word, _ in self.words.most_common(5)],
        })

    def go(self, pause):
        for path in self.files:
            self.current = str(path.relative_to(self.folder))
            self.index(path)
            self.done += 1
            if time.monotonic() - self.told > TELL_SECONDS:
                self.told = time.monotonic()
                self.tell("running")
            time.sleep(pause)
        self.tell("done")


def main():
    parser = options("Indexes the files below a folder, and writes how far it is.")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--name", default="index-docs")
    parser.add_argument("--files-per-second", type=float, default=20.0, help="go no faster than this, so that people can look on")
    parser.add_argument("--once", action="store_true", help="end after one pass")
    arguments = parser.parse_args()
    broker = broker_of(arguments)
    while True:
        Job(broker, arguments.name, arguments.folder.resolve()).go(1 / arguments.files_per_second)
        if arguments.once:
            return
        time.sleep(5)


if __name__ == "__main__":
    run(main)
