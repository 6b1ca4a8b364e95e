// The console, as somebody uses it who has a key and a browser.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { API_KEY, Broker, until } from './help/broker.js';
import { assertNeverReloaded, closeProfile, launch, markPage, profile } from './help/browser.js';

const MAIN = { orders_per_second: 41, summary: 'orders_per_second=41', regions: { 'eu-west': 17, 'us-east': 15 } };
let broker, browser, desk, page;

before(async () => {
  [broker, browser] = await Promise.all([Broker.start(), launch()]);
});
after(async () => {
  await Promise.allSettled([browser?.close(), broker?.close()]);
});
beforeEach(async () => {
  await broker.put('dashboard-main', MAIN);
  await broker.put('device-017', { temperature_c: 21.5 });
  await broker.put('device-018', { temperature_c: 19 });
  desk = await profile(browser);
  page = await desk.context.newPage();
});
afterEach(() => closeProfile(desk));

const row = (key) => page.getByRole('option').filter({ has: page.getByText(key, { exact: true }) });
const keyField = () => page.getByLabel('API key', { exact: true });
const live = () => page.locator('#link').getByText('Live').waitFor();
const leaf = (name) => page.locator('#tree .leaf').filter({ has: page.getByText(name, { exact: true }) });

async function enter(where = '#/') {
  await page.goto(`${broker.address}/${where}&key=${API_KEY}`.replace('#/&', '#'));
  await live();
  await markPage(page);
}

test('asks for the key once', async () => {
  await page.goto(broker.address);
  await keyField().fill('not-the-right-key-at-all');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('alert').getByText('does not know this key').waitFor();

  await keyField().fill(API_KEY);
  await page.getByRole('button', { name: 'Open' }).click();
  await live();
  await row('dashboard-main').waitFor();

  await page.reload();
  await live();
  assert.equal(await keyField().isVisible(), false);
  assert.equal(await page.evaluate(() => localStorage.length), 0, 'without the tick nothing outlives the tab');
});

test('remembers the key on this device when told to, and forgets it when told to', async () => {
  await page.goto(broker.address);
  await keyField().fill(API_KEY);
  await page.getByLabel('Remember on this device').check();
  await page.getByRole('button', { name: 'Open' }).click();
  await live();
  page = await desk.context.newPage();
  await page.goto(broker.address);
  await live();
  await page.getByRole('button', { name: 'Forget the API key' }).click();
  await keyField().waitFor();
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0);
});

test('takes the key from the fragment, out of the address bar, and keeps the deep link', async () => {
  await enter('#/dashboard-main');
  assert.equal(page.url(), `${broker.address}/#/dashboard-main`);
  await page.getByRole('heading', { name: 'dashboard-main' }).waitFor();
});

test('lists every state, and one that is yet to come', async () => {
  await enter();
  for (const key of ['dashboard-main', 'device-017', 'device-018']) await row(key).waitFor();
  await row('dashboard-main').getByText('orders_per_second=41').waitFor();
  await broker.put('zebra', 7);
  await row('zebra').waitFor();
  await broker.delete('zebra');
  await row('zebra').getByText('deleted').waitFor();
  await assertNeverReloaded(page);
});

test('lights what changed in the tree, and nothing else', async () => {
  await enter();
  await row('dashboard-main').click();
  await leaf('orders_per_second').getByText('41', { exact: true }).waitFor();
  await broker.put('dashboard-main', { ...MAIN, orders_per_second: 42, summary: 'orders_per_second=42' });
  await leaf('orders_per_second').getByText('42', { exact: true }).waitFor();
  const glows = (name) => leaf(name).evaluate((element) => element.getAnimations({ subtree: true }).length);
  assert.equal(await glows('orders_per_second'), 1);
  assert.equal(await glows('eu-west'), 0);
  await page.locator('.card').filter({ hasText: 'orders_per_second' }).getByText('42').waitFor();
  await assertNeverReloaded(page);
});

test('shows numbers as the producer wrote them', async () => {
  await broker.curl('PUT', '/exact', { body: '{"data":{"id":12345678901234567890,"one":1.0}}' });
  await enter('#/exact');
  await leaf('id').getByText('12345678901234567890').waitFor();
  await leaf('one').getByText('1.0').waitFor();
  await broker.delete('exact');
  await page.getByText('Deleted just now').waitFor();
});

test('a state is text and never markup', async () => {
  await broker.put('hostile', { '<img src=x onerror=boom()>': '<b id=injected>bold</b>' });
  await enter('#/hostile');
  await page.locator('#tree').getByText('<b id=injected>bold</b>').waitFor();
  assert.equal(await page.locator('#injected, #tree img').count(), 0);
  await broker.delete('hostile');
});

test('says why a screen is old', async () => {
  const { host, hostname, port } = new URL(broker.address);
  // A viewer that takes the head of its stream, and reads nothing more.
  const sleeper = connect({ host: hostname, port });
  sleeper.write(`GET /api/lux/stream/device-017 HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${API_KEY}\r\n\r\n`);
  await once(sleeper, 'readable');
  const address = `127.0.0.1:${sleeper.localPort}`;
  try {
    await enter('#/device-017');
    const ask = page.getByRole('button', { name: 'Why is a screen old?' });
    await ask.click();
    await page.getByText('All 2 viewers were given revision').waitFor();
    await page.getByText(/by the API key “LUX_API_KEY”/).waitFor();
    // More than the kernel keeps for it.
    const filler = 'x'.repeat(100_000);
    for (let n = 0; n < 60; n += 1) await broker.put('device-017', { n, filler });
    await until(async () => {
      await ask.click();
      return page.locator('#explain-list').getByText(address).isVisible();
    });
    await page.locator('#explain-words').getByText(/1 of 2 viewers still have to be given revision \d+/).waitFor();
    await page.locator('#explain-list').getByText(/it holds revision \d+ of \d+ and has been behind for/).waitFor();
    await page.goto(`${broker.address}/#/device-018`);
    await page.getByRole('heading', { name: 'device-018' }).waitFor();
    assert.equal(await page.locator('#explain-words').textContent(), '', 'what was said was of another key');
    await assertNeverReloaded(page);
  } finally {
    sleeper.destroy();
  }
});

