// What `lux()` does with the page around it: addresses, keys, listeners, storage and page events.
//
// Always true: no network; the broker is played by the test.
//
// Read first: help/page.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventReader, lux } from '../lux.js';
import { MemoryStorage, openPage, settled } from './help/page.js';

const API_KEY = 'lux_0123456789abcdef';
const record = (rev, data, more = {}) => ({ key: 'dashboard-main', rev, updatedAt: rev, data, ...more });

/** Loads, and lets the broker answer over the socket. */
async function loadLive(at, listener, snapshot = record(1, { n: 1 }), epoch = 'a') {
  const loaded = at.session.load(listener);
  await settled();
  at.socket.onopen({});
  at.socket.say(snapshot, { synced: true, epoch });
  return loaded;
}

test('the API key travels beside the address, never in it', async () => {
  const at = openPage({ apiKey: API_KEY });
  await loadLive(at);
  at.session.save({ n: 2 });
  at.clock.pass(100);
  await settled();
  assert.equal(at.socket.url, 'ws://broker.test/api/lux/stream/dashboard-main');
  assert.deepEqual(at.socket.protocols, ['lux.v1', `lux.key.${API_KEY}`]);
  assert.equal(at.request.url, 'http://broker.test/api/lux/dashboard-main');
  assert.equal(at.request.headers.Authorization, `Bearer ${API_KEY}`);
});

test('without an API key no subprotocol is asked for, since a browser insists on an answer to it', async () => {
  const at = openPage();
  at.session.load();
  await settled();
  assert.equal(at.socket.protocols, undefined);
});

test('the stream address given is used, with what is known added', async () => {
  const storage = new MemoryStorage();
  storage.setItem('lux:http://broker.test/api/lux/dashboard-main', JSON.stringify({ epoch: 'a', record: record(7, 7) }));
  const at = openPage({ storage, websocketUrl: 'wss://stream.test/api/lux/stream/dashboard-main?zone=1' });
  at.session.load();
  await settled();
  assert.equal(at.socket.url, 'wss://stream.test/api/lux/stream/dashboard-main?zone=1&since=a.7');
});

test('the same address carries events where there is no WebSocket', async () => {
  const at = openPage({ apiKey: API_KEY, WebSocket: null, endpoint: 'https://broker.test/api/lux/' });
  const loaded = at.session.load();
  await settled();
  assert.equal(at.request.url, 'https://broker.test/api/lux/stream/dashboard-main');
  assert.equal(at.request.headers.Accept, 'text/event-stream');
  assert.equal(at.request.headers.Authorization, `Bearer ${API_KEY}`);
  const body = new ReadableStream({
    start(controller) {
      const snapshot = `id: a.1\ndata: ${JSON.stringify(record(1, 'ünï'))}\n\n`;
      const text = `${snapshot}event: synced\ndata: {"synced":true,"epoch":"a"}\n\n`;
      for (const byte of new TextEncoder().encode(text)) controller.enqueue(new Uint8Array([byte]));
    },
  });
  at.request.answer(200, body, { 'Content-Type': 'text/event-stream' });
  const { state, meta } = await loaded;
  assert.deepEqual([state, meta.rev, meta.epoch, meta.connected], ['ünï', 1, 'a', true]);
});

test('an event stream reads the same, cut anywhere', () => {
  const text = ': hello\r\n\r\nid: a.1\r\ndata: {"a":\r\ndata:1}\r\n\r\nevent: synced\ndata: {}\n\n: \n\nid: only\n\n';
  for (let cut = 0; cut <= text.length; cut += 1) {
    const seen = [];
    const take = eventReader((data) => seen.push(data));
    take(text.slice(0, cut));
    take(text.slice(cut));
    assert.deepEqual(seen, ['', '{"a":\n1}', '{}', ''], `cut at ${cut}`);
  }
});

test('what is no key is refused at once', () => {
  for (const key of ['', 'stream', '.', '..', '_health', 'a/b', 'a b', 'é', 'device-*', 'k'.repeat(129)]) {
    assert.throws(() => lux(key, { endpoint: 'http://broker.test/api/lux' }), TypeError, key);
  }
  for (const key of ['a', 'streams', '...', 'k'.repeat(128), 'A.b_c~d:e-9']) {
    assert.equal(lux(key, { endpoint: 'http://broker.test/api/lux' }).key, key);
  }
});

test('an address that leads nowhere is refused at once', () => {
  assert.throws(() => lux('a'), TypeError); // no page here that `/api/lux` could belong to
});

