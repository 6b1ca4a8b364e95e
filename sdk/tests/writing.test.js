// Writes: seen at once, joined, acknowledged, kept while offline, and never lost or undone by a late answer.
//
// Always true: every test plays the broker by hand, answer by answer.
//
// Read first: help/session.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { composePatches, LuxConflict, mergePatch } from '../lux.js';
import { record, start } from './help/session.js';

const sent = (at) => at.world.requests.map(({ method, body }) => [method, JSON.parse(body)]);
const fail = (at) => at.session.failed(at.request.id, new Error('connection reset'));

test('a saved state shows at once and is acknowledged with its revision', () => {
  const at = start();
  at.goLive(record(4, { orders: 4 }));
  const saved = at.save({ orders: 5 });
  assert.deepEqual([at.state, at.meta.source, at.meta.rev, at.meta.pending], [{ orders: 5 }, 'local', 4, true]);
  assert.deepEqual([at.status.pendingWrites, at.world.requests], [1, []]);
  at.world.pass(100);
  assert.equal(at.request.headers['Content-Type'], 'application/json');
  assert.deepEqual(sent(at), [['PUT', { data: { orders: 5 } }]]);
  at.answer({ body: record(5, { orders: 5 }) });
  assert.deepEqual(saved.value, { epoch: 'a', rev: 5, updatedAt: 1_782_000_000_005 });
  assert.deepEqual([at.meta.source, at.meta.rev, at.meta.pending, at.status.pendingWrites], ['remote', 5, false, 0]);
});

test('writes of one window go as one, and all of them are acknowledged', () => {
  const at = start({ debounce: 250 });
  const all = [at.patch({ a: 1 }), at.patch({ b: { c: 2 } })];
  at.world.pass(249);
  all.push(at.patch({ b: { d: null } }));
  assert.deepEqual(at.world.requests, []);
  at.world.pass(1);
  assert.equal(at.request.headers['Content-Type'], 'application/merge-patch+json');
  assert.deepEqual(sent(at), [['PATCH', { a: 1, b: { c: 2, d: null } }]]);
  at.answer({ status: 201, body: record(1, { a: 1, b: { c: 2 } }) });
  assert.deepEqual(all.map(({ value }) => value.rev), [1, 1, 1]);
});

test('a steady flow of writes cannot put its own sending off', () => {
  const at = start({ debounce: 100 });
  for (let n = 0; n < 10; n += 1) {
    at.save(n);
    at.world.pass(30);
  }
  assert.ok(at.world.requests.length > 0);
});

test('a save takes the place of what waits; a patch changes a save that waits', () => {
  const at = start();
  const first = at.patch({ gone: true });
  at.save({ a: 1, b: 2 });
  at.patch({ b: null, c: 3 });
  assert.deepEqual(at.state, { a: 1, c: 3 });
  at.world.pass(100);
  assert.deepEqual(sent(at), [['PUT', { data: { a: 1, c: 3 } }]]);
  at.answer({ status: 201, body: record(1, { a: 1, c: 3 }) });
  assert.equal(first.value.rev, 1);
});

test('patches that no single patch can say go one after the other', () => {
  const at = start();
  at.goLive(record(1, { a: { old: true } }));
  at.patch({ a: null });
  at.patch({ a: { fresh: true } });
  assert.deepEqual(at.state, { a: { fresh: true } });
  at.world.pass(100);
  at.answer({ body: record(2, {}) });
  at.answer({ body: record(3, { a: { fresh: true } }) });
  assert.deepEqual(sent(at), [['PATCH', { a: null }], ['PATCH', { a: { fresh: true } }]]);
  assert.equal(at.status.pendingWrites, 0);
});

test('a patch made while one is under way is kept and sent after it, however late the answer', () => {
  const at = start();
  at.goLive(record(1, { n: 1 }));
  at.patch({ n: 2 });
  at.world.pass(100);
  const late = at.patch({ m: 1 });
  at.world.pass(20_000);
  assert.equal(at.world.requests.length, 1);
  at.answer({ body: record(2, { n: 2 }) });
  assert.deepEqual(at.state, { n: 2, m: 1 });
  assert.deepEqual(sent(at), [['PATCH', { n: 2 }], ['PATCH', { m: 1 }]]);
  at.answer({ body: record(3, { n: 2, m: 1 }) });
  assert.equal(late.value.rev, 3);
});

