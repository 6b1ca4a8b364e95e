// The example that is rendered on a server, sdk/examples/rendered: no flash, no warning, no state sent twice.
//
// Always true: what React says about hydration fails the test.
//
// Read first: sdk/examples/rendered/server.js, help/react.js.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { renderPage } from '../../sdk/examples/rendered/server.js';
import { API_KEY, Broker } from './help/broker.js';
import { closeProfile, launch, profile } from './help/browser.js';
import { IMPORT_MAP, serveReact } from './help/react.js';

const ICON = '<link rel="icon" href="data:,">';
const HEAD = `${ICON}${IMPORT_MAP}<script type="module" src="/sdk/examples/rendered/page.js"></script>`;
let broker, browser, site, address, kept;

before(async () => {
  [broker, browser] = await Promise.all([Broker.start(), launch()]);
  address = broker.address;
  const render = (head) => renderPage({ broker: address, apiKey: API_KEY, head });
  site = await serveReact({ pages: (path) => (path === '/kept' ? kept : render(path === '/still' ? ICON : HEAD)) });
});
after(() => Promise.allSettled([browser?.close(), broker?.close(), site?.close()]));

/** A page that notes every text the output had, from its first paint on, and every frame its sockets brought. */
async function openPage(t, options) {
  const desk = await profile(browser, options);
  t.after(() => closeProfile(desk));
  const page = await desk.context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') desk.complaints.push(message.text());
  });
  page.frames = [];
  page.addresses = [];
  page.on('websocket', (socket) => {
    page.addresses.push(socket.url());
    socket.on('framereceived', ({ payload }) => page.frames.push(JSON.parse(payload)));
  });
  await page.addInitScript(() => {
    globalThis.texts = [];
    new MutationObserver(() => {
      const text = document.querySelector('#orders')?.textContent;
      if (text && text !== texts.at(-1)) texts.push(text);
    }).observe(document, { childList: true, characterData: true, subtree: true });
  });
  return page;
}

const put = (orders) => broker.put('dashboard-main', { orders_per_second: orders });
const shows = (page, text) => page.locator('#orders', { hasText: new RegExp(`^${text}$`) }).waitFor();
const isLive = (page) => page.locator('#status', { hasText: 'live' }).waitFor();

test('the state is in the page before any script', async (t) => {
  await put(42);
  const page = await openPage(t, { javaScriptEnabled: false });
  await page.goto(site.address);
  assert.equal(await page.locator('#orders').textContent(), '42');
});

test('the stream goes on from what was rendered: nothing flashes, and nothing is sent twice', async (t) => {
  await put(42);
  const page = await openPage(t);
  await page.goto(site.address);
  await isLive(page);
  assert.deepEqual(page.frames.map(({ synced }) => synced), [true], 'only `synced`, no record');
  assert.match(page.addresses[0], /\?since=\w+\.\d+$/);
  await put(43);
  await shows(page, '43');
  await page.getByText('one more').click();
  await shows(page, '44');
  assert.deepEqual(await page.evaluate(() => texts), ['42', '43', '44']);
});

test('what changed between rendering and the stream arrives', async (t) => {
  await put(50);
  const page = await openPage(t);
  await page.route('**/page.js', async (route) => {
    await put(51);
    await route.continue();
  });
  await page.goto(site.address);
  await shows(page, '51');
  assert.deepEqual(await page.evaluate(() => texts), ['50', '51']);
});

test('a newer state that this browser saw already goes before a page that was rendered earlier', async (t) => {
  await put(60);
  const page = await openPage(t);
  kept = await renderPage({ broker: address, apiKey: API_KEY, head: HEAD });
  await page.goto(site.address);
  await isLive(page);
  await put(61);
  await shows(page, '61');
  await page.waitForFunction(() => Object.values(localStorage).join().includes(':61'));
  page.frames.length = 0;
  await page.goto(`${site.address}/kept`);
  await isLive(page);
  assert.deepEqual(await page.evaluate(() => texts), ['60', '61'], 'the HTML, then never back');
  assert.deepEqual(page.frames.map(({ synced }) => synced), [true], 'it came from storage: no record was sent');
});

test('a state cannot end the element that carries it', async (t) => {
  await broker.put('dashboard-main', { orders_per_second: '</script><script>document.title="broken"</script><!--' });
  const page = await openPage(t);
  await page.goto(site.address);
  await isLive(page);
  assert.equal(await page.title(), 'Orders');
  assert.match(await page.locator('#orders').textContent(), /^<\/script>/);
});

test('a key without a state, and a broker that is away, render too', async (t) => {
  await broker.delete('dashboard-main');
  const page = await openPage(t);
  await page.goto(site.address);
  await shows(page, 'no state yet');
  await put(70);
  await shows(page, '70');
  address = 'http://127.0.0.1:9';
  t.after(() => { address = broker.address; });
  await page.goto(`${site.address}/still`);
  await shows(page, 'no state yet');
});
