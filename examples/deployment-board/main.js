// Deployments of every service: `deploy-<service>` each, on one socket; the bar tells of the one that was asked for.
//
// Always true: a service that was never deployed is not on the board, and one whose state is deleted leaves it.
// Read first: ../shared/page.js; pipeline for what a deployment writes.

import { byId, each, given, h, openPage, put } from '../shared/page.js';

const STAGES = ['build', 'test', 'push image', 'roll out', 'verify', 'done'];
const key = given('state', 'deploy-web');

const page = await openPage({ title: 'Deployments', start: 'pipeline web' });
page.follow(key, () => {});
page.followAll(['deploy-*'], (records) => {
  const all = [...records.values()].filter(({ data }) => data);
  const count = (status) => all.filter(({ data }) => data.status === status).length;
  put('running', count('running') + count('queued'));
  put('succeeded', count('succeeded'));
  put('undone', count('rolled back'));
  const sum = (name) => all.reduce((total, { data }) => total + (data[name] ?? 0), 0);
  put('instances', `${sum('instances_updated')} of ${sum('instances_total')}`);
  all.sort((one, other) => (one.key === key ? -1 : other.key === key ? 1 : one.key < other.key ? -1 : 1));
  each(byId('board'), all, { key: (record) => record.key, make: makeDeployment, update: showDeployment });
});

function makeDeployment({ key: name }) {
  return h(name === key ? 'li.card.deployment.is-shown' : 'li.card.deployment', {},
    h('header', {}, h('b', {}, name.replace('deploy-', '')), h('span.mono.soft'), h('span.grow.soft.small.cut'), h('span.pill')),
    h('ol.rail'), h('div.row', {}, h('div.instances'), h('span.soft.small.grow'), h('div.meter', {}, h('i'))));
}

function showDeployment(item, { data }) {
  const { version, author, environment, status, step, progress_percent: percent, instances_updated: updated = 0, instances_total: total = 0 } = data;
  const [head, rail, foot] = item.children;
  head.children[1].textContent = version ?? '';
  head.children[2].textContent = [environment, author && `by ${author}`].filter(Boolean).join(' · ');
  head.children[3].textContent = status;
  head.children[3].className = `pill ${status === 'succeeded' ? 'is-good' : status === 'rolled back' ? 'is-bad' : 'is-on'}`;
  item.classList.toggle('is-undone', status === 'rolled back');
  const now = status === 'rolled back' ? STAGES.indexOf('verify') : STAGES.indexOf(step);
  rail.replaceChildren(...STAGES.map((stage, at) => h(at < now ? 'li.is-past' : at === now ? 'li.is-now' : 'li', {}, stage)));
  foot.children[0].replaceChildren(...Array.from({ length: total }, (_, at) => h(at < updated ? 'i.is-new' : 'i')));
  foot.children[1].textContent = STAGES.includes(step) ? `${updated} of ${total} instances` : step;
  foot.children[2].style.setProperty('--part', (percent ?? 0) / 100);
  foot.children[2].style.width = '14rem';
}
