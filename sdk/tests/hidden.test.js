// A page that nobody sees, and a state that a server handed over: what the session does about them.
//
// Always true: time passes only through the clock.
//
// Read first: help/session.js. tests/browser/hidden.test.js does the same with a real tab.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStorage, openPage, settled } from './help/page.js';
import { record, start } from './help/session.js';

const MINUTE = 60_000;

/** Keeps a stream alive for so long. */
function passAlive(at, ms) {
  for (let left = ms; left > 0; left -= 3_000) {
    at.world.pass(Math.min(left, 3_000));
    if (at.status.name === 'live') at.session.received(at.stream.id, '');
  }
}

test('a page hidden for a minute lets its stream go, and takes it up from what it knows', () => {
  const at = start();
  at.goLive();
  at.session.hide(false);
  passAlive(at, MINUTE - 1);
  assert.equal(at.status.name, 'live');
  at.world.pass(1);
  assert.deepEqual([at.status.name, at.status.retryInMs, at.world.shuts], ['paused', null, 1]);
  at.world.pass(10 * MINUTE);
  assert.equal(at.world.opened.length, 1, 'nothing is asked meanwhile');
  at.session.woke(true); // the network came back, the page did not
  assert.equal(at.world.opened.length, 1);
  at.session.woke();
  assert.equal(at.stream.since, 'a.1');
  at.accept(null);
  assert.equal(at.status.name, 'live');
});

test('a page that is shown in time keeps its stream', () => {
  const at = start();
  at.goLive();
  for (let times = 0; times < 3; times += 1) {
    at.session.hide(false);
    passAlive(at, MINUTE - 1);
    at.session.woke();
  }
  passAlive(at, 2 * MINUTE);
  assert.deepEqual([at.status.name, at.world.opened.length], ['live', 1]);
});

test('hidden, an unreachable broker is tried for a minute, and again when the page is shown', () => {
  const at = start();
  at.goLive();
  at.session.hide(false);
  at.drop();
  for (let ms = 0; ms < MINUTE; ms += 1_000) {
    if (at.status.name === 'connecting') at.unreachable();
    at.world.pass(1_000);
  }
  if (at.status.name === 'connecting') at.unreachable();
  at.world.pass(MINUTE);
  assert.equal(at.status.name, 'paused');
  const tries = at.world.opened.length;
  at.world.pass(10 * MINUTE);
  assert.equal(at.world.opened.length, tries);
  at.session.woke();
  assert.equal(at.world.opened.length, tries + 1);
});

test('load() out of sight is answered, and the stream rests again', () => {
  const at = start();
  at.goLive();
  at.session.hide(false);
  at.world.pass(MINUTE);
  const loaded = at.goLive(record(2, 'two'));
  assert.ok(loaded.value);
  assert.equal(at.state, 'two');
  passAlive(at, MINUTE);
  assert.equal(at.status.name, 'paused');
});

test('writes go on while the stream rests', () => {
  const at = start();
  at.goLive();
  at.session.hide(false);
  at.world.pass(MINUTE);
  const saved = at.save('mine');
  at.world.pass(100);
  at.answer({ body: record(2, 'mine') });
  assert.equal(saved.value.rev, 2);
  assert.deepEqual([at.state, at.status.name], ['mine', 'paused']);
});

test('with `background`, a hidden page is as one in sight', () => {
  const at = start({ background: true });
  at.goLive();
  at.session.hide(false);
  passAlive(at, 5 * MINUTE);
  assert.equal(at.status.name, 'live');
  assert.ok(at.session.tells() && at.session.tells());
});

/** A page on a live stream, and what its listener was told. */
async function livePage(options) {
  const at = openPage(options);
  const told = [];
  const loaded = at.session.load((state) => told.push(state));
  await settled();
  at.socket.onopen({});
  at.socket.say(record(1, 1), { synced: true, epoch: 'a' });
  await loaded;
  const turn = (visibilityState) => {
    at.page.document.visibilityState = visibilityState;
    at.happen('visibilitychange');
  };
  return { at, told, turn };
}

