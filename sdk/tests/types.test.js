// The declarations say what the modules do.
//
// Always true: it is TypeScript's own compiler that judges.
//
// Read first: types.ts, types-ui.tsx.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as sdk from '../lux.js';

const folder = fileURLToPath(new URL('..', import.meta.url));
const declarations = readFileSync(new URL('../lux.d.ts', import.meta.url), 'utf8');
const INTERNAL = ['Session', 'eventReader'];

test('code that uses the SDK compiles, and code that misuses it does not', () => {
  execFileSync('npm', ['run', '--silent', 'types'], { cwd: folder, stdio: 'pipe' });
});

for (const module of ['lux', 'lux-element', 'lux-handover', 'lux-react', 'lux-shared', 'lux-socket']) {
  test(`everything that ${module}.js exports is declared, and the other way round`, async () => {
    const text = readFileSync(new URL(`../${module}.d.ts`, import.meta.url), 'utf8');
    const declared = [...text.matchAll(/^export (?:(?:function|class) (\w+)|\{ (\w+) \})/gm)].map(([, made, passed]) => made ?? passed);
    const exported = Object.keys(await import(`../${module}.js`));
    assert.deepEqual(declared.sort(), exported.filter((name) => !INTERNAL.includes(name)).sort());
  });
}

test('every method of a session is declared, and the other way round', () => {
  const session = sdk.lux('a', { endpoint: 'http://broker.test/api/lux' });
  const [, body] = /export interface Lux<T = any> \{([^]*?)\n\}/.exec(declarations);
  const declared = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
  const there = Object.getOwnPropertyNames(Object.getPrototypeOf(session)).filter((name) => name !== 'constructor');
  assert.deepEqual(declared.sort(), there.sort());
});
