"""A broker for current state on socketify: uWebSockets does the work, Python says what.

The best of its kind: what a viewer gets is published to a topic, so the fan-out is all C++; the answer goes out before
it; the state goes on as it came. `max_backpressure` is uWebSockets' default: a viewer with more waiting than that is
left out of what is published, so a slow one may miss the last state. Its memory is bounded by that.

usage: broker.py PORT
"""

import sys

from socketify import App, CompressOptions, OpCode

states = {}


def put(response, request):
    key = request.get_parameter(0)
    parts = []

    def more(response, chunk, is_last):
        parts.append(bytes(chunk))
        if is_last:
            state = b"".join(parts)
            states[key] = state
            response.write_status(204)
            response.end_without_body()
            app.publish(key, state, OpCode.TEXT)

    response.on_data(more)


def upgrade(response, request, context):
    response.upgrade(
        request.get_header("sec-websocket-key"),
        request.get_header("sec-websocket-protocol"),
        request.get_header("sec-websocket-extensions"),
        context,
        request.get_parameter(0),
    )


def opened(socket):
    key = socket.get_user_data()
    socket.subscribe(key)
    state = states.get(key)
    if state is not None:
        socket.send(state, OpCode.TEXT)


app = App()
app.put("/state/:key", put)
app.ws(
    "/watch/:key",
    {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 16 * 1024,
        "max_backpressure": 64 * 1024,
        # uWebSockets pings by itself well before this many seconds are over.
        "idle_timeout": 120,
        "send_pings_automatically": True,
        "upgrade": upgrade,
        "open": opened,
    },
)
app.listen({"port": int(sys.argv[1]), "host": "127.0.0.1"}, lambda config: None)
# `app.run()` would turn asyncio's loop and libuv's in turn, without rest, and use all of a processor always. Nothing here
# is asynchronous in Python's sense, so libuv's own loop does, and sleeps while there is nothing to do.
app.loop.uv_loop.run()
