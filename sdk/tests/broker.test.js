// The SDK against the real broker, over WebSockets and over events.
//
// Always true: nothing here sleeps; every wait is for an event, with a deadline.
//
// Read first: help/broker.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket as Socket } from 'ws';
import { lux, LuxConflict } from '../lux.js';
import { API_KEY, Broker, missing, Wire, within } from './help/broker.js';

/** A WebSocket that keeps what it hears, in `Ear.heard`, with the address it was opened at. */
class Ear extends Socket {
  static heard = new Map();
  constructor(url, protocols) {
    super(url, protocols);
    const own = [];
    Ear.heard.set(url, own);
    this.addEventListener('message', ({ data }) => own.push(JSON.parse(data)));
  }
}

/** A session that ends with its test, and does not take long to come back. */
function open(t, broker, options = {}, key = 'dashboard-main') {
  const session = lux(key, { endpoint: broker.endpoint, apiKey: API_KEY, WebSocket: Ear, random: () => 0, ...options });
  t.after(() => session.close());
  return session;
}

/** The first state for which `holds` does. */
function state(session, holds) {
  let leave;
  const found = new Promise((resolve) => {
    leave = session.subscribe((...told) => holds(...told) && resolve(told));
  });
  return within(found, `a state with ${holds}`).finally(() => leave());
}

/** The next status of that name. */
function status(session, wanted) {
  let leave;
  const found = new Promise((resolve) => {
    leave = session.onStatus((name, details) => name === wanted && resolve(details));
  });
  return within(found, `status ${wanted}`).finally(() => leave());
}

const TRANSPORTS = [['websocket', Ear], ['sse', null]];

/** The same test over either transport. */
function over(what, body) {
  for (const [transport, WebSocket] of TRANSPORTS) {
    test(`${what} (${transport})`, { skip: missing }, async (t) => {
      await body(t, await Broker.start(t), { WebSocket }, transport);
    });
  }
}

test('the example works as written', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  await broker.put('dashboard-main', { orders_per_second: 41 });
  const rendered = [];
  const renderDashboard = (shown, meta) => rendered.push([shown, meta.source]);
  const [wsBroker, apiKey] = [broker.url.replace('http', 'ws'), API_KEY];

  const dashboard = lux('dashboard-main', {
    endpoint: `${broker.url}/api/lux`,
    websocketUrl: `${wsBroker}/api/lux/stream/dashboard-main`,
    apiKey,
    realtime: true,
  });
  await dashboard.load((shown, meta) => renderDashboard(shown, meta));

  t.after(() => dashboard.close());
  assert.deepEqual(rendered, [[{ orders_per_second: 41 }, 'remote']]);
  const seen = state(dashboard, (shown) => shown.orders_per_second === 42);
  await broker.put('dashboard-main', { orders_per_second: 42 });
  await seen;
  assert.deepEqual(rendered, [[{ orders_per_second: 41 }, 'remote'], [{ orders_per_second: 42 }, 'live']]);
});

test('the broker serves the module', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const text = await (await fetch(`${broker.url}/lux.js`)).text();
  const served = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  const session = served.lux('dashboard-main', { endpoint: broker.endpoint, apiKey: API_KEY });
  t.after(() => session.close());
  assert.equal((await session.load()).meta.connected, true);
});

over('a state that is there shows, and each change after it', async (t, broker, options, transport) => {
  const { rev, updatedAt } = await broker.put('dashboard-main', { n: 1 });
  const viewer = open(t, broker, options);
  const first = await viewer.load();
  assert.deepEqual([first.state, first.meta.rev, first.meta.updatedAt], [{ n: 1 }, rev, updatedAt]);
  assert.deepEqual([first.meta.source, first.meta.connected, first.meta.exists], ['remote', true, true]);
  assert.equal((await status(viewer, 'live')).transport, transport);
  for (let n = 2; n < 20; n += 1) {
    const seen = state(viewer, (shown) => shown.n === n);
    await broker.put('dashboard-main', { n });
    assert.equal((await seen)[1].source, 'live');
  }
});

over('a key without a state shows as such, and its first state as it comes', async (t, broker, options) => {
  const viewer = open(t, broker, options, 'fresh');
  const { state: none, meta } = await viewer.load();
  assert.deepEqual([none, meta.exists, meta.rev, meta.connected], [null, false, 0, true]);
  const seen = state(viewer, (shown) => shown === 'first');
  await broker.put('fresh', 'first');
  assert.deepEqual((await seen)[1].rev, 1);
});

