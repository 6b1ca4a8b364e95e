// The console over TLS: https for the page, wss for what it watches.
//
// Always true: the broker ends TLS itself; curl believes nothing but the certificate that lies in the state directory.
// Read first: help/broker.js, help/browser.js.

import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { API_KEY, Broker, until } from './help/broker.js';
import { assertNeverReloaded, closeProfile, launch, markPage, profile } from './help/browser.js';

const SELF_SIGNED = ['--tls-self-signed'];
let broker, browser, desk, page, sockets;

before(async () => {
  [broker, browser] = await Promise.all([Broker.start(SELF_SIGNED), launch()]);
});
after(async () => {
  await Promise.allSettled([browser?.close(), broker?.close()]);
});
beforeEach(async () => {
  await broker.put('dashboard-main', { orders_per_second: 41 });
  desk = await profile(browser, { ignoreHTTPSErrors: true });
  page = await desk.context.newPage();
  sockets = [];
  page.on('websocket', (socket) => sockets.push(socket));
});
afterEach(() => closeProfile(desk));

const shows = (number) => page.locator('#tree .leaf').filter({ hasText: 'orders_per_second' }).getByText(number, { exact: true }).waitFor();

async function enter() {
  await page.goto(`${broker.address}/#/dashboard-main`);
  await page.getByLabel('API key', { exact: true }).fill(API_KEY);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.locator('#link').getByText('Live').waitFor();
  await markPage(page);
}

/** Puts another broker's pair where this one's lies, and has it look. */
async function renew() {
  const other = await Broker.start(SELF_SIGNED);
  for (const name of ['self-signed.key', 'self-signed.pem']) await copyFile(other.file(name), broker.file(name));
  await other.close();
  broker.child.kill('SIGHUP');
  await until(() => broker.curl('GET', '/dashboard-main').then(({ status }) => status === 200, () => false));
}

test('a state arrives over wss, without a reload', async () => {
  await enter();
  await shows('41');
  await broker.put('dashboard-main', { orders_per_second: 42 });
  await shows('42');
  const wanted = `${broker.address.replace('https:', 'wss:')}/api/lux`;
  assert.ok(sockets.length > 0 && sockets.every((socket) => socket.url().startsWith(wanted)), sockets.map((s) => s.url()).join());
  await assertNeverReloaded(page);
});

test('a renewed certificate closes no WebSocket, and changes go on', async () => {
  await enter();
  await shows('41');
  const before = [...sockets];
  await renew();
  await broker.put('dashboard-main', { orders_per_second: 43 });
  await shows('43');
  assert.ok(before.length > 0);
  assert.deepEqual(sockets.map((socket) => socket.isClosed()), before.map(() => false), 'closed, or opened anew');
  await assertNeverReloaded(page);
});
