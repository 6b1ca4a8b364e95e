// A page that never has an API key: a tiny backend gives it tokens, which end again and again under its eyes.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { API_KEY, Broker, until } from './help/broker.js';
import { assertNeverReloaded, closeProfile, launch, markPage, profile } from './help/browser.js';

const LIFE_S = 6;
const PAGE = (address) => `<!doctype html><title>tokens</title>
<output id="orders"></output> <output id="status"></output>
<script type="module">
  import { lux } from '${address}/lux.js';
  const dashboard = lux('dashboard-main', {
    endpoint: '${address}/api/lux',
    token: () => fetch('/lux-token').then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error('no')))),
  });
  window.statuses = [];
  window.seen = [];
  dashboard.onStatus((status) => {
    window.statuses.push(status);
    document.querySelector('#status').value = status;
  });
  dashboard.load((state) => {
    window.seen.push(state?.orders);
    document.querySelector('#orders').value = state?.orders ?? '–';
  });
</script>`;

/** What an application's own server does: its page, and a token for who may see it. */
class Backend {
  static async start(broker) {
    const backend = Object.assign(new Backend(), { broker, tokens: 0, failing: false });
    backend.server = createServer((request, response) => backend.answer(request, response));
    backend.server.listen(0, '127.0.0.1');
    await once(backend.server, 'listening');
    backend.address = `http://127.0.0.1:${backend.server.address().port}`;
    return backend;
  }

  async answer(request, response) {
    if (request.url === '/') return response.setHeader('Content-Type', 'text/html').end(PAGE(this.broker.address));
    if (request.url !== '/lux-token') return response.writeHead(404).end();
    this.tokens += 1;
    if (this.failing) return response.writeHead(503).end();
    const wish = JSON.stringify({ read: ['dashboard-*'], for: `${LIFE_S}s` });
    const { status, text } = await this.broker.curl('POST', '/_token', { body: wish });
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(text);
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

let broker, browser, backend, screen, page;

before(async () => {
  [broker, browser] = await Promise.all([Broker.start(), launch()]);
});
after(async () => {
  await Promise.allSettled([browser?.close(), broker?.close()]);
});
beforeEach(async () => {
  backend = await Backend.start(broker);
  screen = await profile(browser);
  page = await screen.context.newPage();
  await broker.put('dashboard-main', { orders: 1 });
  await page.goto(backend.address);
  await shows('#status', 'live');
  await markPage(page);
});
afterEach(async () => {
  await closeProfile(screen);
  backend.close();
});

const shows = (what, text) => page.locator(what, { hasText: new RegExp(`^${text}$`) }).waitFor();

test('it watches over three expiries without a gap, and misses nothing', async () => {
  let written = 1;
  const enough = async () => {
    written += 1;
    await broker.put('dashboard-main', { orders: written });
    await shows('#orders', written);
    return backend.tokens >= 4;
  };
  await until(enough, 60_000);
  const { statuses, seen, text } = await page.evaluate(() => ({
    statuses: window.statuses, seen: window.seen, text: document.documentElement.outerHTML,
  }));
  assert.deepEqual(statuses.filter((status, at) => status !== statuses[at - 1]), ['idle', 'connecting', 'live']);
  assert.deepEqual(seen, [...seen].sort((a, b) => a - b), 'never back');
  assert.equal(seen.at(-1), written);
  assert.ok(!text.includes(API_KEY), 'no API key was ever in the page');
  await assertNeverReloaded(page);
});

test('a backend that gives no tokens for a while is asked again, and the page comes back by itself', async () => {
  backend.failing = true;
  const before = backend.tokens;
  await page.locator('#status', { hasText: /^offline$/ }).waitFor();
  await until(async () => backend.tokens > before + 1, 20_000);
  assert.ok(backend.tokens < before + 20, `${backend.tokens - before} times is too often`);
  assert.equal(await page.locator('#orders').textContent(), '1', 'what is known stays on the screen');
  backend.failing = false;
  await broker.put('dashboard-main', { orders: 2 });
  await shows('#orders', 2);
  await shows('#status', 'live');
  await assertNeverReloaded(page);
});
