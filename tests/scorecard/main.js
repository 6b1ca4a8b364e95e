// The command line of the scorecard; scripts/scorecard calls it.
//
// Always true: exit code 0 is a PASS of everything that was looked at, 1 a FAIL, 2 a wrong call.
// Read first: scorecard.js.

import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { scorecard } from './scorecard.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

async function main() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: 'boolean' } } });
  const { BROKER: broker, LUX_API_KEY: apiKey } = process.env;
  if (broker && !apiKey) throw Object.assign(new Error('BROKER needs LUX_API_KEY, a key that may read and write'), { code: 2 });
  const done = await scorecard({ only: positionals, broker, apiKey, into: `${ROOT}artifacts/usecase-scorecard`, say: console.log });
  console.log(`\n${done.ok ? 'PASS' : 'FAIL'}: ${done.path.slice(ROOT.length)}`);
  if (values.keep) await keep(done);
  return done.ok ? 0 : 1;
}

/** What the documentation shows of a run: its pictures, and its page. */
async function keep({ path, results }) {
  for (const { picture, folder } of results) await copyFile(picture, `${ROOT}docs/pictures/example-${folder}.webp`);
  const text = await readFile(path, 'utf8');
  await writeFile(`${ROOT}docs/scorecard.md`, text.replace(/\]\(([\w-]+\.webp)\)/g, '](pictures/example-$1)'));
}

main().then((code) => process.exit(code), (error) => {
  console.error(`scripts/scorecard: ${error.message}`);
  process.exit(error.code === 2 || String(error.code).startsWith('ERR_PARSE_ARGS') ? 2 : 1);
});
