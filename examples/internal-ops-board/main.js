// An incident board for several operators: everybody patches their own members, so nobody's work is lost.
//
// Always true: this page never writes a whole state, only the members that its operator changed. A note has a name of its own.
// Read first: ../shared/page.js; operators for the two who write from a shell.

import { ago, byId, each, given, h, openPage, put } from '../shared/page.js';

const STAGES = ['open', 'investigating', 'mitigating', 'monitoring', 'resolved'];
const NOTES_SHOWN = 6;
const key = given('state', 'incident-INC-1042');
const me = given('as', 'you');
let incident = null;

const page = await openPage({ title: 'Incidents', start: 'operators' });
const session = page.follow(key, (state) => { incident = state; showIncident(); });
const board = page.lux('ops-board-main', { endpoint: page.endpoint, apiKey: page.apiKey, persist: false });
board.load((state) => { if (state) showBoard(state); }).catch(() => {});
board.patch({ operators: { [me]: { doing: `watching ${key.replace('incident-', '')}`, at: new Date().toISOString() } } });
page.followAll(['incident-*'], showIncidents);

byId('take').addEventListener('click', () => session.patch({ assigned_to: me, notes: note('takes command') }));
byId('advance').addEventListener('click', () => {
  const next = STAGES[STAGES.indexOf(incident.status) + 1];
  const id = incident.id ?? key.replace('incident-', '');
  session.patch({ status: next, summary: `${id} ${next}`, notes: note(`sets ${next}`) });
});
byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  if (byId('words').value.trim()) session.patch({ notes: note(byId('words').value.trim()) });
  byId('words').value = '';
});

function note(text) {
  const at = new Date().toISOString();
  return { [`${at}-${me}`]: { by: me, text, at } };
}

function showIncident() {
  const { title, severity, status, assigned_to: commander, opened_at: opened, tasks = {}, notes = {}, id } = incident ?? {};
  put('number', id ?? key.replace('incident-', ''));
  put('title', title);
  put('severity', severity);
  byId('severity').className = `pill ${['critical', 'high'].includes(severity) ? 'is-bad' : 'is-on'}`;
  put('commander', commander ?? 'nobody');
  byId('opened').textContent = opened ? `opened ${ago(opened)}` : '';
  const now = STAGES.indexOf(status);
  byId('stages').replaceChildren(...STAGES.map((stage, at) => h(at < now ? 'li.is-past' : at === now ? 'li.is-now' : 'li', {}, stage)));
  byId('advance').disabled = now < 0 || now === STAGES.length - 1;
  byId('advance').textContent = now >= 0 && now < STAGES.length - 1 ? `Set ${STAGES[now + 1]}` : 'Closed';
  byId('take').disabled = !incident || commander === me;
  each(byId('tasks'), Object.entries(tasks), { key: ([name]) => name, make: makeTask, update: showTask });
  const newest = Object.entries(notes).sort(([one], [other]) => (one < other ? 1 : -1)).slice(0, NOTES_SHOWN);
  each(byId('notes'), newest, {
    key: ([name]) => name,
    make: ([, { by, text }]) => h('li', {}, h('b', {}, by), h('span', {}, text)),
    update: (item, [, { at }]) => { item.title = at; },
  });
}

function makeTask([name]) {
  const box = h('input', { type: 'checkbox' });
  box.addEventListener('change', () => session.patch({ tasks: { [name]: { done_by: box.checked ? me : null } } }));
  return h('li', {}, h('label', {}, box, h('span'), h('small.soft')));
}

function showTask(item, [, { text, done_by: by }]) {
  const [box, words, who] = item.firstElementChild.children;
  box.checked = Boolean(by);
  words.textContent = text;
  words.classList.toggle('is-done', Boolean(by));
  who.textContent = by ?? '';
}

function showBoard({ operators = {}, services = {} }) {
  each(byId('operators'), Object.entries(operators), {
    key: ([name]) => name,
    make: ([name]) => h('li.row', {}, h('span.lamp'), h('b', {}, name), h('span.grow.cut.soft.small')),
    update: (item, [, { doing }]) => put(item.lastElementChild, doing),
  });
  each(byId('services'), Object.entries(services), {
    key: ([name]) => name,
    make: ([name]) => h('li.row', {}, h('span.lamp'), h('span.grow', {}, name), h('span.soft.small')),
    update: (item, [, state]) => {
      item.classList.toggle('is-bad', state !== 'ok');
      put(item.lastElementChild, state);
    },
  });
}

function showIncidents(records) {
  const open = [...records.values()].filter(({ data }) => data && data.status !== 'resolved');
  each(byId('incidents'), open, {
    key: (record) => record.key,
    make: (record) => h('li.row', {}, h('a.mono.soft', { href: `?${new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(location.search)), state: record.key })}` }, record.key.replace('incident-', '')), h('span.grow.cut.small')),
    update: (item, { data }) => { item.lastElementChild.textContent = data.title ?? ''; },
  });
}
