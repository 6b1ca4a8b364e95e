// React for a page without a bundler: its CommonJS files as modules, and pages that use them.
//
// Always true: React's own development files, unchanged, so that its warnings are there too.
//
// Read first: browser.js.

import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname } from 'node:path';

const SDK = new URL('../../../sdk/', import.meta.url);
const MODULES = ['react', 'react-dom', 'react-dom/client'];

/** React as it is found from `from`: the paths of one script with all its files, and of a module for each entry. */
async function reactFiles(from) {
  const found = new Map();
  const visit = async (path) => {
    if (found.has(path)) return;
    const text = await readFile(path, 'utf8');
    const require = createRequire(path);
    const names = [...text.matchAll(/require\(["']([^"']+)["']\)/g)].map(([, name]) => name)
      .filter((name) => !/production|profiling/.test(name));
    const needs = Object.fromEntries(names.map((name) => [name, require.resolve(name)]));
    found.set(path, { text, needs });
    for (const need of Object.values(needs)) await visit(need);
  };
  const require = createRequire(from);
  const entries = Object.fromEntries(MODULES.map((name) => [name, require.resolve(name)]));
  for (const path of Object.values(entries)) await visit(path);
  const all = [...found].map(([path, { text, needs }]) =>
    `${JSON.stringify(path)}: [${JSON.stringify(needs)}, (module, exports, require, process) => {${text}\n}]`);
  const files = new Map([['/react/all.js', `const files = {${all.join(',\n')}};
const loaded = {};
export function load(path) {
  if (loaded[path]) return loaded[path].exports;
  const [needs, run] = files[path];
  const module = loaded[path] = { exports: {} };
  run(module, module.exports, (name) => load(needs[name]), { env: { NODE_ENV: 'development' } });
  return module.exports;
}`]]);
  for (const [name, path] of Object.entries(entries)) {
    const names = Object.keys(require(name)).filter((each) => each !== 'default').join(', ');
    files.set(`/react/${name}.js`, `import { load } from './${name.includes('/') ? '../' : ''}all.js';
const all = load(${JSON.stringify(path)});
export default all;
export const { ${names} } = all;`);
  }
  return files;
}

/** The import map that makes bare names of React those files; first in the head of a page. */
export const IMPORT_MAP = `<script type="importmap">${JSON.stringify({
  imports: Object.fromEntries(MODULES.map((name) => [name, `/react/${name}.js`])),
})}</script>`;

/** A site with React, the SDK's folder at `/sdk/`, and what `pages` gives for other paths: HTML, or nothing. */
export async function serveReact({ from = SDK, pages }) {
  const files = await reactFiles(from);
  const answer = async (path) => {
    if (files.has(path)) return ['text/javascript', files.get(path)];
    if (path.startsWith('/sdk/')) return ['text/javascript', await readFile(new URL(path.slice(5), SDK))];
    const html = extname(path) ? undefined : await pages(path);
    return html === undefined ? null : ['text/html; charset=utf-8', html];
  };
  const server = createServer(async ({ url }, response) => {
    const found = await answer(new URL(url, 'http://localhost').pathname).catch((error) => ['text/plain', String(error.stack)]);
    if (!found) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': found[0] }).end(found[1]);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
