// <lux-value>, as a broker serves it: what it shows, when, and over how many sockets.
//
// Always true: a page that throws fails the test.
//
// Read first: sdk/lux-element.js.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { API_KEY, Broker, until } from './help/broker.js';
import { closeProfile, launch, profile } from './help/browser.js';
import { serveReact } from './help/react.js';

let broker, browser, site, desk, page, html;

before(async () => {
  broker = await Broker.start();
  browser = await launch();
  site = await serveReact({ pages: () => html });
});
after(() => Promise.allSettled([browser?.close(), broker?.close(), site?.close()]));
beforeEach(async () => {
  desk = await profile(browser, { locale: 'en-US', timezoneId: 'UTC' });
  page = await desk.context.newPage();
  page.streams = [];
  page.sent = [];
  page.on('websocket', (socket) => {
    const stream = { url: socket.url(), closed: false };
    page.streams.push(stream);
    socket.on('framesent', ({ payload }) => page.sent.push(JSON.parse(payload)));
    socket.on('close', () => { stream.closed = true; });
  });
});
afterEach(() => closeProfile(desk));

const CONNECT = (apiKey = API_KEY) => `<script type="module">
  import { connect } from '${broker.address}/lux-element.js';
  connect({ apiKey: '${apiKey}' });
  globalThis.connect = connect;
</script>`;

async function open(body, script = CONNECT()) {
  html = `<!doctype html><html lang="en"><head><link rel="icon" href="data:,"></head><body>${body}${script}</body></html>`;
  await page.goto(site.address);
}

/** What somebody sees of an element: its own text, or what stands between its tags. */
const shows = (id, text) => page.waitForFunction(
  ([id, text]) => document.getElementById(id).innerText.trim() === text || document.getElementById(id).shadowRoot?.textContent === text,
  [id, text],
);
const has = (id, name, wanted = true) => page.waitForFunction(
  ([id, name, wanted]) => document.getElementById(id).hasAttribute(name) === wanted, [id, name, wanted],
);

test('a value shows in place of what stands between the tags, and follows each change', async () => {
  await broker.put('orders', { value: 1 });
  await open('<lux-value id="v" key="orders" path="value">–</lux-value>');
  await shows('v', '1');
  await broker.put('orders', { value: 2 });
  await shows('v', '2');
  assert.equal(await page.locator('#v').evaluate((element) => element.value), 2);
  assert.equal(await page.getByText('2', { exact: true }).count(), 1, 'a reader of the page finds it');
});

test('paths go into objects and arrays, and see only what the state itself has', async () => {
  await broker.put('paths', { list: [{ 'a.b': 'deep' }], no: null, nested: { o: 1 }, data: undefined });
  await open(`<lux-value id="deep" key="paths" path="list.0.a\\.b"></lux-value>
    <lux-value id="record" key="paths" path="data.nested.o"></lux-value>
    <lux-value id="whole" key="paths" path="nested"></lux-value>
    <lux-value id="none" key="paths" path="constructor.name">nothing</lux-value>
    <lux-value id="null" key="paths" path="no">nothing here</lux-value>`);
  await shows('deep', 'deep');
  await shows('record', '1');
  await shows('whole', '{"o":1}');
  assert.equal(await page.locator('#none').innerText(), 'nothing');
  assert.equal(await page.locator('#null').innerText(), 'nothing here');
});

test('numbers, shares and dates are written as the page\'s language writes them', async () => {
  await broker.put('formats', { n: 1234567.891, share: 0.4217, at: Date.UTC(2026, 10, 22, 13, 5, 9), text: 'as it is' });
  await open(`<lux-value id="n" key="formats" path="n" format="number"></lux-value>
    <p lang="de"><lux-value id="de" key="formats" path="n" format="number" digits="1"></lux-value></p>
    <lux-value id="share" key="formats" path="share" format="percent" digits="1"></lux-value>
    <lux-value id="date" key="formats" path="at" format="date"></lux-value>
    <lux-value id="datetime" key="formats" path="at" format="datetime" lang="en-GB"></lux-value>
    <lux-value id="text" key="formats" path="text" format="number"></lux-value>`);
  await shows('n', '1,234,567.891');
  await shows('de', '1.234.567,9');
  await shows('share', '42.2%');
  await shows('date', 'Nov 22, 2026');
  await shows('datetime', '22 Nov 2026, 13:05:09');
  await shows('text', 'as it is');
});

test('a state is text, whatever it says', async () => {
  await broker.put('evil', { value: '<img src=x onerror="globalThis.broken=1"><script>globalThis.broken=1</script>' });
  await open('<lux-value id="v" key="evil" path="value">–</lux-value>');
  await page.waitForFunction(() => document.getElementById('v').shadowRoot?.textContent.startsWith('<img'));
  assert.deepEqual(await page.evaluate(() => [globalThis.broken, document.getElementById('v').shadowRoot.querySelectorAll('*').length]), [undefined, 1]);
});

test('style sheets see whether it is unknown, stale or deleted', async () => {
  await open('<lux-value id="v" key="lights" path="value">?</lux-value>', '');
  assert.equal(await page.locator('#v').innerText(), '?', 'before any script');
  await open('<lux-value id="v" key="lights" path="value">?</lux-value>');
  await has('v', 'deleted'); // there is none yet
  await broker.put('lights', { value: 'green' });
  await shows('v', 'green');
  for (const name of ['unknown', 'stale', 'deleted']) await has('v', name, false);
  await broker.down();
  await has('v', 'stale');
  await shows('v', 'green');
  await broker.up();
  await broker.put('lights', { value: 'red' });
  await shows('v', 'red');
  await has('v', 'stale', false);
  await broker.delete('lights');
  await has('v', 'deleted');
  assert.equal(await page.locator('#v').innerText(), '?');
});

