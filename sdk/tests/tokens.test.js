// Tokens that end: renewed in time, asked for again when they were not, and never a gap that a page would show.
//
// Always true: time passes only through the clock.
//
// Read first: help/session.js, help/page.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openPage, settled } from './help/page.js';
import { record, start } from './help/session.js';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** A token that says how long it lives; its times are far from this machine's. */
const token = (name, seconds) => `${part({ alg: 'HS256' })}.${part({ iat: 1000, exp: 1000 + seconds, name })}.${name}`;

function live(options = {}) {
  const at = start({ renews: true, ...options });
  at.goLive(record(3, 'three'));
  return at;
}

test('a stream with a new token takes over when it has its snapshot', () => {
  const at = live();
  const first = at.stream.id;
  at.session.fired('renewal');
  assert.deepEqual([at.world.opened.length, at.world.asked, at.stream.since], [2, 1, 'a.3']);
  at.hear(record(4, 'four'), first);
  assert.deepEqual([at.state, at.status.name, at.meta.connected], ['four', 'live', true]);
  at.hear(record(5, 'five'));
  assert.equal(at.state, 'four', 'a snapshot counts when it is complete');
  at.hear({ synced: true, epoch: 'a' });
  assert.deepEqual([at.state, at.status.name, at.world.ended], ['five', 'live', [first]]);
  at.drop({ code: 1000 }, first);
  at.hear(record(6, 'six'));
  assert.deepEqual([at.state, at.status.name], ['six', 'live'], 'the old one has nothing to say any more');
});

test('what the old stream brought meanwhile is not taken back', () => {
  const at = live();
  const first = at.stream.id;
  at.session.fired('renewal');
  at.hear(record(4, 'four'));
  at.hear(record(9, 'nine'), first);
  at.hear({ synced: true, epoch: 'a' });
  assert.equal(at.state, 'nine');
});

test('a new token that cannot be had is asked for ever more rarely, while the old one lasts', () => {
  const at = live();
  at.session.fired('renewal');
  const waits = [];
  for (let round = 0; round < 4; round += 1) {
    const tries = at.world.opened.length;
    at.drop({ error: new Error('no token'), keyless: true });
    assert.equal(at.status.name, 'live');
    let ms = 0;
    for (; at.world.opened.length === tries; ms += 100) at.world.pass(100);
    waits.push(ms);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000]);
  at.accept(null);
  assert.equal(at.status.name, 'live');
});

test('a successor that never comes about is given up', () => {
  const at = live();
  at.session.fired('renewal');
  at.world.pass(15_000);
  assert.deepEqual([at.world.ended.length, at.status.name], [1, 'live']);
  at.world.pass(500);
  assert.equal(at.world.opened.length, 3);
});

test('a stream that ends with its token is opened again at once, and nothing is forgotten', () => {
  const at = live();
  at.drop({ code: 4401 });
  assert.deepEqual([at.status.name, at.state, at.world.opened.length], ['connecting', 'three', 2]);
  assert.deepEqual([at.world.forgotten, at.world.asked], [0, 1]);
  at.accept(null);
  assert.equal(at.status.name, 'live');
});

test('tokens that end as soon as they are used are not asked for ever faster', () => {
  const at = live();
  const waits = [];
  for (let round = 0; round < 4; round += 1) {
    at.drop({ code: 4401 });
    waits.push(at.status.retryInMs);
    at.world.pass(at.status.retryInMs ?? 0);
    at.accept(null);
  }
  assert.deepEqual(waits, [null, 1000, 2000, 4000]);
});

test('a callback that fails is not asked twice at once', () => {
  const at = start({ renews: true });
  at.load();
  at.drop({ error: new Error('no token'), keyless: true });
  assert.deepEqual([at.world.opened.length, at.status.name, at.status.retryInMs], [1, 'offline', 500]);
});

test('close() while one stream takes over from another ends both', () => {
  const at = live();
  at.session.fired('renewal');
  at.session.close();
  assert.equal(at.world.shuts, 1, 'all at once');
  at.hear({ synced: true, epoch: 'a' });
  at.world.pass(600_000);
  assert.deepEqual([at.status.name, at.world.opened.length], ['closed', 2]);
});

for (const [what, given] of [
  ['a token that tells its life', (name) => token(name, 100)],
  ['what _token answered', (name) => ({ token: token(name, 100), expiresAt: 5 })],
  ['a promise of it', async (name) => token(name, 100)],
  ['something that no one can read, with its end', (name) => ({ token: name, expiresAt: Date.now() + 100_000 })],
]) {
  test(`token() gives ${what}: it is asked again before the end, and both streams differ in it`, async () => {
    let asked = 0;
    const at = openPage({ token: () => given(`t${++asked}`) });
    at.session.load();
    await settled();
    const [socket] = at.sockets;
    assert.match(socket.protocols[1], /^lux\.key\..*t1$/);
    socket.onopen({});
    socket.say(record(1, 1), { synced: true, epoch: 'a' });
    at.clock.pass(60_000);
    await settled();
    assert.equal(asked, 1);
    at.clock.pass(10_000);
    await settled();
    assert.deepEqual([asked, at.sockets.length, socket.closed], [2, 2, false]);
    assert.match(at.socket.protocols[1], /t2$/);
    at.socket.onopen({});
    at.socket.say({ synced: true, epoch: 'a' });
    assert.equal(socket.closed, true);
    await settled();
    at.clock.pass(70_000);
    await settled();
    assert.deepEqual([asked, at.sockets.length], [3, 3], 'and so on');
  });
}

test('a token without a known end is asked for again when the broker says so', async () => {
  let asked = 0;
  const at = openPage({ token: () => `opaque-${++asked}` });
  at.session.load();
  await settled();
  at.socket.onopen({});
  at.socket.say(record(1, 1), { synced: true, epoch: 'a' });
  at.clock.pass(40_000);
  at.socket.onclose({ code: 4401 });
  await settled();
  assert.deepEqual([asked, at.sockets.length], [2, 2]);
  assert.equal(at.socket.protocols[1], 'lux.key.opaque-2');
});
