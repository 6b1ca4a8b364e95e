"""What the Python producers share: one kept-alive connection to the broker, and its three verbs.

Always true: a state that could not be sent is not kept for later; the next one is newer, and only the newest is worth
anything. So a broker that was away is simply current again with the next write.
"""

import argparse
import http.client
import json
import os
import sys
import urllib.parse


class Broker:
    """One connection, opened again where it was lost."""

    def __init__(self, address, api_key):
        self.address = address
        parts = urllib.parse.urlsplit(address)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port, timeout=5)
        self.headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.said = None

    def put(self, key, state):
        """Writes the whole state. Answers whether the broker took it."""
        return self.write("PUT", key, {"data": state}, "application/json")

    def patch(self, key, patch):
        """Changes members of the state. Answers whether the broker took it."""
        return self.write("PATCH", key, patch, "application/merge-patch+json")

    def get(self, key):
        """The state, or None where there is none or nobody answers."""
        status, text = self.ask("GET", key, None, {})
        return json.loads(text)["data"] if status == 200 else None

    def write(self, method, key, body, kind):
        text = json.dumps(body, separators=(",", ":"))
        status, answer = self.ask(method, key, text, {"Content-Type": kind, "Prefer": "return=minimal"})
        if status in (401, 403):
            sys.exit(f"the broker refuses this API key: {answer}")
        taken = 200 <= status < 300
        self.say(f"writing {key} to {self.address}" if taken else f"{key} not written: {answer}")
        return taken

    def ask(self, method, key, body, fields):
        try:
            self.connection.request(method, f"/api/lux/{key}", body, {**self.headers, **fields})
            answer = self.connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            return 0, str(error)
        except KeyboardInterrupt:
            # In the middle of a request. What is said last, such as a goodbye, needs a connection that is not.
            self.connection.close()
            raise

    def say(self, news):
        """Tells of what is new, once, on standard error."""
        if news != self.said:
            print(news, file=sys.stderr, flush=True)
        self.said = news


def options(description):
    """A parser with what every producer takes: the broker's address."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--broker", default=os.environ.get("LUX_BROKER", "http://127.0.0.1:7373"))
    return parser


def broker_of(arguments):
    """The broker that the arguments name, with the API key of the environment."""
    return Broker(arguments.broker, os.environ.get("LUX_API_KEY"))


def run(main):
    """Runs a producer until it ends, or is told to with Ctrl-C."""
    try:
        main()
    except KeyboardInterrupt:
        pass