over('a deletion shows, and so does the state after it', async (t, broker, options) => {
  await broker.put('dashboard-main', { n: 1 });
  const viewer = open(t, broker, options);
  await viewer.load();
  const gone = state(viewer, (_, { deleted }) => deleted);
  assert.equal((await broker.request('DELETE', 'dashboard-main')).status, 204);
  const [none, meta] = await gone;
  assert.deepEqual([none, meta.exists, meta.rev], [null, false, 2]);
  const back = state(viewer, (shown) => shown?.n === 2);
  await broker.put('dashboard-main', { n: 2 });
  assert.equal((await back)[1].rev, 3);
});

over('a saved state is acknowledged and seen by others', async (t, broker, options) => {
  const [writer, viewer] = [open(t, broker, options), open(t, broker, options)];
  await Promise.all([writer.load(), viewer.load()]);
  const seen = state(viewer, (shown) => shown?.orders === 5);
  const saved = writer.save({ orders: 5 });
  assert.deepEqual([writer.peek().state, writer.peek().meta.source], [{ orders: 5 }, 'local']);
  const receipt = await within(saved, 'the acknowledgement');
  const [, meta] = await seen;
  assert.deepEqual([meta.rev, meta.epoch, meta.updatedAt], [receipt.rev, receipt.epoch, receipt.updatedAt]);
  assert.equal(writer.peek().meta.rev, receipt.rev);
  assert.equal(writer.peek().meta.pending, false);
  const answer = await broker.request('GET', 'dashboard-main');
  assert.deepEqual((await answer.json()).data, { orders: 5 });
  assert.equal(answer.headers.get('ETag'), `"${receipt.epoch}.${receipt.rev}"`);
});

over('patches of several writers do not lose each other', async (t, broker, options) => {
  const writers = Array.from({ length: 4 }, () => open(t, broker, { ...options, debounce: 1 }));
  await Promise.all(writers.map((writer) => writer.load()));
  const rounds = 25;
  const everything = (shown) => shown && Object.keys(shown).length === writers.length * rounds;
  const complete = writers.map((writer) => state(writer, everything));
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(writers.map((writer, n) => writer.patch({ [`w${n}r${round}`]: round })));
  }
  const shown = await Promise.all(complete);
  for (const [one] of shown) assert.deepEqual(one, shown[0][0]);
});

over('many writes in flight end on the last one, and no viewer goes back', async (t, broker, options) => {
  const [writer, viewer] = [open(t, broker, { ...options, debounce: 0 }), open(t, broker, options)];
  await Promise.all([writer.load(), viewer.load()]);
  const seen = [];
  viewer.subscribe((shown) => shown && seen.push(shown.n));
  const last = state(viewer, (shown) => shown?.n === 499);
  for (let n = 0; n < 500; n += 1) {
    writer.save({ n });
    if (n % 7 === 0) await writer.flush();
  }
  await within(writer.flush(), 'all acknowledgements');
  await last;
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  assert.deepEqual(writer.peek().state, { n: 499 });
});

test('patches by the writer itself never flicker back', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const writer = open(t, broker, { debounce: 0 });
  await writer.load();
  const seen = [];
  writer.subscribe((shown) => shown && seen.push(shown.n));
  for (let n = 0; n < 200; n += 1) {
    const patched = writer.patch({ n });
    if (n % 5 === 0) await patched;
  }
  await within(writer.flush(), 'all acknowledgements');
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b));
  assert.equal(seen.at(-1), 199);
});

over('a restarted broker is found again, and what changed meanwhile shows', async (t, broker, options) => {
  await broker.put('dashboard-main', { n: 1 });
  const viewer = open(t, broker, options);
  await viewer.load();
  const lost = status(viewer, 'offline');
  await broker.stop();
  const { retryInMs } = await lost;
  assert.ok(retryInMs > 0 && retryInMs <= 3_000, `${retryInMs}`);
  assert.deepEqual([viewer.peek().state, viewer.peek().meta.connected], [{ n: 1 }, false]);
  await broker.run();
  await broker.put('dashboard-main', { n: 2 });
  const [, { connected }] = await state(viewer, (shown) => shown?.n === 2);
  assert.equal(connected, true);
});

over('a write made while the broker is away arrives when it is back', async (t, broker, options) => {
  const writer = open(t, broker, options);
  await writer.load();
  const lost = status(writer, 'offline');
  await broker.kill();
  await lost;
  const saved = writer.save({ kept: true });
  const { error } = await new Promise((resolve) => writer.onStatus((_, details) => details.error && resolve(details)));
  assert.equal(error.code, 'offline');
  assert.deepEqual(writer.peek().state, { kept: true });
  await broker.run();
  await within(saved, 'the acknowledgement');
  assert.deepEqual((await (await broker.request('GET', 'dashboard-main')).json()).data, { kept: true });
});

