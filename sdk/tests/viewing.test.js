// What a viewer sees: the order of records, epochs, deletions, and what was stored before.
//
// Always true: every test plays the broker by hand, message by message.
//
// Read first: help/session.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { record, start } from './help/session.js';

test('the stored state shows at once, then the broker confirms it without sending it again', () => {
  const at = start({ local: { rev: 7, updatedAt: 70, data: { orders: 7 } } });
  assert.deepEqual(at.state, { orders: 7 });
  assert.equal(at.meta.source, 'local');
  assert.equal(at.meta.connected, false);
  at.load();
  assert.equal(at.stream.since, 'a.7');
  at.accept(null, 'a');
  assert.deepEqual(at.state, { orders: 7 });
  assert.equal(at.meta.source, 'remote');
  assert.equal(at.meta.connected, true);
});

test('a viewer never writes, whatever it had stored', () => {
  const at = start({ local: { rev: 7, updatedAt: 70, data: { orders: 7 } } });
  at.goLive(record(3, { orders: 3 }), 'b');
  at.drop();
  at.world.pass(60_000);
  at.accept(record(4, { orders: 4 }), 'b');
  at.session.woke();
  at.session.flush();
  at.session.hide(true);
  at.session.close();
  assert.deepEqual(at.world.requests, []);
});

test('a snapshot shows once `synced` has named its epoch', () => {
  const at = start();
  const loaded = at.load();
  at.session.opened(at.stream.id);
  at.hear(record(5, 'five'));
  assert.equal(at.state, undefined);
  assert.deepEqual(loaded, {});
  at.hear({ synced: true, epoch: 'a' });
  assert.equal(at.state, 'five');
  assert.deepEqual([at.meta.source, at.meta.rev, at.meta.epoch], ['remote', 5, 'a']);
  assert.ok(loaded.value);
});

test('each change shows as live; an older revision after a newer one does not', () => {
  const at = start();
  at.goLive(record(5, 'five'));
  at.hear(record(7, 'seven'));
  at.hear(record(6, 'six'));
  assert.deepEqual([at.state, at.meta.rev, at.meta.source], ['seven', 7, 'live']);
});

test('two revisions of one millisecond both show', () => {
  const at = start();
  at.goLive(record(1, 'first', { updatedAt: 1000 }));
  at.hear(record(2, 'second', { updatedAt: 1000 }));
  assert.equal(at.state, 'second');
  at.hear(record(3, 'third', { updatedAt: 1000 }));
  assert.equal(at.state, 'third');
});

test('a new epoch replaces what was held, though its revision is smaller', () => {
  const at = start();
  at.goLive(record(900, 'before'), 'a');
  at.drop({ code: 1012 });
  at.world.pass(3_000);
  assert.equal(at.stream.since, 'a.900');
  at.accept(record(2, 'after'), 'b');
  assert.deepEqual([at.state, at.meta.rev, at.meta.epoch], ['after', 2, 'b']);
});

test('what was held and is not in the snapshot of a new epoch is dropped', () => {
  const at = start({ local: { rev: 7, updatedAt: 70, data: 'stored' } });
  at.load();
  at.accept(null, 'b');
  assert.deepEqual([at.state, at.meta.exists, at.meta.rev], [null, false, 0]);
});

test('a key that never had a state is told from one whose state is null', () => {
  const never = start();
  never.goLive(record(0, null, { updatedAt: 0 }));
  assert.deepEqual([never.state, never.meta.exists, never.meta.deleted], [null, false, undefined]);
  const isNull = start();
  isNull.goLive(record(1, null));
  assert.deepEqual([isNull.state, isNull.meta.exists], [null, true]);
});

test('a deletion shows, and an older record does not undo it', () => {
  const at = start();
  at.goLive(record(1, 'one'));
  at.hear(record(3, null, { deleted: true }));
  at.hear(record(2, 'two'));
  assert.deepEqual([at.state, at.meta.deleted, at.meta.exists, at.meta.rev], [null, true, false, 3]);
  at.hear(record(4, 'again'));
  assert.deepEqual([at.state, at.meta.deleted, at.meta.exists], ['again', undefined, true]);
});

test('messages of another kind or key, and garbage, change nothing', () => {
  const at = start();
  at.goLive(record(1, 'one'));
  at.hear({ error: 'bad_message', message: 'not understood' });
  at.hear({ ...record(9, 'other'), key: 'dashboard-other' });
  at.hear({ ...record(9, 'odd'), rev: '9' });
  at.session.received(at.stream.id, '{"key":');
  at.session.received(at.stream.id, new ArrayBuffer(4));
  assert.deepEqual([at.state, at.meta.rev], ['one', 1]);
});