test('what others write shows beneath what is not yet acknowledged', () => {
  const at = start();
  at.goLive(record(1, { n: 1, m: 1 }));
  at.patch({ n: 2 });
  at.hear(record(2, { n: 9, m: 9 }));
  assert.deepEqual(at.state, { n: 2, m: 9 });
  assert.equal(at.meta.source, 'local');
});

test('nothing flickers, whether the answer or the own record on the stream comes first', () => {
  for (const order of ['answer', 'stream']) {
    const at = start();
    at.goLive(record(1, { n: 1 }));
    const seen = [];
    const see = () => seen.push(at.state.n);
    at.patch({ n: 2 });
    see();
    at.world.pass(100);
    const { id } = at.request;
    at.patch({ n: 3 });
    see();
    const steps = [() => at.answer({ body: record(2, { n: 2 }), id }), () => at.hear(record(2, { n: 2 }))];
    for (const step of order === 'answer' ? steps : steps.reverse()) {
      step();
      see();
    }
    at.world.pass(100);
    at.answer({ body: record(3, { n: 3 }) });
    see();
    assert.deepEqual(seen, [2, 3, 3, 3, 3], order);
  }
});

test('an answer that comes after a newer record does not bring the older one back', () => {
  const at = start();
  at.goLive(record(1, 'one'));
  at.save('mine');
  at.world.pass(100);
  at.hear(record(2, 'mine'));
  at.hear(record(3, 'theirs'));
  at.answer({ body: record(2, 'mine') });
  assert.deepEqual([at.state, at.meta.rev], ['theirs', 3]);
});

test('offline, a write is kept, the status says so, and it is sent when the broker is back', () => {
  const at = start();
  const saved = at.save('kept');
  at.world.pass(100);
  fail(at);
  assert.deepEqual([at.status.name, at.status.retryInMs, at.status.pendingWrites], ['offline', 500, 1]);
  assert.deepEqual([at.state, saved], ['kept', {}]);
  at.world.pass(500);
  fail(at);
  assert.equal(at.status.retryInMs, 1000);
  at.world.pass(1000);
  at.answer({ status: 201, body: record(1, 'kept') });
  assert.equal(saved.value.rev, 1);
  assert.deepEqual([at.status.name, at.status.error, at.world.requests.length], ['idle', null, 3]);
});

test('an acknowledgement makes the rests of later failures short again', () => {
  const at = start();
  for (let round = 0; round < 2; round += 1) {
    at.save(round);
    at.world.pass(100);
    for (const ms of [500, 1000, 2000]) {
      fail(at);
      assert.equal(at.status.retryInMs, ms);
      at.world.pass(ms);
    }
    at.answer({ body: record(round + 1, round) });
  }
});

test('an entity tag that a proxy made weak still tells the epoch', () => {
  const at = start();
  const saved = at.save('x');
  at.world.pass(100);
  at.session.answered(at.request.id, { status: 201, etag: 'W/"b7.1"', text: JSON.stringify(record(1, 'x')) });
  assert.equal(saved.value.epoch, 'b7');
});

test('writes that rest go out as soon as the stream is back', () => {
  const at = start();
  at.goLive(record(1, 'one'));
  at.save('two');
  at.world.pass(100);
  at.drop({ code: 1006 });
  for (let n = 0; n < 6; n += 1) {
    fail(at);
    at.session.woke();
  }
  fail(at);
  const tries = at.world.requests.length;
  at.accept(null, 'a');
  assert.equal(at.world.requests.length, tries + 1);
});

test('a busy broker is asked again; one that refuses is not', () => {
  for (const status of [408, 429, 500, 502, 503, 504]) {
    const at = start();
    const saved = at.save('x');
    at.world.pass(100);
    at.refuse(status);
    assert.deepEqual([saved, at.status.pendingWrites], [{}, 1], `${status}`);
  }
  for (const status of [400, 403, 413, 415, 501, 507]) {
    const at = start();
    const saved = at.save('x');
    at.world.pass(100);
    at.refuse(status, 'why');
    assert.deepEqual([saved.error.status, saved.error.code, at.status.pendingWrites], [status, 'why', 0], `${status}`);
  }
});

