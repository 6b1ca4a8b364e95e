// The example board, the SDK and the real broker: what somebody in front of the wall sees.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { API_KEY, Broker } from './help/broker.js';
import { assertNeverReloaded, closeProfile, launch, markPage, profile, serveFolder } from './help/browser.js';

const FOLDER = fileURLToPath(new URL('../../examples/', import.meta.url));
let broker, browser, folder, screen, page;

before(async () => {
  [broker, browser, folder] = await Promise.all([Broker.start(), launch(), serveFolder(FOLDER)]);
});
after(async () => {
  await Promise.allSettled([browser?.close(), broker?.close(), folder?.close()]);
});
beforeEach(async () => {
  screen = await profile(browser);
  page = await screen.context.newPage();
  await page.goto(`${folder.address}/live-dashboard/?broker=${broker.address}#key=${API_KEY}`);
  await page.getByText('Live', { exact: true }).waitFor();
  await markPage(page);
});
afterEach(() => closeProfile(screen));

const orders = (text) => page.locator('#orders', { hasText: new RegExp(`^${text}$`) }).waitFor();

test('a state that curl writes appears without a reload', async () => {
  await broker.put('dashboard-main', { orders_per_second: 42, summary: 'orders_per_second=42' });
  await orders('42');
  await assertNeverReloaded(page);
});

test('the key leaves the address bar', async () => {
  assert.ok(!page.url().includes(API_KEY), page.url());
});

test('a deletion leaves a dash, and a new state is shown again', async () => {
  await broker.put('dashboard-main', { orders_per_second: 42 });
  await orders('42');
  assert.equal((await broker.delete('dashboard-main')).status, 204);
  await orders('–');
  await page.getByText('nobody writes this state').waitFor();
  await broker.put('dashboard-main', { orders_per_second: 17 });
  await orders('17');
  await assertNeverReloaded(page);
});

test('a broker that restarts on its port is found again', async () => {
  await broker.put('dashboard-main', { orders_per_second: 42 });
  await orders('42');
  await broker.down();
  await page.getByText(/^(Not connected|Connecting)$/).waitFor();
  await broker.up();
  await broker.put('dashboard-main', { orders_per_second: 44 });
  await orders('44');
  await page.getByText('Live', { exact: true }).waitFor();
  await assertNeverReloaded(page);
});

test("a second tab's patch appears here, and leaves the other members as they were", async () => {
  await broker.put('dashboard-main', { orders_per_second: 42, latency_p95_ms: 180 });
  await orders('42');
  const other = await screen.context.newPage();
  await other.goto(`${folder.address}/live-dashboard/?broker=${broker.address}#key=${API_KEY}`);
  await other.evaluate(async ({ address, apiKey }) => {
    const { lux } = await import(`${address}/lux.js`);
    const dashboard = lux('dashboard-main', { endpoint: `${address}/api/lux`, apiKey, realtime: true });
    await dashboard.load(() => {});
    await dashboard.patch({ orders_per_second: 43 });
    await dashboard.close();
  }, { address: broker.address, apiKey: API_KEY });
  await orders('43');
  assert.equal(await page.locator('#p95').textContent(), '180');
  await assertNeverReloaded(page);
});
