// lux-react.js, as a broker serves it, with React 18 and 19: what a component shows, and what it opens.
//
// Always true: React complains of nothing, its development warnings included.
//
// Read first: help/react.js.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { API_KEY, Broker, until } from './help/broker.js';
import { closeProfile, launch, profile } from './help/browser.js';
import { IMPORT_MAP, serveReact } from './help/react.js';

const SDK = new URL('../../sdk/', import.meta.url);
const VERSIONS = [[18, import.meta.url], [19, SDK]];

let broker, browser;
before(async () => {
  [broker, browser] = await Promise.all([Broker.start(), launch()]);
});
after(() => Promise.allSettled([browser?.close(), broker?.close()]));

/** A page that has React and the hook at hand, counts its sockets, and fails the test if React warns. */
async function openPage(t, site) {
  const desk = await profile(browser);
  const page = await desk.context.newPage();
  page.on('console', (message) => {
    const isOfReact = /^(error|warning)$/.test(message.type()) && !/^(Failed to load resource|WebSocket connection to)/.test(message.text());
    if (isOfReact) desk.complaints.push(message.text());
  });
  t.after(() => closeProfile(desk));
  page.streams = [];
  page.on('websocket', (socket) => {
    const stream = { url: socket.url(), closed: false };
    page.streams.push(stream);
    socket.on('close', () => { stream.closed = true; });
  });
  page.open = () => page.streams.filter(({ closed }) => !closed).length;
  await page.goto(`${site.address}/`);
  await page.waitForFunction(() => globalThis.ready);
  return page;
}

const PAGE = () => `<!doctype html><html lang="en"><head><link rel="icon" href="data:,">${IMPORT_MAP}</head>
<body><div id="app"></div><script type="module">
  import * as React from 'react';
  import { createRoot } from 'react-dom/client';
  import * as sdk from '${broker.address}/lux-react.js';
  const root = createRoot(document.querySelector('#app'));
  const at = { endpoint: '${broker.address}/api/lux', apiKey: '${API_KEY}' };
  const h = React.createElement;
  Object.assign(globalThis, { React, h, root, sdk, at, ...sdk, ready: true });
  globalThis.Show = ({ of, id = of }) => {
    const { state, meta, status } = useLux(of);
    return h('output', { id }, meta.exists ? JSON.stringify(state) : 'none', ' ', status);
  };
</script></body></html>`;

const shows = (page, id, text) => page.locator(`#${id}`, { hasText: text }).waitFor();