test('all elements of a page share one socket; each key is asked for once', async () => {
  for (let n = 0; n < 30; n += 1) await put(`many-${n}`, { value: `v${n}`, twice: `w${n}` });
  const two = (n) => `<lux-value id="a${n}" key="many-${n}" path="value"></lux-value> <lux-value id="b${n}" key="many-${n}" path="twice"></lux-value>`;
  await open(Array.from({ length: 30 }, (_, n) => two(n)).join('\n'));
  for (let n = 0; n < 30; n += 1) {
    await shows(`a${n}`, `v${n}`);
    await shows(`b${n}`, `w${n}`);
  }
  assert.equal(page.streams.length, 1);
  assert.deepEqual(page.sent.map(({ subscribe }) => subscribe?.length), [30]);
});

test('a key that may not be read harms no other, and says so', async () => {
  const reader = await broker.addReader('wall', 'open-*');
  await put('open-1', { value: 'seen' });
  await put('shut-1', { value: 'secret' });
  await open(`<lux-value id="shut" key="shut-1" path="value">no</lux-value>
    <lux-value id="open" key="open-1" path="value">…</lux-value>`, CONNECT(reader));
  await shows('open', 'seen');
  await page.waitForFunction(() => document.getElementById('shut').view?.status === 'unauthorized');
  assert.equal(await page.locator('#shut').innerText(), 'no');
  await put('open-1', { value: 'still seen' });
  await shows('open', 'still seen');
});

test('a deletion that an element missed is found out, although a shared stream only leaves it out', async () => {
  await put('gone', { value: 'here' });
  await put('stays', { value: 'here too' });
  await open('<lux-value id="v" key="gone" path="value">none</lux-value><lux-value id="w" key="stays" path="value"></lux-value>');
  await shows('v', 'here');
  await page.waitForFunction(() => Object.values(localStorage).join().includes('"here"'));
  await page.goto('about:blank');
  await broker.delete('gone');
  await page.goto(site.address);
  await shows('w', 'here too');
  await has('v', 'deleted');
  assert.equal(await page.locator('#v').innerText(), 'none');
});

test('moved, taken out, put back, and given another key', async () => {
  await put('one', { value: 'first' });
  await put('two', { value: 'second' });
  await open('<div id="left"><lux-value id="v" key="one" path="value">–</lux-value></div><div id="right"></div>');
  await shows('v', 'first');
  await page.evaluate(() => document.getElementById('right').append(document.getElementById('v')));
  await shows('v', 'first');
  assert.equal(page.sent.length, 1, 'moving asks for nothing');
  await page.evaluate(() => document.getElementById('v').setAttribute('key', 'two'));
  await shows('v', 'second');
  await page.evaluate(() => { document.getElementById('v').key = 'one'; });
  await shows('v', 'first');
  await page.evaluate(() => {
    globalThis.kept = document.getElementById('v');
    kept.remove();
  });
  await until(() => page.streams.every(({ closed }) => closed)); // nobody watches any more
  await put('one', { value: 'meanwhile' });
  await page.evaluate(() => document.body.append(kept));
  await shows('v', 'meanwhile');
});

test('what was set before the element was known counts', async () => {
  await put('early', { value: 0.5 });
  await open('<p id="here"></p>', '');
  await page.evaluate(() => {
    const early = Object.assign(document.createElement('lux-value'), { id: 'v', key: 'early', path: 'value' });
    early.format = 'percent';
    document.getElementById('here').append(early);
  });
  await page.addScriptTag({ type: 'module', content: CONNECT().replace(/<\/?script[^>]*>/g, '') });
  await shows('v', '50%');
  assert.deepEqual(
    await page.locator('#v').evaluate((element) => [element.getAttribute('key'), Object.hasOwn(element, 'key')]), ['early', false],
  );
});

test('a broker may be named, and its API key given late', async () => {
  await put('late', { value: 'there' });
  await open(`<lux-value id="v" url="${broker.address}" key="late" path="value">…</lux-value>`, CONNECT('wrong_0123456789abcdef'));
  await page.waitForFunction(() => document.getElementById('v').view?.status === 'unauthorized');
  await page.evaluate(([url, apiKey]) => connect({ url, apiKey }), [broker.address, API_KEY]);
  await shows('v', 'there');
});

test('a page that a server rendered goes on from what it was given', async () => {
  await put('given', { value: 'new' });
  const record = { key: 'given', rev: 1, updatedAt: 1, data: { value: 'given' } };
  const initial = JSON.stringify({ given: { etag: '"other.1"', record } });
  await open(`<lux-value id="v" key="given" path="value">given</lux-value>
    <script type="application/json" id="lux-initial">${initial}</script>
    <script type="module">
      document.getElementById('v').addEventListener('lux-change', ({ target }) => (globalThis.seen ??= []).push(target.value));
    </script>`);
  await shows('v', 'new');
  assert.equal(await page.evaluate(() => seen[0]), 'given');
});

const headers = { Authorization: `Bearer ${API_KEY}` };
async function put(key, data) {
  const { status } = await fetch(`${broker.address}/api/lux/${key}`, { method: 'PUT', headers, body: JSON.stringify({ data }) });
  assert.ok(status < 300, `${status}`);
}
