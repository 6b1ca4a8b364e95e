// The console's pure modules, in the browser they are for: the rules of the stream, and quoting.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Broker } from './help/broker.js';
import { closeProfile, launch, profile } from './help/browser.js';

let broker, browser, desk, page;

before(async () => {
  [broker, browser] = await Promise.all([Broker.start(), launch()]);
  desk = await profile(browser);
  page = await desk.context.newPage();
  await page.goto(broker.address);
  await page.evaluate(async () => {
    const [{ Store }, { Session }, { History }] = await Promise.all(
      ['store', 'session', 'history'].map((name) => import(`/_console/${name}.js`)),
    );
    const record = (key, rev, data) => JSON.stringify({ key, rev, updatedAt: 1, data });
    const synced = (epoch) => JSON.stringify({ synced: true, epoch });
    globalThis.story = (tell) => {
      const store = new Store(new History());
      tell({ store, record, synced, session: (options) => new Session(store, options) });
      return [...store.entries.values()]
        .map(({ key, rev, deleted, text }) => [key, rev, deleted ? 'deleted' : JSON.parse(text).data]);
    };
  });
});
after(async () => {
  await closeProfile(desk);
  await Promise.allSettled([browser?.close(), broker?.close()]);
});

test('a snapshot, then changes; an older revision never wins', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    const one = session();
    for (const frame of [record('a', 3, 'old'), record('b', 1, 1), synced('e1'), record('a', 5, 'new'), record('a', 4, 'late')]) {
      one.frame(frame);
    }
  }));
  assert.deepEqual(held, [['a', 5, 'new'], ['b', 1, 1]]);
});

test('what a new snapshot does not name is gone', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    const one = session();
    for (const frame of [record('a', 1, 1), record('b', 1, 1), synced('e1')]) one.frame(frame);
    const two = session();
    for (const frame of [record('b', 2, 2), synced('e1')]) two.frame(frame);
  }));
  assert.deepEqual(held, [['a', 1, 'deleted'], ['b', 2, 2]]);
});

test('in another epoch a smaller revision is the newer one', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    const one = session();
    for (const frame of [record('a', 90, 'before'), synced('e1')]) one.frame(frame);
    const two = session();
    for (const frame of [record('a', 1, 'after'), synced('e2')]) two.frame(frame);
  }));
  assert.deepEqual(held, [['a', 1, 'after']]);
});

test('in the same epoch a snapshot that lags does not win', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    const one = session();
    for (const frame of [record('a', 90, 'newer'), synced('e1')]) one.frame(frame);
    const two = session();
    for (const frame of [record('a', 89, 'older'), synced('e1')]) two.frame(frame);
  }));
  assert.deepEqual(held, [['a', 90, 'newer']]);
});

test('a resumed stream that names nothing leaves what is held', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    const one = session();
    for (const frame of [record('a', 2, 'kept'), synced('e1')]) one.frame(frame);
    session({ resumed: true }).frame(synced('e1'));
  }));
  assert.deepEqual(held, [['a', 2, 'kept']]);
});

test('revision 0 says that there is nothing', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    const one = session();
    for (const frame of [record('a', 7, 'x'), synced('e1')]) one.frame(frame);
    const two = session({ resumed: true });
    for (const frame of [record('a', 0, null), synced('e2')]) two.frame(frame);
  }));
  assert.deepEqual(held, [['a', 0, 'deleted']]);
});

test('a snapshot that broke off is not compared with the next', async () => {
  const held = await page.evaluate(() => story(({ session, record, synced }) => {
    session().frame(record('a', 50, 'broken off'));
    const two = session();
    for (const frame of [record('a', 2, 'whole'), synced('e1')]) two.frame(frame);
  }));
  assert.deepEqual(held, [['a', 2, 'whole']]);
});

test('viewers are summed over the labels, and absent rather than zero', async () => {
  const sums = await page.evaluate(async () => {
    const { viewersIn } = await import('/_console/viewers.js');
    return [
      viewersIn('# TYPE lux_viewers gauge\nlux_viewers{core="0"} 3\nlux_viewers{core="1"} 4\nlux_viewers_total 9\n'),
      viewersIn('lux_viewers 5\n'),
      viewersIn('lux_writes_total 1\n'),
    ];
  });
  assert.deepEqual(sums, [7, 5, null]);
});