over('a broker that lost its states starts a new epoch, and its smaller revision shows', async (t, broker, options) => {
  for (let n = 1; n <= 5; n += 1) await broker.put('dashboard-main', { n });
  const viewer = open(t, broker, options);
  const before = await viewer.load();
  assert.equal(before.meta.rev, 5);
  await broker.kill();
  await broker.run('second');
  const [none] = await state(viewer, (_, { epoch }) => epoch !== before.meta.epoch);
  assert.equal(none, null, 'what the new epoch does not have is dropped');
  const seen = state(viewer, (shown) => shown?.n === 'after');
  await broker.put('dashboard-main', { n: 'after' });
  assert.equal((await seen)[1].rev, 1);
});

test('a stream that comes back is told only what changed', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const wire = await Wire.to(t, broker);
  await broker.put('dashboard-main', { n: 1 });
  const viewer = open(t, broker, { endpoint: wire.endpoint });
  const { meta } = await viewer.load();
  const address = `${wire.endpoint.replace('http', 'ws')}/stream/dashboard-main?since=${meta.epoch}.${meta.rev}`;

  const lost = status(viewer, 'offline');
  wire.cut();
  await lost;
  await status(viewer, 'live');
  assert.deepEqual(Ear.heard.get(address), [{ synced: true, epoch: meta.epoch }]);

  const lostAgain = status(viewer, 'offline');
  wire.freeze();
  await broker.put('dashboard-main', { n: 2 });
  wire.cut();
  await lostAgain;
  wire.thaw();
  await state(viewer, (shown) => shown.n === 2);
  const [first, second] = Ear.heard.get(address);
  assert.deepEqual([first.data, second], [{ n: 2 }, { synced: true, epoch: meta.epoch }]);
});

test('a dead connection is found out when the page wakes', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const wire = await Wire.to(t, broker);
  const page = new EventTarget();
  const faster = (act, ms) => setTimeout(act, ms / 20);
  const viewer = open(t, broker, { endpoint: wire.endpoint, page, setTimeout: faster });
  await viewer.load();
  const lost = status(viewer, 'connecting');
  wire.freeze();
  await broker.put('dashboard-main', { n: 2 });
  page.dispatchEvent(new Event('online'));
  await lost;
  wire.cut();
  wire.thaw();
  await state(viewer, (shown) => shown?.n === 2);
});

test('the broker answers when it is asked for a sign of life, and the stream goes on', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const page = new EventTarget();
  const viewer = open(t, broker, { page }, 'asked');
  await viewer.load();
  const [[, heard]] = [...Ear.heard].filter(([url]) => url.endsWith('/asked')).slice(-1);
  page.dispatchEvent(new Event('online'));
  const seen = state(viewer, (shown) => shown === 'after');
  await broker.put('asked', 'after');
  await seen;
  assert.ok(heard.some(({ error, message }) => typeof error === 'string' && typeof message === 'string'));
  assert.equal(viewer.peek().meta.connected, true);
});

over('a key that the broker does not know is told so', async (t, broker, options) => {
  const viewer = open(t, broker, { ...options, apiKey: 'wrong_0123456789abcdef' });
  await assert.rejects(within(viewer.load(), 'load'), { name: 'LuxError', status: 401 });
  assert.equal((await status(viewer, 'unauthorized')).retryInMs, null);
  await assert.rejects(within(viewer.save(1), 'save'), { status: 401 });
});

over('a key goes as far as its grant', async (t, broker, options) => {
  const apiKey = await broker.addKey('wall', '--read', 'dashboard-*');
  await within(accepted(broker, apiKey), 'the broker reads its keys again');
  await broker.put('dashboard-main', { n: 1 });
  const viewer = open(t, broker, { ...options, apiKey });
  assert.deepEqual((await viewer.load()).state, { n: 1 });
  await assert.rejects(within(viewer.save({ n: 2 }), 'save'), { status: 403 });
  assert.deepEqual(viewer.peek().state, { n: 1 }, 'what was refused is taken back');
  const elsewhere = open(t, broker, { ...options, apiKey }, 'secret');
  await assert.rejects(within(elsewhere.load(), 'load'), { status: 403 });
});