test('an answer that no broker gave is none', () => {
  const at = start();
  const saved = at.save('x');
  at.world.pass(100);
  at.session.answered(at.request.id, { status: 200, etag: null, text: '<h1>Please log in</h1>' });
  assert.deepEqual([saved, at.status.pendingWrites], [{}, 1]);
});

test('a refused write rejects, and the state falls back to what the broker last said', () => {
  const at = start();
  at.goLive(record(1, { n: 1 }));
  const saved = at.save({ n: 'huge' });
  at.world.pass(100);
  const patched = at.patch({ m: 1 });
  at.refuse(413, 'state_too_large');
  assert.equal(saved.error.code, 'state_too_large');
  assert.deepEqual([at.state, at.status.error.code], [{ n: 1, m: 1 }, 'state_too_large']);
  at.world.pass(100);
  at.answer({ body: record(2, { n: 1, m: 1 }) });
  assert.equal(patched.value.rev, 2);
});

test('a key that may not write is told, and a key that is gone ends it', () => {
  const at = start();
  const saved = at.save('x');
  at.world.pass(100);
  at.refuse(401, 'unauthorized');
  assert.equal(saved.error.status, 401);
  assert.equal(at.status.name, 'unauthorized');
  const again = at.save('y');
  at.world.pass(100);
  at.answer({ status: 201, body: record(1, 'y') });
  assert.equal(again.value.rev, 1);
  assert.equal(at.status.name, 'idle');
});

test('where the application can be asked for another key, a write is tried with it', () => {
  const at = start({ asks: true });
  const saved = at.save('x');
  at.world.pass(100);
  at.refuse(401);
  at.world.pass(500);
  at.answer({ status: 201, body: record(1, 'x') });
  assert.equal(saved.value.rev, 1);
  const denied = at.save('y');
  at.world.pass(100);
  for (let n = 0; n < 3; n += 1) {
    at.refuse(401);
    at.world.pass(2_000);
  }
  assert.equal(denied.error.status, 401);
});

test('flush() does not wait for the window, nor for the end of a rest', () => {
  const at = start({ debounce: 5_000 });
  at.save('now');
  at.session.flush();
  assert.equal(at.world.requests.length, 1);
  fail(at);
  at.session.flush();
  assert.equal(at.world.requests.length, 2);
});

test('compare-and-set sends the revision seen, and a conflict carries the record as it is now', () => {
  const at = start();
  at.goLive(record(4, { n: 4 }));
  const saved = at.save({ n: 5 }, true);
  assert.equal(at.request.headers['If-Match'], '"a.4"');
  at.answer({ status: 412, body: record(6, { n: 6 }) });
  assert.ok(saved.error instanceof LuxConflict);
  assert.deepEqual(saved.error.record, record(6, { n: 6 }));
  assert.deepEqual([at.state, at.meta.rev, at.meta.pending], [{ n: 6 }, 6, false]);
});

test('compare-and-set on a key without a state asks for there being none', () => {
  const at = start();
  at.goLive(record(0, null, { updatedAt: 0 }));
  at.save({ n: 1 }, true);
  assert.deepEqual([at.request.headers['If-None-Match'], at.request.headers['If-Match']], ['*', undefined]);
});

test('compare-and-set needs something that was seen', () => {
  const at = start();
  assert.equal(at.save({ n: 1 }, true).error.code, 'not-loaded');
});

test('compare-and-set behind own writes compares with what these made', () => {
  const at = start();
  at.goLive(record(4, { n: 4 }));
  at.patch({ m: 1 });
  at.save({ n: 5 }, true);
  at.answer({ body: record(5, { n: 4, m: 1 }) });
  assert.equal(at.request.headers['If-Match'], '"a.5"');
});

test('compare-and-set behind own writes still finds what others wrote in between', () => {
  const at = start();
  at.goLive(record(4, { n: 4 }));
  at.patch({ m: 1 });
  at.save({ n: 5 }, true);
  at.answer({ body: record(6, { n: 9, m: 1 }) });
  assert.equal(at.request.headers['If-Match'], '"a.4"');
});

test('compare-and-set whose answer was lost does not conflict with itself', () => {
  const at = start();
  at.goLive(record(4, { n: 4 }));
  const saved = at.save({ n: 5 }, true);
  fail(at);
  at.world.pass(500);
  at.answer({ status: 412, body: record(5, { n: 5 }) });
  assert.equal(saved.value.rev, 5);
});

