// What people do together on the example pages: nobody's work is lost, and whoever comes second is told.
//
// Always true: two real tabs, a real broker; what is asserted is what both see and what the broker has.
// Read first: ../../examples/shared/page.js.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { API_KEY, Broker, luxProgram, stopLux, until } from './help/broker.js';
import { closeProfile, launch, profile, serveFolder } from './help/browser.js';

const FOLDER = fileURLToPath(new URL('../../examples/', import.meta.url));
let broker, browser, folder, screen;

before(async () => {
  [broker, browser, folder] = await Promise.all([Broker.start(), launch(), serveFolder(FOLDER)]);
});
after(async () => {
  await Promise.allSettled([browser?.close(), broker?.close(), folder?.close()]);
});
beforeEach(async () => { screen = await profile(browser); });
afterEach(() => closeProfile(screen));

async function open(name, query = '') {
  const page = await screen.context.newPage();
  await page.goto(`${folder.address}/${name}/?${query}&broker=${broker.address}#key=${API_KEY}`);
  await page.locator('html[data-link="live"]').waitFor();
  return page;
}

async function state(key) {
  const { status, text } = await broker.curl('GET', `/${key}`);
  return status === 200 ? JSON.parse(text).data : null;
}

test('two who type in different fields at once lose not a letter', async () => {
  const [ada, ben] = await Promise.all([open('collaborative-ui-state', 'as=Ada'), open('collaborative-ui-state', 'as=Ben')]);
  const [one, other] = ['The board is live now, and stays so.', 'Old proxies fall back to event streams; support knows.'];
  await Promise.all([
    ada.locator('textarea[name="changes"]').pressSequentially(one, { delay: 15 }),
    ben.locator('textarea[name="risks"]').pressSequentially(other, { delay: 11 }),
  ]);
  for (const page of [ada, ben]) {
    await page.waitForFunction(([changes, risks]) => document.forms[0].changes.value === changes && document.forms[0].risks.value === risks, [one, other]);
  }
  const { fields } = await state('review-launch-notes');
  assert.deepEqual([fields.changes, fields.risks], [one, other]);
});

test("a person's caret is shown to the other, under their name, and goes when they leave", async () => {
  const [ada, ben] = await Promise.all([open('collaborative-ui-state', 'as=Ada'), open('collaborative-ui-state', 'as=Ben')]);
  await ben.locator('input[name="headline"]').focus();
  await ada.locator('.flag', { hasText: 'Ben' }).waitFor();
  await ada.locator('.mirror .caret').waitFor();
  await ben.close({ runBeforeUnload: false });
  await ada.locator('#people', { hasText: 'Ada' }).waitFor();
  await ada.waitForFunction(() => !document.getElementById('people').textContent.includes('Ben'), null, { timeout: 25_000 });
});

test('an operator and a shell who change one incident in the same moment keep both changes', async () => {
  await broker.put('incident-INC-1042', { id: 'INC-1042', title: 'Checkout answers slowly', status: 'open', severity: 'high', tasks: { find: { text: 'Find it' } }, notes: {} });
  const page = await open('internal-ops-board', 'as=cleo');
  await page.getByText('Checkout answers slowly').first().waitFor();
  const args = ['-sS', '-o', '/dev/null', '-X', 'PATCH', `${broker.address}/api/lux/incident-INC-1042`, '-H', `Authorization: Bearer ${API_KEY}`, '-H', 'Content-Type: application/merge-patch+json', '-d', '{"severity":"critical","notes":{"n1":{"by":"bo","text":"half of all orders","at":"1"}}}'];
  const cleo = page.getByText('Find it').click().then(() => page.getByRole('button', { name: 'Take command' }).click());
  await Promise.all([once(spawn('curl', args), 'exit'), cleo]);
  const all = ({ severity, assigned_to: commander, tasks, notes }) => [severity, commander, tasks.find.done_by, notes.n1?.by, Object.keys(notes).length];
  const wanted = ['critical', 'cleo', 'cleo', 'bo', 2];
  await until(async () => String(all(await state('incident-INC-1042'))) === String(wanted)).catch(async () => assert.deepEqual(all(await state('incident-INC-1042')), wanted));
  await page.getByText('half of all orders').waitFor();
});

