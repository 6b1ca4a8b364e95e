// How the stream fares: lost, found dead, refused, and coming back without a stampede.
//
// Always true: time passes only through the clock, and chance is what the test says.
//
// Read first: help/session.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record, start } from './help/session.js';

/** Loses the stream again and again, and tells the delays before each further try. */
function delays(at, times) {
  return Array.from({ length: times }, () => {
    at.unreachable();
    const { retryInMs } = at.status;
    at.world.pass(retryInMs - 1);
    assert.equal(at.status.name, 'offline');
    at.world.pass(1);
    assert.equal(at.status.name, 'connecting');
    return retryInMs;
  });
}

test('an unreachable broker settles load(), and tries go on', () => {
  const at = start({ local: { rev: 3, updatedAt: 30, data: 'three' } });
  const loaded = at.load();
  assert.equal(at.status.name, 'connecting');
  at.unreachable();
  assert.ok(loaded.value);
  assert.deepEqual([at.status.name, at.status.retryInMs, at.status.error.code], ['offline', 500, 'offline']);
  assert.deepEqual([at.state, at.meta.source, at.meta.connected], ['three', 'local', false]);
  at.world.pass(500);
  at.accept(record(4, 'four'));
  assert.deepEqual([at.state, at.meta.connected, at.status.name, at.status.error], ['four', true, 'live', null]);
});

