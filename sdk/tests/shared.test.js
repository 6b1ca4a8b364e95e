// Sessions that parts of a page share, and the one socket that may carry them.
//
// Always true: the test plays the broker, frame by frame.
//
// Read first: ../lux-shared.js, ../lux-socket.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLux, firstSnapshot } from '../lux-shared.js';
import { shareSocket } from '../lux-socket.js';
import { handedOver, handoverScript } from '../lux-handover.js';
import { Clock } from './help/clock.js';
import { settled } from './help/page.js';

const record = (key, rev, data, more = {}) => ({ key, rev, updatedAt: rev, data, ...more });
const synced = (...keys) => ({ synced: true, epoch: 'a', keys });

/** Sockets that note what they are told, for the test to answer. */
function sockets() {
  const opened = [];
  class FakeSocket {
    sent = [];
    closed = false;
    constructor(url, protocols) {
      Object.assign(this, { url, protocols });
      opened.push(this);
    }
    send(text) { this.sent.push(JSON.parse(text)); }
    close() { this.closed = true; }
    say(...messages) { for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) }); }
  }
  return { opened, FakeSocket };
}

/** Two members or more on one line, each noting what it hears. */
async function line(...keys) {
  const { opened, FakeSocket } = sockets();
  const Shared = shareSocket(FakeSocket);
  const join = (key) => {
    const member = new Shared(`ws://b/api/lux/stream/${key}?since=a.1`, ['lux.v1', 'lux.key.k']);
    Object.assign(member, { heard: [], onopen: () => member.heard.push('open') });
    Object.assign(member, { onmessage: ({ data }) => member.heard.push(data && JSON.parse(data)), onclose: ({ code }) => member.heard.push(code) });
    return member;
  };
  const members = keys.map(join);
  opened[0]?.onopen();
  await settled();
  return { opened, socket: opened[0], members, join };
}

test('all keys go in one message on one socket, without `since`', async () => {
  const { opened, socket } = await line('a', 'b', 'c');
  assert.equal(opened.length, 1);
  assert.equal(socket.url, 'ws://b/api/lux/stream');
  assert.deepEqual(socket.protocols, ['lux.v1', 'lux.key.k']);
  assert.deepEqual(socket.sent, [{ subscribe: ['a', 'b', 'c'] }]);
});

test('each hears of its own key: a whole snapshot, then changes', async () => {
  const { socket, members: [a, b] } = await line('a', 'b');
  socket.say({ synced: true, epoch: 'a' }, record('a', 1, 1), record('a', 2, 2));
  assert.deepEqual(a.heard, [], 'no half snapshots');
  socket.say(synced('a', 'b'), record('a', 3, 3), record('c', 1, 1));
  assert.deepEqual(a.heard, ['open', record('a', 2, 2), synced('a', 'b'), record('a', 3, 3)]);
  assert.deepEqual(b.heard, ['open', synced('a', 'b')]);
});

test('who comes later is asked for by itself, after the answer to the question before', async () => {
  const { socket, join, members: [a] } = await line('a');
  const late = join('b');
  await settled();
  assert.equal(socket.sent.length, 1);
  socket.say(record('a', 1, 1), synced('a'));
  assert.deepEqual(socket.sent.at(-1), { subscribe: ['b'] });
  socket.say(record('b', 1, 1), record('a', 2, 2), synced('b'));
  assert.deepEqual(late.heard, ['open', record('b', 1, 1), synced('b')]);
  assert.deepEqual(a.heard, ['open', record('a', 1, 1), synced('a'), record('a', 2, 2), ''], 'and a sign of life');
});

test('of a refused message each key is tried alone; the refused one alone is closed, never opened', async () => {
  const { socket, members: [a, b] } = await line('a', 'b');
  socket.say({ error: 'forbidden', message: 'no' });
  assert.deepEqual(socket.sent.at(-1), { subscribe: ['a'] });
  socket.say({ error: 'forbidden', message: 'no' });
  assert.deepEqual(socket.sent.at(-1), { subscribe: ['b'] });
  socket.say(synced('b'));
  assert.deepEqual([a.heard, b.heard], [[1006], ['open', synced('b')]]);
  assert.equal(socket.closed, false);
});

test('who leaves is unsubscribed, and the last one closes', async () => {
  const { socket, opened, join, members: [a, b] } = await line('a', 'b');
  socket.say(synced('a', 'b'));
  a.close();
  assert.deepEqual(socket.sent.at(-1), { unsubscribe: ['a'] });
  b.close();
  assert.equal(socket.closed, true);
  join('c');
  assert.equal(opened.length, 2);
});

test('what was under way of a key that was left does not count in its next snapshot', async () => {
  const { socket, join, members: [a] } = await line('a', 'b');
  socket.say(record('a', 1, 'old'), synced('a', 'b'));
  a.close();
  const again = join('a');
  await settled();
  socket.say(record('a', 1, 'old'), { syncing: true, epoch: 'a', keys: ['a'] }, synced('a'));
  assert.deepEqual(again.heard, ['open', synced('a')]);
});