test('listeners of a hidden page are told once a second, the newest; and at once when it is shown', async () => {
  const { at, told, turn } = await livePage();
  turn('hidden');
  for (let rev = 2; rev <= 9; rev += 1) at.socket.say(record(rev, rev));
  assert.deepEqual(told, [1, 2]);
  assert.equal(at.session.peek().state, 9);
  at.clock.pass(1_000);
  assert.deepEqual(told, [1, 2, 9]);
  at.clock.pass(5_000);
  assert.deepEqual(told, [1, 2, 9], 'nothing changed');
  at.socket.say(record(10, 10));
  at.socket.say(record(11, 11));
  turn('visible');
  assert.deepEqual(told, [1, 2, 9, 10, 11]);
  at.socket.say(record(12, 12));
  at.socket.say(record(13, 13));
  assert.deepEqual(told.slice(-2), [12, 13]);
});

test('a page that was opened out of sight rests, too', async () => {
  const page = Object.assign(new EventTarget(), { document: { visibilityState: 'hidden' } });
  const { at, told } = await livePage({ page });
  at.socket.say(record(2, 2));
  assert.deepEqual(told, [1]);
  at.clock.pass(MINUTE);
  assert.deepEqual(told, [1, 2]);
  assert.ok(at.socket.closed);
});

// A state that a server handed over

const given = (rev, data, epoch = 'a') => ({ etag: `"${epoch}.${rev}"`, record: record(rev, data) });

test('what a server handed over is there at once, and the stream goes on from it', async () => {
  const at = openPage({ initial: given(7, 'seven') });
  const told = [];
  at.session.subscribe((state, meta) => told.push([state, meta.source, meta.rev]));
  assert.deepEqual(told, [['seven', 'remote', 7]]);
  at.session.load();
  await settled();
  assert.match(at.socket.url, /\?since=a\.7$/);
  at.socket.onopen({});
  at.socket.say({ synced: true, epoch: 'a' });
  assert.equal(told.length, 1, 'nothing changed, so nobody is told');
});

test('that there was no state is handed over, too', () => {
  const { state, meta } = openPage({ initial: { etag: null, record: null } }).session.peek();
  assert.deepEqual([state, meta.exists, meta.rev], [null, false, 0]);
});

test('storage goes before it only if it is newer in the same epoch', () => {
  const stored = (rev, epoch) => {
    const storage = new MemoryStorage();
    storage.setItem('lux:http://broker.test/api/lux/dashboard-main', JSON.stringify({ epoch, record: record(rev, `stored ${rev}`) }));
    return openPage({ storage, initial: given(7, 'given') }).session.peek().state;
  };
  assert.deepEqual([stored(8, 'a'), stored(7, 'a'), stored(6, 'a'), stored(99, 'older')], ['stored 8', 'given', 'given', 'given']);
});

test('what is no record of this key is not believed', () => {
  for (const initial of [undefined, null, {}, 'text', { etag: '"a.1"' }, { etag: null, record: record(1, 1) },
    { etag: 'nonsense', record: record(1, 1) }, { etag: '"a.1"', record: record(1, 1, { key: 'another' }) }]) {
    assert.equal(openPage({ initial }).session.peek().state, undefined, JSON.stringify(initial));
  }
});

test('a stream that names its keys says by silence that a state is gone', () => {
  const at = start({ local: { rev: 3, updatedAt: 30, data: 'three' } });
  at.load();
  at.session.opened(at.stream.id);
  at.hear({ synced: true, epoch: 'a', keys: ['dashboard-main'] });
  assert.deepEqual([at.state, at.meta.exists, at.meta.deleted, at.status.name], [null, false, true, 'live']);
  at.hear({ synced: true, epoch: 'a', keys: ['dashboard-main'] });
  at.hear(record(4, 'four'));
  at.hear({ synced: true, epoch: 'a', keys: [] }); // a sign of life
  assert.equal(at.state, 'four');
});