test('delays double up to half a minute', () => {
  const at = start();
  at.load();
  assert.deepEqual(delays(at, 9), [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test('chance shortens each delay by up to its half, so that many viewers do not come at once', () => {
  const at = start({ random: () => 0 });
  at.load();
  assert.deepEqual(delays(at, 7), [250, 500, 1000, 2000, 4000, 8000, 15_000]);
});

test('a broker that restarts is asked again soon, spread over three seconds', () => {
  for (const [random, ms] of [[0.1, 300], [0.9, 2700]]) {
    const at = start({ random: () => random });
    at.goLive();
    at.drop({ code: 1012 });
    assert.deepEqual([at.status.name, at.status.retryInMs], ['offline', ms]);
    at.world.pass(ms);
    assert.equal(at.stream.since, 'a.1');
  }
});

test('a stream that breaks as soon as it is up is not opened ever faster', () => {
  const at = start();
  at.goLive();
  const waits = [];
  for (let round = 0; round < 5; round += 1) {
    at.drop();
    waits.push(at.status.retryInMs);
    at.world.pass(at.status.retryInMs);
    at.accept(null, 'a');
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000]);
});

test('a stream that lasted starts with short delays again', () => {
  const at = start();
  at.load();
  delays(at, 6);
  at.accept(record(1, 1));
  at.hear(record(2, 2));
  at.world.pass(46_000);
  at.drop();
  assert.equal(at.status.retryInMs, 500);
});

test('a tab that wakes, or a network that returns, does not wait', () => {
  const at = start();
  at.load();
  delays(at, 5);
  at.unreachable();
  const tries = at.world.opened.length;
  at.session.woke();
  assert.equal(at.world.opened.length, tries + 1);
  assert.equal(at.status.name, 'connecting');
  at.accept(record(1, 1));
  at.world.pass(40_000);
  assert.equal(at.world.opened.length, tries + 1, 'the timer of the wait is gone');
});

test('a silent stream is asked for a sign of life, and left alone when it gives one', () => {
  const at = start();
  at.goLive();
  at.world.pass(90_000);
  assert.equal(at.world.pings, 1);
  at.hear({ error: 'bad_message', message: 'not understood' });
  at.world.pass(10_000);
  assert.deepEqual([at.status.name, at.world.opened.length], ['live', 1]);
});

test('a stream that gives no sign of life is opened again, with what is known', () => {
  const at = start();
  at.goLive(record(8, 'eight'));
  at.world.pass(90_000);
  at.world.pass(10_000);
  assert.equal(at.world.shuts, 1);
  assert.deepEqual([at.world.opened.length, at.stream.since, at.status.name], [2, 'a.8', 'connecting']);
});

test('a busy stream is never asked', () => {
  const at = start();
  at.goLive();
  for (let rev = 2; rev < 40; rev += 1) {
    at.world.pass(30_000);
    at.hear(record(rev, rev));
  }
  assert.deepEqual([at.world.pings, at.world.opened.length], [0, 1]);
});

test('after sleep, a stream that is dead is found out within seconds', () => {
  const at = start();
  at.goLive();
  at.session.woke();
  assert.equal(at.world.pings, 1);
  at.world.pass(4_000);
  assert.equal(at.world.opened.length, 2);
});

test('an event stream cannot be asked, so waking leaves it alone', () => {
  const at = start({ hasSockets: false });
  at.goLive();
  at.session.woke();
  at.world.pass(4_000);
  assert.deepEqual([at.world.pings, at.world.opened.length], [0, 1]);
});

test('an event stream without even comments is opened again', () => {
  const at = start({ hasSockets: false });
  at.goLive();
  assert.equal(at.status.transport, 'sse');
  for (let comment = 0; comment < 10; comment += 1) {
    at.world.pass(20_000);
    at.session.received(at.stream.id, '');
  }
  assert.equal(at.world.opened.length, 1);
  at.world.pass(116_000);
  assert.equal(at.world.opened.length, 2);
});

test('a handshake that hangs is given up', () => {
  const at = start({ hasSockets: false });
  at.load();
  at.world.pass(15_000);
  assert.equal(at.world.shuts, 1);
  assert.equal(at.status.name, 'offline');
});

test('where sockets do not get through, events do', () => {
  const at = start();
  at.load();
  assert.equal(at.stream.kind, 'websocket');
  at.drop({ code: 1006 });
  assert.equal(at.stream.kind, 'sse');
  at.accept(record(1, 'one'));
  assert.deepEqual([at.state, at.status.name, at.status.transport], ['one', 'live', 'sse']);
  at.drop({ ended: true });
  at.world.pass(3_000);
  assert.equal(at.stream.kind, 'websocket', 'the next stream tries a socket again');
});

test('a stream that is no event stream is not asked again at once', () => {
  const at = start({ hasSockets: false, random: () => 0.2 });
  at.load();
  const waits = Array.from({ length: 3 }, () => {
    at.session.opened(at.stream.id);
    at.drop({ ended: true });
    const { retryInMs } = at.status;
    at.world.pass(retryInMs);
    return retryInMs;
  });
  assert.deepEqual(waits, [300, 600, 1200]);
});

test('a refused key says so, rejects load(), and is not tried again', () => {
  for (const status of [401, 403]) {
    const at = start({ local: { rev: 3, updatedAt: 30, data: 'secret' } });
    const loaded = at.load();
    at.drop({ code: 1006 });
    at.drop({ answer: { status, text: '{"error":"forbidden","message":"needs read dashboard-main"}' } });
    assert.deepEqual([loaded.error.status, loaded.error.code], [status, 'forbidden']);
    assert.equal(loaded.error.message, 'needs read dashboard-main');
    assert.deepEqual([at.status.name, at.status.retryInMs], ['unauthorized', null]);
    assert.equal(at.world.forgotten, 1, 'what was stored is not for this key');
    const tries = at.world.opened.length;
    at.world.pass(600_000);
    at.session.woke();
    assert.equal(at.world.opened.length, tries);
    at.load();
    assert.equal(at.world.opened.length, tries + 1, 'but it can be told to try');
  }
});

test('a key that is revoked ends the stream for good', () => {
  const at = start();
  at.goLive(record(1, 'one'));
  at.drop({ code: 4401 });
  assert.deepEqual([at.status.name, at.status.error.status, at.meta.connected], ['unauthorized', 401, false]);
  at.world.pass(600_000);
  assert.equal(at.world.opened.length, 1);
});

test('where the application can be asked for another key, tries go on, ever more rarely', () => {
  const at = start({ asks: true });
  at.goLive(record(1, 'one'));
  const waits = [];
  for (let round = 0; round < 9; round += 1) {
    at.drop({ code: 4401 });
    assert.equal(at.status.name, 'unauthorized');
    waits.push(at.status.retryInMs);
    at.world.pass(at.status.retryInMs);
  }
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  at.accept(record(2, 'two'));
  assert.deepEqual([at.status.name, at.state], ['live', 'two']);
});

test('the second key refused in a row rejects load()', () => {
  const at = start({ asks: true, hasSockets: false });
  const loaded = at.load();
  const answer = { status: 401, text: '{"error":"unauthorized","message":"no"}' };
  at.drop({ answer });
  assert.deepEqual(loaded, {});
  at.world.pass(500);
  at.drop({ answer });
  assert.equal(loaded.error.status, 401);
});

test('without realtime, a key refused twice rejects load() and rests', () => {
  const at = start({ asks: true, realtime: false });
  const loaded = at.load();
  at.refuse(401);
  at.world.pass(500);
  assert.equal(at.world.requests.length, 2);
  at.refuse(401);
  assert.equal(loaded.error.status, 401);
  at.world.pass(600_000);
  assert.deepEqual([at.world.requests.length, at.status.name], [2, 'unauthorized']);
});

test('close() gives up a GET that is under way', () => {
  const at = start({ realtime: false });
  const loaded = at.load();
  at.session.close();
  assert.deepEqual(at.world.aborted, [at.request.id]);
  assert.ok(loaded.value, 'nobody is left waiting');
});

test('close() ends everything and says so', () => {
  const at = start();
  const loaded = at.load();
  at.session.close();
  assert.equal(at.status.name, 'closed');
  assert.ok(loaded.value, 'nobody is left waiting');
  assert.equal(at.world.shuts, 1);
  at.session.woke();
  at.world.pass(600_000);
  assert.equal(at.world.opened.length, 1);
  assert.equal(at.save('late').error.code, 'closed');
  assert.equal(at.load().error.code, 'closed');
});
