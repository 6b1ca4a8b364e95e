// Jobs that run: one of them large, all of them in a list.
//
// Always true: what is left is reckoned from the job's own rate; a job that says nothing has no time left to show.
// Read first: ../shared/page.js; worker.py for a job that does something.

import { byId, each, given, h, openPage, put, whole } from '../shared/page.js';

const wanted = given('state', 'job-index-docs');

const page = await openPage({ title: 'Jobs', start: 'worker.py' });
page.follow(wanted, (state) => state && showJob(state, wanted));
page.followAll(['job-*'], (records) => {
  const jobs = [...records.values()].filter(({ data }) => data).sort((one, other) => (one.key < other.key ? -1 : 1));
  // Where nobody writes the one that was asked for, the first that there is stands in its place.
  if (!records.get(wanted)?.data && jobs.length > 0) showJob(jobs[0].data, jobs[0].key);
  each(byId('jobs'), jobs, { key: (record) => record.key, make: makeJob, update: showInList });
});

/** Rows or files: what a job counts. */
function counted(state) {
  const unit = state?.files_total === undefined ? 'rows' : 'files';
  return { unit, done: state?.[`${unit}_done`], total: state?.[`${unit}_total`], rejected: state?.[`${unit}_rejected`] };
}

function size(bytes) {
  if (!Number.isFinite(bytes)) return '–';
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function showJob(state, key) {
  const { unit, done, total, rejected } = counted(state);
  const { status, source, progress_percent: percent, current, bytes_done: bytes, rate_per_second: rate } = state ?? {};
  put('name', key.replace('job-', ''));
  put('status', status);
  byId('status').className = `pill ${status === 'done' ? 'is-good' : status === 'failed' ? 'is-bad' : 'is-on'}`;
  put('source', source);
  put('percent', Number.isFinite(percent) ? Math.floor(percent) : '–');
  byId('meter').style.setProperty('--part', (percent ?? 0) / 100);
  byId('meter').classList.toggle('is-done', status === 'done');
  byId('current').textContent = current ?? '';
  const seconds = rate > 0 && done < total ? Math.ceil((total - done) / rate) : null;
  byId('left').textContent = seconds === null ? '' : `about ${seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`} left`;
  put('unit', unit === 'rows' ? 'Rows' : 'Files');
  put('done', Number.isFinite(done) ? `${whole(done)} of ${whole(total)}` : '–');
  put('bytes', size(bytes));
  put('rate', Number.isFinite(rate) ? whole(rate) : '–');
  put('rejected', rejected);
  byId('rejected').classList.toggle('bad', rejected > 0);
}

function makeJob({ key }) {
  return h('li', {}, h('div.row', {}, h('b.grow.cut', {}, key.replace('job-', '')), h('span.soft.small')), h('div.meter', {}, h('i')), h('span.soft.small.cut'));
}

function showInList(item, { data }) {
  const { unit, done, total } = counted(data);
  const [head, meter, words] = item.children;
  put(head.lastElementChild, `${Math.floor(data.progress_percent ?? 0)} %`);
  meter.style.setProperty('--part', (data.progress_percent ?? 0) / 100);
  meter.classList.toggle('is-done', data.status === 'done');
  words.textContent = Number.isFinite(done) ? `${whole(done)} of ${whole(total)} ${unit} · ${data.source}` : data.status;
}