test('messages of a stream that was given up change nothing', () => {
  const at = start();
  at.goLive(record(1, 'one'));
  const old = at.stream.id;
  at.drop();
  at.world.pass(1_000);
  at.hear(record(2, 'late'), old);
  assert.equal(at.state, 'one');
});

test('the answer to a write can tell of a new epoch first; the old stream is then opened again', () => {
  const at = start();
  at.goLive(record(50, 'before'), 'a');
  const old = at.stream.id;
  at.save('mine');
  at.world.pass(100);
  at.answer({ status: 201, body: record(1, 'mine'), epoch: 'b' });
  assert.deepEqual([at.state, at.meta.rev, at.meta.epoch], ['mine', 1, 'b']);
  assert.notEqual(at.stream.id, old);
  assert.equal(at.stream.since, 'b.1');
  at.hear(record(51, 'late'), old);
  assert.equal(at.state, 'mine');
});

test('an answer out of an epoch that was left in the meantime does not bring it back', () => {
  const at = start();
  at.goLive(record(50, 'before'), 'a');
  const saved = at.save('mine');
  at.world.pass(100);
  at.drop({ code: 1012 });
  at.world.pass(3_000);
  at.accept(record(1, 'after'), 'b');
  at.answer({ body: record(51, 'mine'), epoch: 'a', id: at.world.requests[0].id });
  assert.deepEqual([at.state, at.meta.rev, at.meta.epoch], ['after', 1, 'b']);
  assert.deepEqual([saved.value.rev, saved.value.epoch], [51, 'a']);
});

test('without realtime, one GET is all', () => {
  const at = start({ realtime: false });
  const loaded = at.load();
  assert.equal(at.request.method, 'GET');
  assert.equal(at.status.name, 'connecting');
  at.answer({ body: record(4, 'four') });
  assert.ok(loaded.value);
  assert.deepEqual([at.state, at.meta.source, at.meta.rev, at.meta.connected], ['four', 'remote', 4, false]);
  assert.equal(at.status.name, 'idle');
  at.world.pass(600_000);
  assert.equal(at.world.requests.length, 1);
  assert.deepEqual(at.world.opened, []);
});

test('without realtime, a stored state that is current is confirmed by a 304', () => {
  const at = start({ realtime: false, local: { rev: 4, updatedAt: 40, data: 'four' } });
  const loaded = at.load();
  assert.equal(at.request.headers['If-None-Match'], '"a.4"');
  at.answer({ status: 304 });
  assert.ok(loaded.value);
  assert.deepEqual([at.state, at.meta.source], ['four', 'remote']);
});

test('without realtime, a 404 says that there is no state', () => {
  const at = start({ realtime: false, local: { rev: 4, updatedAt: 40, data: 'four' } });
  const loaded = at.load();
  at.refuse(404, 'no_state');
  assert.ok(loaded.value);
  assert.deepEqual([at.state, at.meta.exists, at.meta.deleted], [null, false, true]);
});

test('without realtime, a 404 that was overtaken by a write does not hide it', () => {
  const at = start({ realtime: false });
  at.load();
  const read = at.request.id;
  at.save('mine');
  at.world.pass(100);
  at.answer({ status: 201, body: record(1, 'mine') });
  at.refuse(404, 'no_state', read);
  assert.equal(at.state, 'mine');
});

test('without realtime, an unreachable broker rejects, and load() can be called again', () => {
  const at = start({ realtime: false, local: { rev: 4, updatedAt: 40, data: 'four' } });
  const first = at.load();
  at.session.failed(at.request.id, new Error('connection refused'));
  assert.equal(first.error.code, 'offline');
  assert.deepEqual([at.status.name, at.state], ['offline', 'four']);
  const second = at.load();
  at.answer({ body: record(5, 'five') });
  assert.ok(second.value);
  assert.equal(at.state, 'five');
});

test('a page that no broker wrote is no state', () => {
  const at = start({ realtime: false });
  const loaded = at.load();
  at.session.answered(at.request.id, { status: 404, etag: null, text: '<h1>Not Found</h1>' });
  assert.equal(loaded.error.status, 404);
  assert.equal(at.state, undefined);
});