test('load() resolves with the state, and its listener has seen it by then', async () => {
  const at = openPage();
  const seen = [];
  const { state, meta } = await loadLive(at, (...told) => seen.push(told));
  assert.deepEqual(state, { n: 1 });
  assert.deepEqual(seen, [[state, meta]]);
});

test('every listener sees every change once, and none after it has left', async () => {
  const at = openPage();
  const [first, second, late] = [[], [], []];
  await loadLive(at, ({ n }) => first.push(n));
  const leave = at.session.subscribe(({ n }) => second.push(n));
  at.socket.say(record(2, { n: 2 }));
  leave();
  at.socket.say(record(2, { n: 2 }), record(3, { n: 3 }));
  at.session.subscribe(({ n }) => late.push(n));
  assert.deepEqual([first, second, late], [[1, 2, 3], [1, 2], [3]]);
});

test('a listener that saves does not make others see states out of order', async () => {
  const at = openPage();
  const seen = [];
  await loadLive(at, ({ n }) => { if (n === 1) at.session.save({ n: 2 }); });
  at.session.subscribe(({ n }) => seen.push(n));
  at.session.subscribe(({ n }) => { if (n === 3) at.session.save({ n: 4 }); });
  at.session.subscribe(({ n }) => seen.push(n));
  at.session.save({ n: 3 });
  assert.deepEqual(seen, [2, 2, 3, 3, 4, 4]);
});

test('a listener that brings another, or takes one away, does not confuse their order', async () => {
  const at = openPage();
  const [guest, leaver] = [[], []];
  let leave;
  const loaded = loadLive(at, ({ n }) => {
    if (n !== 1) return;
    at.session.save({ n: 2 });
    at.session.subscribe((state) => guest.push(state.n));
    leave();
  });
  leave = at.session.subscribe((state) => leaver.push(state.n));
  await loaded;
  assert.deepEqual([new Set(guest), leaver], [new Set([2]), []]);
});

test('a listener that throws keeps nobody else from seeing the state', async (t) => {
  const at = openPage();
  const surfacing = t.mock.method(globalThis, 'queueMicrotask', () => {});
  const seen = [];
  const loaded = loadLive(at, () => { throw new Error('my own fault'); });
  at.session.subscribe(({ n }) => seen.push(n));
  await loaded;
  assert.deepEqual(seen, [1]);
  assert.throws(surfacing.mock.calls[0].arguments[0], /my own fault/);
});

test('what a listener does to its state, and a caller to its own, stays there', async () => {
  const at = openPage();
  await loadLive(at, (state) => { state.n = 'scribbled'; });
  assert.deepEqual(at.session.peek().state, { n: 1 });
  const mine = { n: 5 };
  at.session.save(mine);
  mine.n = 6;
  assert.deepEqual(at.session.peek().state, { n: 5 });
});

test('what is no JSON is refused without a trace', async () => {
  const at = openPage();
  const circle = {};
  circle.self = circle;
  for (const value of [undefined, () => {}, circle, 1n]) await assert.rejects(at.session.save(value), TypeError);
  assert.equal(at.session.peek().state, undefined);
});

test('status is told at once, then whenever it changes, until its listener leaves', async () => {
  const at = openPage();
  const seen = [];
  const leave = at.session.onStatus((name, told) => seen.push([name, told.retryInMs, told.pendingWrites]));
  await loadLive(at);
  at.session.patch({ m: 1 });
  at.socket.onclose({ code: 1006 });
  leave();
  at.clock.pass(500);
  const loaded = [['idle', null, 0], ['connecting', null, 0], ['live', null, 0]];
  assert.deepEqual(seen, [...loaded, ['live', null, 1], ['offline', 500, 1]]);
});

test('nobody has to wait for a write that fails', async () => {
  const at = openPage();
  const failed = new Promise((resolve) => at.session.onStatus((name, { error }) => error && resolve(error)));
  at.session.save({ n: 1 });
  at.clock.pass(100);
  await settled();
  at.request.answer(413, { error: 'state_too_large', message: 'at most 262144 bytes' });
  assert.equal((await failed).message, 'at most 262144 bytes');
});

