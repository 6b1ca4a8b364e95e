// The scorecard judged: it passes a broker that works, fails one that does not, for the right reason, and so does the watch on
// what leaves the broker's namespace.
//
// Always true: brokers, Chromium and namespaces are real; the only thing that is broken is a relay in between, on purpose.
// Read first: scorecard.js.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { API_KEY, Broker } from '../browser/help/broker.js';
import { Boundary } from './boundary.js';
import { CASES } from './cases.js';
import { startRelay } from './relay.js';
import { scorecard } from './scorecard.js';

let into;
before(async () => { into = await mkdtemp(join(tmpdir(), 'lux-scorecards-')); });
after(() => rm(into, { recursive: true, force: true }));

/** Where frames are lost for certain, nothing is gained by waiting long for them. */
const BRIEF = { seenMs: 2_000, producerMs: 5_000 };
const failed = ({ results }) => results[0].checks.filter(({ ok }) => !ok).map(({ name }) => name);

test('every use case passes, with a picture, its times and the boundary', async (t) => {
  const done = await scorecard({ into, say: (line) => t.diagnostic(line) });
  assert.deepEqual(done.results.filter(({ ok }) => !ok).map(({ folder, checks }) => [folder, checks.filter(({ ok }) => !ok)]), []);
  assert.equal(done.ok, true, done.boundary.words);
  const written = JSON.parse(await readFile(`${done.folder}/scorecard.json`, 'utf8'));
  assert.deepEqual(written.use_cases.map(({ key, proof }) => [key, proof]), CASES.map(({ key, proof }) => [key, proof]));
  for (const { picture, times_ms: times } of written.use_cases) {
    assert.ok(existsSync(`${done.folder}/${picture}`), picture);
    assert.equal(times.made, 21);
    for (const part of ['acknowledged', 'delivered', 'shown']) assert.ok(times[part].median > 0 && times[part].worst >= times[part].median, part);
  }
  assert.match(await readFile(done.path, 'utf8'), /# Use cases: PASS/);
});

async function throughRelay(every, patience) {
  const broker = await Broker.start();
  const relay = await startRelay(broker.address, every);
  try {
    const done = await scorecard({ only: ['live-dashboard'], broker: relay.address, apiKey: API_KEY, into, patience });
    return { ...done, lost: relay.lost() };
  } finally {
    relay.close();
    await broker.close();
  }
}

test('a broker whose viewers hear nothing after the snapshot fails, for that reason and no other', async () => {
  const done = await throughRelay(1, BRIEF);
  assert.equal(done.ok, false);
  assert.ok(done.lost > 0);
  assert.deepEqual(failed(done), ['its producer moves the page', '`lux watch` sees it', 'the open page shows it without a reload', 'every timed change arrives']);
  assert.match(await readFile(done.path, 'utf8'), /never reached the page's WebSocket/);
});

test('a broker that loses one frame in seven fails', async () => {
  const done = await throughRelay(7, BRIEF);
  assert.equal(done.ok, false);
  assert.ok(failed(done).includes('every timed change arrives'), failed(done).join());
  assert.ok(!failed(done).includes('curl reads it'), 'what was acknowledged can be read');
});

test('a relay that loses nothing changes nothing', async () => {
  const done = await throughRelay(Infinity);
  assert.deepEqual([failed(done), done.ok, done.lost], [[], true, 0]);
  assert.match(done.boundary.words, /^Not shown/);
});

test('whatever leaves the namespace is seen: a connection, a datagram, a ping to itself', async (t) => {
  const { boundary, why } = await Boundary.make();
  if (!boundary) {
    assert.ok(!process.env.LUX_SKIP_NOTHING, why);
    return t.skip(why);
  }
  try {
    assert.deepEqual((await boundary.verdict()).outward, [], 'nothing yet');
    for (const [line, seen] of [
      ['import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.7", 53))', /UDP to 203\.0\.113\.7/],
      ['import socket; s = socket.socket(); s.settimeout(0.3); s.connect_ex(("203.0.113.8", 443))', /TCP connection begun to 203\.0\.113\.8:443/],
      ['import socket; socket.socket().connect_ex(("127.0.0.1", 9))', /TCP connection begun to 127\.0\.0\.1:9/],
    ]) {
      await boundary.inside('python3', ['-c', line]);
      const { ok, outward } = await boundary.verdict();
      assert.equal(ok, false);
      assert.match(outward.join('\n'), seen);
    }
  } finally {
    await boundary.close();
  }
});