over('a key that is revoked ends the stream; another one brings it back', async (t, broker, options) => {
  const keys = [await broker.addKey('old', '--read', '*'), await broker.addKey('new', '--read', '*')];
  await Promise.all(keys.map((key) => within(accepted(broker, key), 'the broker reads its keys again')));
  const [fixed, asking] = [keys[0], () => keys[0]].map((apiKey) => open(t, broker, { ...options, apiKey }));
  await Promise.all([fixed.load(), asking.load()]);
  const ended = [fixed, asking].map((viewer) => status(viewer, 'unauthorized'));
  await broker.revokeKey('old');
  keys.shift();
  await Promise.all(ended);
  await status(asking, 'live');
  assert.equal(fixed.peek().meta.connected, false);
});

over('a token that ends is followed by the next, and nobody sees it', async (t, broker, options) => {
  await broker.put('dashboard-main', 0);
  let asked = 0;
  const token = async () => {
    asked += 1;
    const body = JSON.stringify({ read: ['dashboard-*'], for: '4s' });
    const headers = { Authorization: `Bearer ${API_KEY}` };
    return (await fetch(`${broker.endpoint}/_token`, { method: 'POST', headers, body })).json();
  };
  const viewer = open(t, broker, { ...options, apiKey: undefined, token });
  const [statuses, seen] = [[], []];
  viewer.onStatus((name) => statuses.push(name));
  await viewer.load((shown) => seen.push(shown));
  for (let written = 1; asked < 5; written += 1) {
    const arrived = state(viewer, (shown) => shown === written);
    await broker.put('dashboard-main', written);
    await arrived;
  }
  assert.deepEqual(statuses.filter((name, at) => name !== statuses[at - 1]), ['idle', 'connecting', 'live']);
  assert.deepEqual(seen, seen.map((_, at) => at), 'every one of them, once');
  await assert.rejects(within(viewer.save(1), 'save'), { status: 403 }, 'a token writes nothing');
});

/** Resolves once the broker takes a key. */
async function accepted(broker, apiKey) {
  while ((await broker.request('GET', 'dashboard-main', undefined, apiKey)).status === 401);
}

over('compare-and-set goes to who was first', async (t, broker, options) => {
  await broker.put('counter', 1);
  const [first, second] = [open(t, broker, options, 'counter'), open(t, broker, options, 'counter')];
  await Promise.all([first.load(), second.load()]);
  const writes = [first, second].map((session, n) => session.save(10 + n, { ifMatch: true }));
  const results = await Promise.allSettled(writes);
  const [lost] = results.filter((result) => result.status === 'rejected');
  const [won] = results.filter((result) => result.status === 'fulfilled');
  assert.ok(lost?.reason instanceof LuxConflict && won, JSON.stringify(results));
  assert.equal(lost.reason.record.rev, won.value.rev);
  const agreed = (shown, { pending }) => !pending && shown === lost.reason.record.data;
  await Promise.all([first, second].map((session) => state(session, agreed)));
});

test('compare-and-set can say that there must be no state yet', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const sessions = [open(t, broker, {}, 'once'), open(t, broker, {}, 'once')];
  await Promise.all(sessions.map((session) => session.load()));
  const results = await Promise.allSettled(sessions.map((session, n) => session.save(n, { ifMatch: true })));
  assert.deepEqual(results.map((result) => result.status).sort(), ['fulfilled', 'rejected']);
});

test('without realtime, a state is asked for once and is there', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  await broker.put('dashboard-main', { n: 1 });
  const reader = open(t, broker, { realtime: false });
  const { state: shown, meta } = await reader.load();
  assert.deepEqual([shown, meta.source, meta.rev, meta.connected], [{ n: 1 }, 'remote', 1, false]);
  assert.ok(meta.epoch);
  await broker.put('dashboard-main', { n: 2 });
  assert.deepEqual((await reader.load()).state, { n: 2 });
  assert.deepEqual((await reader.load()).state, { n: 2 }, 'a 304 says that it is still the same');
  await broker.request('DELETE', 'dashboard-main');
  assert.deepEqual((await reader.load()).meta.exists, false);
});

test('what the broker refuses comes back in its own words', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const writer = open(t, broker);
  await writer.load();
  const tooLarge = writer.save('x'.repeat(300 * 1024));
  await assert.rejects(within(tooLarge, 'save'), (error) => error.status === 413 && /\d/.test(error.message));
  assert.equal(writer.peek().state, null);
});

test('close() sees writes off', { skip: missing }, async (t) => {
  const broker = await Broker.start(t);
  const writer = open(t, broker, { debounce: 60_000 });
  const saved = writer.save({ last: 'word' });
  await within(writer.close(), 'close');
  assert.equal((await saved).rev, 1);
  assert.deepEqual((await (await broker.request('GET', 'dashboard-main')).json()).data, { last: 'word' });
});