test('an API key that is made on demand is asked for once, and again when it is refused', async () => {
  const keys = ['first-key-0000000', 'second-key-000000'];
  let asked = 0;
  const at = openPage({ apiKey: async () => keys[asked++] });
  await loadLive(at);
  at.session.save({ n: 2 });
  at.clock.pass(100);
  await settled();
  assert.equal(asked, 1);
  at.socket.onclose({ code: 4401 });
  at.clock.pass(500);
  await settled();
  assert.deepEqual([asked, at.socket.protocols[1]], [2, 'lux.key.second-key-000000']);
});

test('a session that closes while its API key is sought opens nothing', async () => {
  let found;
  const at = openPage({ apiKey: () => new Promise((resolve) => { found = resolve; }) });
  const loaded = at.session.load();
  at.session.close();
  assert.equal((await loaded).state, undefined);
  found(API_KEY);
  await settled();
  assert.deepEqual(at.sockets, []);
});

test('an API key that cannot be had counts as being offline, and is sought again', async () => {
  const tries = [Promise.reject(new Error('no token')), API_KEY];
  tries[0].catch(() => {});
  const at = openPage({ apiKey: () => tries.shift() });
  await at.session.load();
  let status;
  at.session.onStatus((name, { error }) => (status = [name, error.message]));
  assert.deepEqual(status, ['offline', 'the broker cannot be reached: no token']);
  at.clock.pass(500);
  await settled();
  assert.equal(at.socket.protocols[1], `lux.key.${API_KEY}`);
});

test('a request without an answer is given up and tried again', async () => {
  const at = openPage();
  at.session.save({ n: 1 });
  at.clock.pass(100);
  await settled();
  at.clock.pass(30_000);
  await settled();
  at.clock.pass(500);
  await settled();
  assert.equal(at.requests.length, 2);
});

test('the state is there at once on the next visit, for this broker and key only', async () => {
  const storage = new MemoryStorage();
  const first = openPage({ storage });
  await loadLive(first, undefined, record(5, { n: 5 }));
  await first.session.close();
  const seen = [];
  const next = openPage({ storage });
  next.session.load((state, { source, connected, rev }) => seen.push([state, source, connected, rev]));
  assert.deepEqual(seen, [[{ n: 5 }, 'local', false, 5]]);
  assert.equal(openPage({ storage }, 'dashboard-other').session.peek().state, undefined);
  assert.equal(openPage({ storage, endpoint: 'http://other.test/api/lux' }).session.peek().state, undefined);
  assert.equal(openPage({ storage, persist: false }).session.peek().state, undefined);
});

test('storage is written once for many changes, and before the page ends', async () => {
  const storage = new MemoryStorage();
  const at = openPage({ storage });
  await loadLive(at);
  for (let rev = 2; rev < 50; rev += 1) at.socket.say(record(rev, { n: rev }));
  assert.equal(storage.writes, 0);
  at.clock.pass(1_000);
  assert.equal(storage.writes, 1);
  at.socket.say(record(50, { n: 50 }));
  at.happen('pagehide');
  assert.deepEqual(openPage({ storage }).session.peek().state, { n: 50 });
});

test('a tab that fell behind does not overwrite what another has stored', async () => {
  const storage = new MemoryStorage();
  const [slow, fast] = [openPage({ storage }), openPage({ storage })];
  await loadLive(slow, undefined, record(3, { n: 3 }));
  await loadLive(fast, undefined, record(9, { n: 9 }));
  fast.happen('pagehide');
  slow.happen('pagehide');
  assert.deepEqual(openPage({ storage }).session.peek().state, { n: 9 });
});

test('a state that is not acknowledged is not stored', async () => {
  const storage = new MemoryStorage();
  const at = openPage({ storage });
  await loadLive(at);
  at.session.save({ n: 'mine' });
  at.happen('pagehide');
  assert.deepEqual(openPage({ storage }).session.peek().state, { n: 1 });
});

test('a deletion is remembered; a key that never was leaves nothing behind', async () => {
  const storage = new MemoryStorage();
  const deleted = openPage({ storage });
  await loadLive(deleted, undefined, record(4, null, { deleted: true }));
  deleted.happen('pagehide');
  const { state, meta } = openPage({ storage }).session.peek();
  assert.deepEqual([state, meta.deleted, meta.exists], [null, true, false]);
  const never = openPage({ storage });
  await loadLive(never, undefined, record(0, null), 'b');
  never.happen('pagehide');
  assert.deepEqual(storage.names, []);
});

