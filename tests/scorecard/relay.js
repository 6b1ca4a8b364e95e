// A relay that stands between broker and viewers and loses some of their WebSocket frames: a broken broker, as a viewer sees it.
//
// Always true: HTTP passes untouched; of the frames only whole records are lost, so that every stream stays well-formed. A real
// broker never does this. It is here to show that the scorecard would notice.
// Read first: RFC 6455, section 5.2.

import { connect, createServer } from 'node:net';

const TEXT = 1;

/** Starts a relay to `to` that loses each `every`th record on its way to viewers; 1 loses all after the snapshot. */
export async function startRelay(to, every) {
  const { hostname, port } = new URL(to);
  const sockets = new Set();
  let lost = 0;
  const server = createServer((viewer) => {
    const broker = connect(Number(port), hostname);
    const sieve = new Sieve(every, () => { lost += 1; });
    for (const socket of [viewer, broker]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {}).on('close', () => (viewer.destroy(), broker.destroy(), sockets.delete(socket)));
    }
    viewer.on('data', (bytes) => broker.write(bytes));
    broker.on('data', (bytes) => viewer.write(sieve.pass(bytes)));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => (server.close(), sockets.forEach((socket) => socket.destroy()));
  return { address: `http://127.0.0.1:${server.address().port}`, lost: () => lost, close };
}

/** What of one connection's bytes goes on: all of HTTP; of a WebSocket, frames, but for some of the records behind `synced`. */
class Sieve {
  #kind = 'unknown';
  #held = Buffer.alloc(0);
  #isSynced = false;
  #records = 0;

  constructor(every, onLost) {
    Object.assign(this, { every, onLost });
  }

  pass(bytes) {
    if (this.#kind === 'http') return bytes;
    this.#held = Buffer.concat([this.#held, bytes]);
    const out = [];
    if (this.#kind === 'unknown') {
      if (!this.#held.toString('latin1').startsWith('HTTP/1.1 101')) {
        this.#kind = 'http';
        return this.#held;
      }
      const end = this.#held.indexOf('\r\n\r\n');
      if (end < 0) return Buffer.alloc(0);
      this.#kind = 'frames';
      out.push(this.#held.subarray(0, end + 4));
      this.#held = this.#held.subarray(end + 4);
    }
    for (let frame; (frame = this.#frame());) if (!this.#isLost(frame)) out.push(frame.bytes);
    return Buffer.concat(out);
  }

  #frame() {
    if (this.#held.length < 2) return null;
    const short = this.#held[1] & 127;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (this.#held.length < head) return null;
    const size = short < 126 ? short : short === 126 ? this.#held.readUInt16BE(2) : Number(this.#held.readBigUInt64BE(2));
    if (this.#held.length < head + size) return null;
    const bytes = this.#held.subarray(0, head + size);
    this.#held = this.#held.subarray(head + size);
    return { opcode: bytes[0] & 15, bytes, text: bytes.subarray(head).toString() };
  }

  #isLost({ opcode, text }) {
    if (opcode !== TEXT) return false;
    if (text.startsWith('{"synced"')) this.#isSynced = true;
    if (!this.#isSynced || !text.startsWith('{"key"')) return false;
    this.#records += 1;
    if (this.#records % this.every !== 0) return false;
    this.onLost();
    return true;
  }
}
