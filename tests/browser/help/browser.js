// A real Chromium, and pages in it that must not complain.
//
// Always true: a page that throws, or breaks the broker's content security policy, fails the test that opened
// it.
// Read first: broker.js.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { chromium } from 'playwright-core';

export const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];

/** Starts Chromium: `CHROMIUM`, or where Debian puts it. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
}

/** A fresh profile: its own storage, one size, one theme. `complaints` collects what went wrong in its pages. */
export async function profile(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(30_000);
  const complaints = [];
  context.on('weberror', (error) => complaints.push(String(error.error().stack ?? error.error())));
  context.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  return { context, complaints };
}

/** Closes a profile; what its pages complained of fails the test now. */
export async function closeProfile({ context, complaints }) {
  await context.close();
  assert.deepEqual(complaints, []);
}

/** Marks the page, so that a reload can be told from patience. */
export async function markPage(page) {
  await page.evaluate(() => { globalThis.neverReloaded = true; });
}

export async function assertNeverReloaded(page) {
  assert.equal(await page.evaluate(() => globalThis.neverReloaded), true, 'the page was reloaded');
}

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** Serves a folder as any static server would. */
export async function serveFolder(folder) {
  const server = createServer(async ({ url }, response) => {
    const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname));
    try {
      const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
      const bytes = await readFile(file);
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