test('stored values that are corrupt or somebody else’s are ignored', () => {
  const name = 'lux:http://broker.test/api/lux/dashboard-main';
  const good = { epoch: 'a', record: record(7, 7) };
  const bad = ['', '{"epoch":"a","record":', 'null', '7', '[]', '{}', '"text"',
    JSON.stringify({ ...good, epoch: 7 }),
    JSON.stringify({ ...good, record: { ...good.record, key: 'other' } }),
    JSON.stringify({ ...good, record: { ...good.record, rev: '7' } }),
    JSON.stringify({ ...good, record: { ...good.record, rev: 1e300 } }),
    JSON.stringify({ ...good, record: { ...good.record, data: undefined } }),
    JSON.stringify({ ...good, record: { ...good.record, updatedAt: null } })];
  for (const text of bad) {
    const storage = new MemoryStorage();
    storage.setItem(name, text);
    assert.equal(openPage({ storage }).session.peek().state, undefined, text);
  }
  const broken = { getItem() { throw new Error('denied'); }, setItem() { throw new Error('full'); }, removeItem() {} };
  assert.equal(openPage({ storage: broken }).session.peek().state, undefined);
});

test('a page’s own storage is used unless another is given, or none', async (t) => {
  const [own, other] = [new MemoryStorage(), new MemoryStorage()];
  Object.assign(globalThis, { document: {}, localStorage: own });
  t.after(() => { delete globalThis.document; delete globalThis.localStorage; });
  const cases = [[{ storage: null }, 0, 0], [{ persist: false }, 0, 0], [{ storage: other }, 0, 1], [{}, 1, 1]];
  for (const [options, ...writes] of cases) {
    const at = openPage({ storage: undefined, ...options });
    await loadLive(at);
    at.happen('pagehide');
    assert.deepEqual([own.writes, other.writes], writes, JSON.stringify(options));
  }
});

test('storage that fails does not disturb the session', async () => {
  const fail = () => { throw new Error('full'); };
  const broken = { getItem: () => null, setItem: fail, removeItem: fail };
  const at = openPage({ storage: broken });
  await loadLive(at);
  at.clock.pass(1_000);
  assert.deepEqual(at.session.peek().state, { n: 1 });
});

test('what is stored is forgotten when its key is refused', async () => {
  const storage = new MemoryStorage();
  const at = openPage({ storage });
  await loadLive(at);
  at.clock.pass(1_000);
  assert.equal(storage.names.length, 1);
  at.socket.onclose({ code: 4401 });
  assert.deepEqual(storage.names, []);
});

test('a page that wakes asks its stream for a sign of life; a hidden one does not', async () => {
  const at = openPage();
  await loadLive(at);
  at.page.document.visibilityState = 'hidden';
  at.happen('visibilitychange');
  assert.deepEqual(at.socket.sent, []);
  at.page.document.visibilityState = 'visible';
  at.happen('visibilitychange');
  assert.equal(at.socket.sent.length, 1);
  const { socket } = at;
  at.clock.pass(4_000);
  await settled();
  assert.equal(socket.closed, true);
  assert.notEqual(at.socket, socket);
});

test('a page that ends sends what waits with a request that outlives it, if a browser allows its size', async () => {
  for (const [length, keepalive] of [[10, true], [60_000, true], [70_000, false], [30_000, true]]) {
    const at = openPage();
    at.session.save('x'.repeat(length));
    at.happen('pagehide');
    await settled();
    assert.equal(at.request.keepalive, keepalive, `${length}`);
  }
  const wide = openPage();
  wide.session.save('é'.repeat(40_000));
  wide.happen('pagehide');
  await settled();
  assert.equal(wide.request.keepalive, false, 'bytes count, not characters');
});

test('a page that is hidden sends what waits, since a phone may not say more', async () => {
  const at = openPage();
  at.session.save({ n: 1 });
  at.page.document.visibilityState = 'hidden';
  at.happen('visibilitychange');
  await settled();
  assert.deepEqual([at.requests.length, at.request.keepalive], [1, true]);
  at.session.save({ n: 2 });
  at.happen('visibilitychange');
  await settled();
  assert.equal(at.requests.length, 1, 'what is under way has its time');
});

test('close() waits for what is under way and leaves the page alone', async () => {
  const at = openPage();
  await loadLive(at);
  const saved = at.session.save({ n: 2 });
  const closed = at.session.close();
  await settled();
  assert.equal(at.socket.closed, true);
  at.request.answer(200, record(2, { n: 2 }), { ETag: '"a.2"' });
  await closed;
  assert.equal((await saved).rev, 2);
  at.happen('online');
  at.clock.pass(60_000);
  assert.equal(at.sockets.length, 1);
});
