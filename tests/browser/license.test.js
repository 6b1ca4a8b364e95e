// The console's quiet line about the license.
//
// Always true: it says how the license stands now, and a page that is open learns of another one by itself. Without
// one everything works as with one.
// Read first: help/broker.js, help/browser.js.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { API_KEY, luxProgram, startLux, stopLux } from './help/broker.js';
import { assertNeverReloaded, closeProfile, launch, markPage, profile } from './help/browser.js';

const run = promisify(execFile);
let browser, desk, dir, lux, page;

before(async () => {
  browser = await launch();
  dir = await mkdtemp(join(tmpdir(), 'lux-license-'));
  const { stdout } = await run(luxProgram(), ['license', 'issue', '--new-key', join(dir, 'vendor.key')]);
  await writeFile(join(dir, 'vendor.pub'), stdout);
  const args = ['serve', '--listen', '127.0.0.1:0', '--state-dir', dir, '--vendor-key', join(dir, 'vendor.pub')];
  lux = await startLux(args);
});
after(async () => {
  if (lux) await stopLux(lux.child);
  await Promise.allSettled([browser?.close(), rm(dir, { recursive: true, force: true })]);
});
beforeEach(async () => {
  desk = await profile(browser);
  page = await desk.context.newPage();
});
afterEach(() => closeProfile(desk));

const line = (words) => page.locator('#license').getByText(words);

/** Puts a license where the broker finds it, and has it look. */
async function license(issued) {
  const { stdout } = await run(luxProgram(), [
    'license', 'issue', '--key', join(dir, 'vendor.key'), '--customer', 'Example GmbH', '--tier', 'team',
    '--contact', 'help@vendor.example', '--for', '1d', '--issued', issued.toISOString(),
  ]);
  await writeFile(join(dir, 'license'), stdout);
  lux.child.kill('SIGHUP');
}

test('says how the license stands, and learns of another while it is open', async () => {
  const day = 24 * 60 * 60 * 1000;
  await page.goto(`${lux.address}/#key=${API_KEY}`);
  await line('Evaluation, without a license in force').waitFor();
  await markPage(page);

  await license(new Date());
  const end = new Date(Date.now() + day).toISOString().slice(0, 7);
  await line(`Licensed: team, until ${end}`).waitFor();
  await line('verified with a key of your own').waitFor();

  await license(new Date(Date.now() - 3 * day));
  await line('Please renew it').waitFor();
  await license(new Date(Date.now() - 300 * day));
  await line(/^The license ended on \d{4}-\d\d-\d\d \(/).waitFor();
  await assertNeverReloaded(page);
});

test('says nothing to a key that may not read the metrics', async () => {
  const { stdout } = await run(luxProgram(), ['key', 'add', 'wall', '--read', 'wall-*', '--state-dir', dir]);
  lux.child.kill('SIGHUP');
  await page.goto(lux.address);
  await page.getByLabel('API key', { exact: true }).fill(stdout.trim());
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByLabel('Keys to watch').fill('wall-*');
  const refused = page.waitForResponse((response) => response.url().endsWith('/metrics'));
  await page.getByRole('button', { name: 'Open' }).click();
  assert.equal((await refused).status(), 403);
  assert.equal(await page.locator('#license').isVisible(), false);
});