test('who saves second overwrites nothing unseen, sees both sides, and chooses', async () => {
  const settings = { version: 1, saved_by: 'ops', limit: 200, free_shipping_from: 49, provider: 'adyen', banner: 'Hello', maintenance: false };
  await broker.put('settings-checkout', settings);
  const page = await open('settings-admin', 'as=ana');
  const save = page.getByRole('button', { name: 'Save', exact: true });
  await page.locator('input[name="limit"]').fill('400');
  await broker.put('settings-checkout', { ...settings, version: 2, limit: 180 });
  await page.getByText('Somebody has saved since you began.').waitFor();
  assert.equal(await page.locator('input[name="limit"]').inputValue(), '400', 'what is being edited stays');
  await save.click();
  await page.getByText('ops saved version 2 while you were editing. Yours was not saved.').waitFor();
  assert.equal((await state('settings-checkout')).limit, 180);
  // A third one comes in between: mine is compared with what I have seen, so I am asked again.
  await broker.put('settings-checkout', { ...settings, version: 3, limit: 190 });
  await page.locator('#now', { hasText: '190' }).waitFor();
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await page.getByText('ops saved version 3 while').waitFor();
  assert.equal((await state('settings-checkout')).limit, 190);
  await page.getByRole('button', { name: 'Save mine over it' }).click();
  await page.locator('#version', { hasText: 'version 4' }).waitFor();
  assert.deepEqual([(await state('settings-checkout')).limit, (await state('settings-checkout')).saved_by], [400, 'ana']);
});

test('a page without a key asks for one, and goes on', async () => {
  await broker.put('dashboard-main', { summary: 'orders_per_second=7', orders_per_second: 7 });
  const page = await screen.context.newPage();
  await page.goto(`${folder.address}/live-dashboard/?broker=${broker.address}`);
  await page.getByLabel('API key').fill(API_KEY);
  await page.getByRole('button', { name: 'Open' }).click();
  await page.locator('#orders', { hasText: /^7$/ }).waitFor();
  await page.locator('#help').waitFor({ state: 'hidden' });
});

test('a device that is shut down is offline at once', async () => {
  const env = { ...process.env, LUX_BROKER: broker.address, LUX_API_KEY: API_KEY };
  const agent = spawn('./agent.py', ['--device', 'edge-17', '--every', '0.1'], { cwd: `${FOLDER}/edge-device-status`, env, stdio: 'ignore' });
  const page = await open('edge-device-status');
  await page.locator('#online', { hasText: /^online$/ }).waitFor();
  agent.kill('SIGTERM');
  await page.locator('#online', { hasText: /^offline$/ }).waitFor();
  await page.locator('#summary', { hasText: 'edge-17 offline' }).waitFor();
});

test('the demo has a gallery, whose boards are live', async () => {
  const demo = spawn(luxProgram(), ['demo', '--quiet', '--for', '60s'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [said] = await once(demo.stdout, 'data');
    const [, address, key] = /^(http:\/\/\S+?)\/?#(key=\S+)/.exec(said);
    const page = await screen.context.newPage();
    await page.goto(`${address}/examples#${key}`);
    const board = page.locator('a.is-live', { hasText: 'Live dashboard' });
    await board.waitFor();
    assert.equal(await page.locator('#gallery img').count(), 9);
    await page.waitForFunction(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0));
    await board.click();
    await page.locator('#orders', { hasText: /^\d+$/ }).waitFor();
    await page.goBack();
    await page.getByText('Deployment board').click();
    await page.locator('.deployment', { hasText: 'web' }).waitFor();
  } finally {
    await stopLux(demo);
  }
});