for (const [version, from] of VERSIONS) {
  describe(`React ${version}`, () => {
    let site;
    before(async () => { site = await serveReact({ from, pages: PAGE }); });
    after(() => site?.close());

    test('it is that version', async (t) => {
      const page = await openPage(t, site);
      assert.match(await page.evaluate(() => React.version), new RegExp(`^${version}\\.`));
    });

    test('a state shows, then each change, and its deletion', async (t) => {
      const page = await openPage(t, site);
      await broker.put('hook', { n: 1 });
      await page.evaluate(() => root.render(h(LuxProvider, at, h(Show, { of: 'hook' }))));
      await shows(page, 'hook', '{"n":1} live');
      await broker.put('hook', { n: 2 });
      await shows(page, 'hook', '{"n":2} live');
      await broker.delete('hook');
      await shows(page, 'hook', 'none live');
    });

    test('however many components and double mounts, a key has one stream, which ends with the last of them', async (t) => {
      const page = await openPage(t, site);
      await broker.put('shared', 1);
      await broker.put('other', 1);
      await page.evaluate(() => {
        const many = (count) => Array.from({ length: count }, (_, at) => h(Show, { of: 'shared', id: `shared-${at}`, key: at }));
        globalThis.draw = (count, ...rest) => root.render(h(React.StrictMode, null, h(LuxProvider, at, ...rest, ...many(count))));
        draw(5, h(Show, { of: 'other', key: 'other' }));
      });
      await shows(page, 'shared-4', '1 live');
      await shows(page, 'other', '1 live');
      assert.equal(page.streams.length, 2, 'StrictMode mounts, unmounts and mounts');
      await page.evaluate(() => draw(1));
      await until(() => page.open() === 1);
      await page.evaluate(() => draw(3));
      await shows(page, 'shared-2', '1 live');
      assert.equal(page.streams.length, 2, 'and a component that joins finds the stream there');
      await page.evaluate(() => draw(0));
      await until(() => page.open() === 0);
    });

    test('a component that asks for another key shows that at once, and lets the old one go', async (t) => {
      const page = await openPage(t, site);
      await broker.put('first', 'one');
      await broker.put('second', 'two');
      await page.evaluate(() => root.render(h(LuxProvider, at, h(Show, { of: 'first', id: 'it' }))));
      await shows(page, 'it', '"one" live');
      await page.evaluate(() => root.render(h(LuxProvider, at, h(Show, { of: 'second', id: 'it' }))));
      await shows(page, 'it', '"two" live');
      await until(() => page.open() === 1);
      await broker.put('first', 'late');
      await broker.put('second', 'three');
      await shows(page, 'it', '"three" live');
    });

    test('in no render do two components show two revisions, however slowly it is rendered', async (t) => {
      const page = await openPage(t, site);
      await broker.put('ticking', 0);
      await page.evaluate(() => {
        globalThis.seen = [];
        const Slow = ({ load }) => {
          const { state } = useLux('ticking');
          for (const end = performance.now() + 4; performance.now() < end; ); // leaves React room to yield, 30 times
          return h('i', { 'data-at': state, 'data-load': load });
        };
        const Watch = () => {
          const { state } = useLux('ticking');
          React.useLayoutEffect(() => {
            const each = new Set([...document.querySelectorAll('i')].map((slow) => slow.dataset.at));
            seen.push([...each]);
          });
          return h('output', { id: 'ticking' }, state);
        };
        const App = () => {
          const [load, setLoad] = React.useState(0);
          globalThis.rerender = () => React.startTransition(() => setLoad((count) => count + 1));
          return [...Array.from({ length: 30 }, (_, key) => h(Slow, { key, load })), h(Watch, { key: 'w' })];
        };
        root.render(h(LuxProvider, at, h(App)));
      });
      await shows(page, 'ticking', '0');
      for (let n = 1; n <= 8; n += 1) {
        await page.evaluate(() => rerender()); // a render that may be interrupted …
        await broker.put('ticking', n); // … by a change
      }
      await shows(page, 'ticking', '8');
      const seen = await page.evaluate(() => globalThis.seen);
      assert.ok(seen.length > 3);
      assert.deepEqual(seen.filter((each) => each.length > 1), []);
    });

    test('what a component gets stays the same object until something changes', async (t) => {
      const page = await openPage(t, site);
      await broker.put('stable', { a: [1] });
      await page.evaluate(() => {
        globalThis.got = [];
        const Keep = () => {
          const [, again] = React.useState(0);
          globalThis.again = () => again((count) => count + 1);
          const lux = useLux('stable');
          got.push(lux);
          return h('output', { id: 'stable' }, lux.status);
        };
        root.render(h(LuxProvider, at, h(Keep)));
      });
      await shows(page, 'stable', 'live');
      const same = await page.evaluate(async () => {
        const before = got.length;
        for (let renders = before + 1; renders < before + 4; renders += 1) {
          again();
          while (got.length < renders) await new Promise(requestAnimationFrame);
        }
        const late = got.slice(before - 1);
        return { objects: new Set(late).size, saves: new Set(got.map(({ save }) => save)).size };
      });
      assert.deepEqual(same, { objects: 1, saves: 1 });
    });

    test('writes show at once and arrive, also when the component is gone; a refusal is in the promise', async (t) => {
      const page = await openPage(t, site);
      await broker.delete('written');
      await page.evaluate(() => {
        const Write = () => {
          globalThis.written = useLux('written');
          return h('output', { id: 'written' }, JSON.stringify(written.state ?? null));
        };
        root.render(h(LuxProvider, at, h(Write)));
      });
      await shows(page, 'written', 'null');
      const receipt = await page.evaluate(() => written.save({ by: 'hook' }));
      assert.ok(receipt.rev > 0);
      await shows(page, 'written', '{"by":"hook"}');
      await page.evaluate(() => {
        root.render(null);
        return written.patch({ late: true });
      });
      assert.deepEqual(JSON.parse((await broker.curl('GET', '/written')).text).data, { by: 'hook', late: true });
      const code = await page.evaluate(() => written.save('x'.repeat(300_000)).then(() => 'taken', (error) => error.code));
      assert.equal(code, 'too_large');
    });

    test('another API key begins anew, and a function is called as it is by then', async (t) => {
      const page = await openPage(t, site);
      await broker.put('keyed', 'seen');
      await page.evaluate(() => {
        globalThis.provide = (apiKey) => root.render(h(LuxProvider, { ...at, apiKey }, h(Show, { of: 'keyed' })));
        provide('wrong_0123456789abcdef');
      });
      await shows(page, 'keyed', 'none unauthorized');
      await page.evaluate(() => provide(at.apiKey));
      await shows(page, 'keyed', '"seen" live');
      const calls = await page.evaluate(async () => {
        const calls = [];
        for (const name of ['first', 'second']) {
          provide(() => {
            calls.push(name);
            return name === 'first' ? 'wrong_0123456789abcdef' : at.apiKey;
          });
          while (!calls.includes('first')) await new Promise(requestAnimationFrame);
        }
        while (!calls.includes('second')) await new Promise(requestAnimationFrame);
        return calls.filter((name, index) => name !== calls[index - 1]);
      });
      assert.deepEqual(calls, ['first', 'second']);
      await shows(page, 'keyed', '"seen" live');
    });

    test('one socket may carry all keys of a provider', async (t) => {
      const page = await openPage(t, site);
      for (const key of ['s1', 's2', 's3']) await broker.put(key, key);
      await page.evaluate(() => root.render(
        h(LuxProvider, { ...at, shareSocket: true }, ...['s1', 's2', 's3', 's4'].map((of) => h(Show, { of, key: of }))),
      ));
      for (const key of ['s1', 's2', 's3']) await shows(page, key, `"${key}" live`);
      await shows(page, 's4', 'none live');
      assert.deepEqual(page.streams.map(({ url }) => new URL(url).pathname), ['/api/lux/stream']);
    });
  });
}
