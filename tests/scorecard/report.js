// What the scorecard writes: scorecard.json with everything, scorecard.md for people.
//
// Always true: what was not looked at is said, and never shown as passed.
// Read first: prove.js.

import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';

const LIMITS = `**What the times prove.** They were taken inside the page that shows the state, by its own clock: from the moment the page
hands a PUT to the browser until the browser has the answer (acknowledged), until a WebSocket of that page has the frame (delivered), and
until the text stands in the page's document (shown). All three contain Chromium's own work, the network stack of this machine twice, and
the broker. \`first\` is the page's first PUT: the browser asks the broker for CORS's permission before it, and may have to open a connection.
One change at a time. The page shows what its own stream brings; the frame is timed on a second one, so either may be first.

**What they do not.** They say nothing of other networks: a round trip to a distant broker comes on top. They say nothing of load (see
\`loadtest/\`), of thousands of viewers, or of the screen's own delay. Twenty changes have no meaningful 99th percentile, so none is given.
Nothing fails for being slow, only for not arriving: how fast this machine was at that moment is no property of Lux.`;

/** Writes both files into the folder; answers the path of the one for people. */
export async function write(folder, { when, results, boundary, machine }) {
  const ok = results.every((one) => one.ok) && boundary.ok !== false;
  const plain = results.map(({ folder: name, key, proof, checks, times, picture, ok: passed }) => ({ name, key, proof, verdict: word(passed), checks, times_ms: times, picture: picture && basename(picture) }));
  await writeFile(`${folder}/scorecard.json`, `${JSON.stringify({ when, verdict: word(ok), machine, boundary, use_cases: plain }, null, 2)}\n`);
  await writeFile(`${folder}/scorecard.md`, page({ when, ok, results, boundary, machine }));
  return `${folder}/scorecard.md`;
}

function page({ when, ok, results, boundary, machine }) {
  return [
    `# Use cases: ${word(ok)}`, '',
    `${when}, Lux ${machine.lux} (${machine.build}) at ${machine.place}; ${machine.processor}, ${machine.processors} processors, Linux ${machine.kernel}, load ${machine.load}.`, '',
    '| use case | key | proof | verdict |', '|---|---|---|---|',
    ...results.map(({ title, key, proof, ok: passed }) => `| ${title} | \`${key}\` | \`${proof}\` | **${word(passed)}** |`), '',
    '## Times, in milliseconds', '',
    '| use case | acknowledged: median | worst | first | delivered: median | worst | first | shown: median | worst |', '|---|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...results.map(times), '', LIMITS, '',
    '## Data boundary', '', boundary.words, '',
    '## Each use case', '',
    ...results.flatMap(section),
  ].join('\n');
}

function times({ title, times: found }) {
  if (!found) return `| ${title} | – | – | – | – | – | – | – | – |`;
  const { acknowledged: one, delivered: two, shown: three } = found;
  return `| ${title} | ${[one.median, one.worst, one.first, two.median, two.worst, two.first, three.median, three.worst].map((value) => value ?? '–').join(' | ')} |`;
}

function section({ title, folder, checks, picture, ok }) {
  const lines = checks.map(({ name, ok: passed, seen }) => `| ${name} | ${word(passed)} | ${String(seen).replaceAll('|', '\\|')} |`);
  const shown = picture ? ['', `![${title}](${basename(picture)})`] : [];
  return [`### ${title}: ${word(ok)}`, '', `\`examples/${folder}\``, '', '| check | | seen |', '|---|---|---|', ...lines, ...shown, ''];
}

function word(ok) {
  return ok ? 'PASS' : 'FAIL';
}
