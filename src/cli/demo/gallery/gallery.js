// The gallery of the demo: a picture of each example, and whether somebody writes its state right now.
//
// Always true: a lamp is lit by a state that is there, not by what this page expects.
// Read first: examples/shared/page.js.

import { each, byId, h, openPage } from '/examples/shared/page.js';

const BOARDS = [
  { folder: 'live-dashboard', title: 'Live dashboard', what: 'One number that everybody looks at', keys: 'dashboard-main', start: 'producer.py' },
  { folder: 'edge-device-status', title: 'Edge devices', what: 'A fleet, and one device large', keys: 'device-', start: 'agent.py', query: 'state=device-edge-07' },
  { folder: 'internal-ops-board', title: 'Internal ops board', what: 'An incident, several operators, patches', keys: 'incident-', start: 'operators' },
  { folder: 'collaborative-ui-state', title: 'Collaborative UI state', what: 'One sheet, several people, carets', keys: 'review-launch-notes', start: 'colleague.mjs' },
  { folder: 'agent-workflow-state', title: 'Agent workflow', what: 'Steps, progress, retries', keys: 'workflow-', start: 'agent.py' },
  { folder: 'cdc-live-projection', title: 'CDC live projection', what: "A PostgreSQL table's newest rows", keys: 'projection-', start: 'database ./agent.py' },
  { folder: 'deployment-board', title: 'Deployment board', what: 'Every service, how far, on how many', keys: 'deploy-', start: 'pipeline' },
  { folder: 'live-job-progress', title: 'Live job progress', what: 'Files, bytes, rate, what is left', keys: 'job-', start: 'worker.py' },
  { folder: 'settings-admin', title: 'Admin with compare-and-set', what: 'Two save at once; both see both sides', keys: 'settings-', start: 'colleague' },
];

const page = await openPage({ title: 'Examples' });
show(new Map());
page.followAll(['*'], show);

function show(records) {
  const live = (board) => [...records.values()].some(({ key, data }) => key.startsWith(board.keys) && data !== null);
  each(byId('gallery'), BOARDS, { key: ({ folder }) => folder, make, update: (item, board) => update(item, board, live(board)) });
}

function make({ folder, title, what, query = '' }) {
  const picture = h('img', { src: `/examples/pictures/${folder}.webp`, alt: '', width: 1280, height: 720 });
  return h('li', {}, h('a', { href: `/examples/${folder}/?${query}` }, picture,
    h('div', {}, h('span.row', {}, h('b.grow', {}, title), h('span.lamp')), h('span.soft', {}, what), h('span.mono.soft.cut'))));
}

function update(item, { folder, keys, start }, isLive) {
  const [link] = item.children;
  link.classList.toggle('is-live', isLive);
  link.lastElementChild.lastElementChild.textContent = isLive ? `${keys}${keys.endsWith('-') ? '*' : ''}` : `examples/${folder}/${start}`;
}