test('compare-and-set conflicts even with who wrote the same', () => {
  const at = start();
  at.goLive(record(4, { n: 4 }));
  const saved = at.save({ n: 5 }, true);
  at.answer({ status: 412, body: record(5, { n: 5 }) });
  assert.ok(saved.error instanceof LuxConflict);
});

test('a write behind one that is refused goes out at once', () => {
  const at = start();
  at.goLive(record(4, { n: 4 }));
  at.save({ n: 5 }, true);
  at.patch({ m: 1 });
  at.world.pass(100);
  at.answer({ status: 412, body: record(6, { n: 6 }) });
  assert.deepEqual([at.request.method, at.request.body], ['PATCH', '{"m":1}']);
});

test('compare-and-set is not joined with other writes', () => {
  const at = start({ debounce: 100 });
  at.goLive(record(1, { n: 1 }));
  at.save({ n: 2 }, true);
  at.patch({ m: 2 });
  at.world.pass(100);
  at.answer({ body: record(2, { n: 2 }) });
  assert.deepEqual(sent(at), [['PUT', { data: { n: 2 } }], ['PATCH', { m: 2 }]]);
});

test('a page that ends sends what is unacknowledged once more, as one request that outlives it', () => {
  const at = start();
  at.goLive(record(1, { n: 1 }));
  const first = at.patch({ n: 2 });
  at.world.pass(100);
  const { id } = at.request;
  const second = at.patch({ m: 2 });
  at.session.hide(true);
  assert.deepEqual(at.world.aborted, [id]);
  assert.deepEqual([at.request.keepalive, JSON.parse(at.request.body)], [true, { n: 2, m: 2 }]);
  at.answer({ body: record(3, { n: 2, m: 2 }) });
  assert.deepEqual([first.value.rev, second.value.rev], [3, 3]);
});

test('only requests of a page that leaves are to outlive it', () => {
  const at = start();
  const keepalive = () => {
    at.save('x');
    at.world.pass(100);
    at.answer({ body: record(at.meta.rev + 1, 'x') });
    return at.request.keepalive;
  };
  assert.equal(keepalive(), false);
  at.session.hide(false);
  assert.equal(keepalive(), false, 'hidden, and going on');
  at.session.hide(true);
  assert.equal(keepalive(), true);
  at.session.woke();
  assert.equal(keepalive(), false, 'it came back');
});

test('close() sends what waits, in order; what fails then rejects', () => {
  const at = start({ debounce: 60_000 });
  const saved = at.save({ a: 1 });
  at.session.close();
  assert.deepEqual([at.status.name, at.request.keepalive, at.request.method], ['closed', true, 'PUT']);
  at.answer({ status: 201, body: record(1, { a: 1 }) });
  assert.equal(saved.value.rev, 1);
  const other = start();
  const lost = other.save({ a: 1 });
  other.session.close();
  fail(other);
  assert.equal(lost.error.code, 'closed');
  assert.equal(other.status.pendingWrites, 0);
});

// RFC 7396, appendix A: target, patch, result.
const MERGES = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b' }, { a: null }, {}],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [['a', 'b'], ['c', 'd'], ['c', 'd']],
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test('merging is what RFC 7396 says', () => {
  for (const [target, patch, result] of MERGES) assert.deepEqual(mergePatch(target, patch), result);
});

test('a member named __proto__ is a member', () => {
  const merged = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
  assert.equal({}.polluted, undefined);
  assert.deepEqual(Object.keys(merged), ['__proto__']);
});

test('one patch for two does what the two do, or does not exist', () => {
  const values = [null, 1, {}, { x: 1 }, { x: null }, { x: { y: 1 } }, { x: { y: null } }, { y: { x: 2 } }];
  const patches = [...values, ...values.map((a) => ({ a })), ...values.map((a) => ({ a, b: 1 }))];
  const targets = [undefined, ...patches, { a: { x: { y: 5, z: 6 }, w: 7 }, b: 8 }];
  let composed = 0;
  for (const first of patches) {
    for (const second of patches) {
      const both = composePatches(first, second);
      if (both === undefined) continue;
      composed += 1;
      for (const target of targets) {
        assert.deepEqual(mergePatch(target, both), mergePatch(mergePatch(target, first), second));
      }
    }
  }
  assert.ok(composed > 300, `only ${composed} pairs composed`);
});