test('is searched and walked with the keyboard', async () => {
  await enter();
  await row('dashboard-main').waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('device');
  await page.getByText(/^2 of \d+$/).waitFor();
  assert.equal(await row('dashboard-main').isVisible(), false);
  await page.keyboard.press('ArrowDown');
  await page.getByRole('heading', { name: 'device-017' }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.getByRole('heading', { name: 'device-018' }).waitFor();
  assert.equal(new URL(page.url()).hash, '#/device-018');
  await page.keyboard.press('Escape');
  await row('dashboard-main').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.getByText('Updates per second').waitFor();
});

test('puts the newest change first when asked to', async () => {
  await enter();
  await page.getByText('By change').click();
  await broker.put('device-018', { temperature_c: 20 });
  const first = () => page.locator('.row[aria-posinset="1"]:not([hidden])').getAttribute('data-key');
  await until(async () => (await first()) === 'device-018');
  await broker.put('device-017', { temperature_c: 22 });
  await until(async () => (await first()) === 'device-017');
});

test('has a line for the terminal that does what it says', async () => {
  await broker.put('quoted', { text: "it's" });
  await enter('#/quoted');
  const line = await page.locator('#command').textContent();
  assert.ok(!line.includes(API_KEY), 'the key itself is never in the line');
  assert.match(line, /\$LUX_API_KEY/);
  const { execFileSync } = await import('node:child_process');
  const answer = execFileSync('bash', ['-c', `${line} -sS`], { env: { ...process.env, LUX_API_KEY: API_KEY } });
  assert.deepEqual(JSON.parse(answer), { ...JSON.parse(answer), key: 'quoted', rev: 2, data: { text: "it's" } });
  await page.locator('#rev').getByText('2').waitFor();
  await broker.delete('quoted');
});

test('finds a broker again that restarted, and drops what it no longer has', async () => {
  await enter('#/dashboard-main');
  await leaf('orders_per_second').waitFor();
  await broker.down();
  await page.locator('#link').getByText('Reconnecting').waitFor();
  await broker.up();
  await broker.put('dashboard-main', { ...MAIN, orders_per_second: 43 });
  await live();
  await leaf('orders_per_second').getByText('43', { exact: true }).waitFor();
  const { text } = await broker.curl('GET', '?prefix=device-');
  if (!text.includes('device-017')) await row('device-017').getByText('deleted').waitFor();
  await assertNeverReloaded(page);
});

test('counts updates and shows viewers to a key that reads everything', async () => {
  await enter();
  await page.locator('#overview-viewers').getByText(/^[1-9]/).waitFor();
  await until(async () => {
    await broker.put('device-017', { temperature_c: 23 });
    return Number(await page.locator('#overview-rate').textContent()) > 0;
  });
});

test('fits a phone: no scrolling sideways, the list first, one state over it', async () => {
  await desk.context.close();
  desk = await profile(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  page = await desk.context.newPage();
  await broker.put(`a-key-of-128-characters-${'x'.repeat(104)}`, { text: 'y'.repeat(400) });
  await enter();
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok((await overflow()) <= 0);
  await row('dashboard-main').tap();
  await page.getByRole('heading', { name: 'dashboard-main' }).waitFor();
  assert.ok((await overflow()) <= 0);
  await page.getByRole('button', { name: 'Back to the list' }).tap();
  await row(`a-key-of-128-characters-${'x'.repeat(104)}`).tap();
  await page.locator('#tree').getByText('yyyy').waitFor();
  assert.ok((await overflow()) <= 0);
  await broker.delete(`a-key-of-128-characters-${'x'.repeat(104)}`);
});

test('turns dark and light, and stays so', async () => {
  await enter();
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByRole('button', { name: 'Switch between light and dark' }).click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  await live();
  assert.equal(await ground(), dark);
});

test('a key that reads only some states is told so, and names what to watch', async () => {
  const key = await broker.addReader('console-devices', 'device-*');
  await page.goto(broker.address);
  await keyField().fill(key);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('alert').getByText('may not read everything').waitFor();
  await page.getByLabel('Keys to watch').fill('dashboard-*');
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('alert').getByText('may not read everything').waitFor();
  await page.getByLabel('Keys to watch').fill('device-*');
  await page.getByRole('button', { name: 'Open' }).click();
  await live();
  await row('device-017').waitFor();
  assert.equal(await row('dashboard-main').count(), 0);
  assert.equal(await page.locator('#overview-viewers').isVisible(), false);

  await broker.revoke('console-devices');
  await page.getByRole('alert').getByText('does not know this key').waitFor();

  // Every core goes on for everybody else; each new connection may land on another one.
  for (let visit = 0; visit < 8; visit += 1) assert.equal((await broker.curl('GET', '/dashboard-main')).status, 200);
});
