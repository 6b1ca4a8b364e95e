// A tab that nobody sees: it slows down, lets its stream go, and has the newest state the moment it is shown.
//
// Always true: the tab is really hidden, by another in front of it; only the minute until the stream is let go is
// made shorter.
//
// Read first: help/tabs.js, and `hide` in sdk/lux.js.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { API_KEY, Broker, until } from './help/broker.js';
import { Window } from './help/tabs.js';

let broker, window, tab, other;

before(async () => {
  broker = await Broker.start();
  window = await Window.open();
});
after(() => Promise.allSettled([window?.close(), broker?.close()]));

beforeEach(async () => {
  await put(0);
  tab = await window.tab(broker.address);
  other = null;
  await until(() => tab.run(() => document.readyState === 'complete' && location.protocol === 'http:'));
});

afterEach(() => Promise.allSettled([tab?.close(), other?.close()]));

const headers = { Authorization: `Bearer ${API_KEY}` };
const metrics = async () => (await fetch(`${broker.address}/metrics`, { headers })).text();

async function put(data) {
  const { status } = await fetch(`${broker.address}/api/lux/hidden`, { method: 'PUT', headers, body: JSON.stringify({ data }) });
  assert.ok(status < 300, `${status}`);
}

/** A session that notes what it is told and when, in the tab. A minute lasts `minute` milliseconds. */
const open = (options = {}, minute = 60_000) => tab.run(async (apiKey, options, minute) => {
  const { lux } = await import('/lux.js');
  const later = (act, ms) => setTimeout(act, ms === 60_000 ? minute : ms);
  const session = lux('hidden', { apiKey, persist: false, setTimeout: later, ...options });
  const at = Object.assign(globalThis, { session, told: [], statuses: [], shownAt: 0 });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') at.shownAt = performance.now();
  });
  session.onStatus((status) => at.statuses.push(status));
  await session.load((state) => at.told.push({ state, at: performance.now() }));
}, API_KEY, options, minute);

const status = (wanted) => until(() => tab.run((wanted) => statuses.at(-1) === wanted, wanted));
const shows = (wanted) => until(() => tab.run((wanted) => told.at(-1)?.state === wanted, wanted));

async function hide() {
  other = await window.tab();
  await until(() => tab.run(() => document.visibilityState === 'hidden'));
}

async function show() {
  await tab.show();
  await until(() => tab.run(() => document.visibilityState === 'visible'));
}

/** So many writes at once, the last of them the number itself. */
async function write(from, to) {
  for (let n = from; n <= to; n += 1) await put(n);
}

test('its listeners hear at most once a second, of the newest state then, and at once when it is shown', async () => {
  await open();
  await hide();
  const before = await tab.run(() => told.length);
  await write(1, 40);
  await shows(40); // convergent, out of sight too
  const heard = await tab.run((before) => told.slice(before), before);
  assert.ok(heard.length < 40 / 2, `${heard.length} of 40 changes`);
  for (const [at, { at: time }] of heard.entries()) {
    if (at > 0) assert.ok(time - heard[at - 1].at > 950, `${time - heard[at - 1].at} ms between two`);
  }
  await write(41, 42); // the second of these, at the latest, is put off
  await show();
  await shows(42);
  await write(43, 60);
  await shows(60);
  const late = await tab.run(() => told.filter(({ state }) => state > 42).length);
  assert.ok(late > 2, 'in sight, changes are told as they come');
});

test('what was put off is told in the moment it is shown, before anything else comes', async () => {
  await open();
  await hide();
  await put(1);
  await shows(1); // from now on it rests
  await put(2);
  await until(() => tab.run(() => session.peek().state === 2)); // it knows, and has not told
  assert.equal(await tab.run(() => told.at(-1).state), 1);
  await show();
  const [late] = await tab.run(() => told.filter(({ state }) => state === 2).map(({ at }) => at - shownAt));
  assert.ok(Math.abs(late) < 50, `${late} ms from being shown`);
});

test('after a minute it lets its stream go; shown, it goes on from what it knew', async () => {
  await open({}, 200);
  await hide();
  await status('paused');
  await until(async () => !/^lux_viewers(\{[^}]*\})? [1-9]/m.test(await metrics())); // the broker serves nobody
  await write(1, 3);
  assert.equal(await tab.run(() => session.peek().state), 0);
  await tab.run(() => { told.length = 0; });
  await show();
  await shows(3);
  await status('live');
  assert.deepEqual(await tab.run(() => told.map(({ state }) => state)), [3]);
});

test('promises hold: a write out of sight arrives, and load() asks again', async () => {
  await open({}, 200);
  await hide();
  await status('paused');
  const { rev } = await tab.run(() => session.save(7));
  assert.ok(rev > 1);
  assert.equal(JSON.parse((await broker.curl('GET', '/hidden')).text).data, 7);
  await put(8);
  assert.equal(await tab.run(async () => (await session.load()).state), 8);
  await status('paused'); // and rests again, a minute later
});

test('a page that counts in its title may ask to be served as one in sight', async () => {
  await open({ background: true }, 200);
  await hide();
  await write(1, 10);
  await shows(10);
  assert.ok((await tab.run(() => statuses)).every((name) => name !== 'paused'));
  assert.ok(await tab.run(() => told.length > 3), 'told as they come');
});