test('a line that gives no sign of life is given up for all, at the first who finds out', async () => {
  const { socket, opened, join, members: [a, b] } = await line('a', 'b');
  socket.say(synced('a', 'b'));
  a.send('{"ping":true}');
  b.send('{"ping":true}');
  assert.deepEqual(socket.sent.slice(1), [{ subscribe: [] }], 'one question for both');
  a.close();
  assert.deepEqual([socket.closed, b.heard.at(-1)], [true, 1006]);
  const again = join('a');
  opened[1].onopen();
  await settled();
  opened[1].say(synced('a'));
  again.send('{"ping":true}');
  opened[1].say(synced());
  assert.equal(again.heard.at(-1), '');
});

test('the socket\'s end is everybody\'s, with its code', async () => {
  const { socket, members } = await line('a', 'b');
  socket.onclose({ code: 4401 });
  assert.deepEqual(members.map(({ heard }) => heard), [[4401], [4401]]);
});

test('another API key, another socket; no WebSocket, none to share', () => {
  const { opened, FakeSocket } = sockets();
  const Shared = shareSocket(FakeSocket);
  new Shared('ws://b/api/lux/stream/a', ['lux.v1', 'lux.key.one']);
  new Shared('ws://b/api/lux/stream/a', ['lux.v1', 'lux.key.two']);
  assert.equal(opened.length, 2);
  assert.equal(shareSocket(null), null);
});

// Sessions

function client(options = {}) {
  const clock = new Clock();
  const { opened, FakeSocket } = sockets();
  const shared = createLux({
    endpoint: 'http://b/api/lux', WebSocket: FakeSocket, storage: null, random: () => 1, page: null,
    setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout, ...options,
  });
  return { shared, clock, opened };
}

test('a key has one session, from the first who watches to a second after the last', async () => {
  const { shared, clock, opened } = client();
  const told = [];
  const leave = [shared.watch('a', () => told.push('one')), shared.watch('a', () => told.push('two'))];
  await settled();
  assert.equal(opened.length, 1);
  opened[0].onopen();
  opened[0].say(record('a', 1, 'one'), { synced: true, epoch: 'a' });
  assert.deepEqual(told.slice(-2), ['one', 'two']);
  for (const go of leave) go();
  clock.pass(999);
  const back = shared.watch('a', () => {});
  clock.pass(5_000);
  assert.deepEqual([opened.length, opened[0].closed], [1, false]);
  back();
  back(); // twice is once
  clock.pass(1_000);
  assert.equal(opened[0].closed, true);
});

test('a snapshot is one frozen object until something changes, and its state stays when only the status does', async () => {
  const { shared, opened } = client();
  assert.equal(shared.peek('a'), shared.peek('a'));
  assert.equal(opened.length, 0, 'looking opens nothing');
  shared.watch('a', () => {});
  await settled();
  opened[0].onopen();
  opened[0].say(record('a', 1, { n: 1 }), { synced: true, epoch: 'a' });
  const live = shared.peek('a');
  assert.ok(Object.isFrozen(live) && Object.isFrozen(live.meta));
  assert.deepEqual([live.status, live.meta.connected, live.state], ['live', true, { n: 1 }]);
  opened[0].onclose({ code: 1006 });
  const away = shared.peek('a');
  assert.deepEqual([away.status, away.meta.connected, away.state === live.state], ['offline', false, true]);
});

test('each of several writes shows at once, although the broker knows of none', async () => {
  const { shared } = client();
  shared.watch('a', () => {});
  const shown = [1, 2, { n: 3 }].map((state) => {
    shared.save('a', state).catch(() => {});
    return shared.peek('a').state;
  });
  assert.deepEqual(shown, [1, 2, { n: 3 }]);
});

test('what only looked is forgotten', () => {
  const { shared, clock } = client();
  const seen = shared.peek('a');
  clock.pass(1_000);
  assert.notEqual(shared.peek('a'), seen);
});

test('a write keeps its session until it is acknowledged', async () => {
  let answer;
  const fetch = (_, { body }) => new Promise((resolve) => {
    answer = () => resolve(new Response(JSON.stringify(record('a', 1, JSON.parse(body).data)), { status: 201, headers: { ETag: '"a.1"' } }));
  });
  const { shared, clock } = client({ fetch, realtime: false });
  const saved = shared.save('a', 'mine');
  clock.pass(100);
  await settled();
  clock.pass(5_000);
  answer();
  assert.equal((await saved).rev, 1);
});

test('what was handed over is the first snapshot, on the server as in the page', () => {
  const initial = { a: { etag: '"e.3"', record: record('a', 3, 'given') } };
  const { shared } = client({ initial });
  assert.deepEqual(firstSnapshot('a', initial.a), shared.peek('a'));
  assert.deepEqual([shared.peek('a').state, shared.peek('a').meta.source], ['given', 'remote']);
  assert.equal(shared.peek('b').state, undefined);
  assert.equal(client({ initial }).shared.initial('constructor'), null);
});

test('states survive their way through HTML, and cannot leave it', () => {
  const states = { a: { etag: '"e.1"', record: record('a', 1, '</script><!-- \u2028 & "') } };
  const html = handoverScript(states, 'x"><b');
  const [, id, json] = /^<script type="application\/json" id="([^"]*)">([^<]*)<\/script>$/.exec(html);
  assert.equal(id, 'xb');
  assert.deepEqual(handedOver(id, { getElementById: (wanted) => (wanted === id ? { textContent: json } : null) }), states);
  assert.deepEqual(handedOver('none', { getElementById: () => null }), {});
  assert.deepEqual(handedOver(), {}, 'no page at all');
});
