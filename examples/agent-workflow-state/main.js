// A workflow that an agent steps through: how far it is, which step, what had to be tried again.
//
// Always true: the page draws what the state says and guesses nothing; a run that stops being written fades.
// Read first: ../shared/page.js; agent.py for what is written.

import { byId, each, given, h, openPage, put, whole } from '../shared/page.js';

const OLD_MS = 15_000;
const key = given('state', 'workflow-invoice-reconcile-abc123');

const page = await openPage({ title: 'Workflow', start: 'agent.py', oldMs: OLD_MS });
page.follow(key, (state) => {
  const { progress_percent: percent, status, step, run, workflow, steps = [], figures = {}, log = [] } = state ?? {};
  byId('ring').style.setProperty('--part', percent ?? 0);
  put('percent', Number.isFinite(percent) ? `${percent}%` : '–');
  put('doing', step ?? status);
  byId('run').textContent = workflow ? `${workflow} · run ${run}` : '';
  each(byId('steps'), steps, {
    key: ({ name }) => name,
    make: ({ name }) => h('li', {}, h('b', {}, name), h('span.soft.small'), h('small')),
    update: showStep,
  });
  each(byId('figures'), Object.entries(figures), {
    key: ([name]) => name,
    make: ([name]) => h('div', {}, h('p.label', {}, name.replaceAll('_', ' ')), h('output.figure')),
    update: (item, [, value]) => put(item.lastElementChild, typeof value === 'number' ? whole(value) : value),
  });
  each(byId('log'), [...log].reverse(), { key: (line) => line, make: (line) => h('li', {}, line), update: () => {} });
});

function showStep(item, { status, attempts, took_ms: took, note }) {
  item.className = `is-${status}`;
  const [, time, words] = item.children;
  time.textContent = took ? `${(took / 1000).toFixed(1)} s` : status === 'waiting' ? '' : status;
  const tries = attempts > 1 ? `attempt ${attempts}` : '';
  words.textContent = [tries, note].filter(Boolean).join(' · ');
}
