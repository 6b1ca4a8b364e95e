// The use cases: their keys, their proof strings, their producers, and the state that proves them.
//
// Always true: `proven` changes what the producer wrote, so the picture shows a page as it is in use; the projection's proof is
// not written at all, but comes out of PostgreSQL.
// Read first: ../../examples/ for what each of them is.

const now = () => new Date().toISOString();

/** Steps of the workflow as they are when four of six are done. */
function atValidating(steps = []) {
  return steps.map((step, at) => (at < 4 ? { note: 'done', took_ms: 1_200, ...step, status: 'done' } : { name: step.name, attempts: at === 4 ? 1 : 0, status: at === 4 ? 'running' : 'waiting' }));
}

export const CASES = [
  {
    folder: 'live-dashboard', title: 'Live dashboard', key: 'dashboard-main', proof: 'orders_per_second=42',
    producers: [['./producer.py', '--every', '0.12']], changes: 16,
    proven: (state) => ({ ...state, orders_per_second: 42 }),
  },
  {
    folder: 'edge-device-status', title: 'Edge devices', key: 'device-edge-17', proof: 'edge-17 online 36C', prefix: 'device-',
    producers: [['./agent.py', '--device', 'edge-17', '--every', '0.15']], changes: 8,
    companions: [['./agent.py', '--fleet', '12', '--every', '0.5']],
    proven: (state) => ({ ...state, online: true, temperature_c: 36.1, seen_at: now() }),
  },
  {
    folder: 'internal-ops-board', title: 'Internal ops board', key: 'incident-INC-1042', proof: 'INC-1042 mitigating', also: ['ops-board-main'],
    producers: [['./operators', '0.2']], changes: 8, query: 'as=cleo',
    proven: (state) => ({ ...state, status: 'mitigating', assigned_to: 'ana' }),
  },
  {
    folder: 'collaborative-ui-state', title: 'Collaborative UI state', key: 'review-launch-notes', proof: 'launch-notes ready for review',
    producers: [['./colleague.mjs', '--fast']], changes: 30, query: 'as=Ben',
    proven: ({ people, ...state }) => ({
      ...state, status: 'ready for review',
      fields: { ...state.fields, date: '2026-12-01', changes: state.fields?.changes ?? 'Orders are on the screen at once.' },
      people: { ...people, 'p-mina': { name: 'Mina', hue: 285, field: 'changes', at: 24, beat: Date.now() } },
    }),
  },
  {
    folder: 'agent-workflow-state', title: 'Agent workflow state', key: 'workflow-invoice-reconcile-abc123', proof: 'invoice-reconcile validating 67%',
    producers: [['./agent.py', '--pace', '0.1', '--once']], changes: 9,
    proven: (state) => ({ ...state, status: 'running', step: 'validating', progress_percent: 67, steps: atValidating(state.steps) }),
  },
  {
    folder: 'cdc-live-projection', title: 'CDC live projection', key: 'projection-accounts-current', proof: 'accounts projection lsn=1002 rows=2',
    producers: [['./database', './agent.py', '--every', '0.05']], changes: 1, needs: 'postgresql',
    sql: "INSERT INTO accounts VALUES (1, 'Ada Lindqvist', 'open', 1250.40), (2, 'Ben Okafor', 'open', 310.00)",
  },
  {
    folder: 'deployment-board', title: 'Deployment board', key: 'deploy-web', proof: 'web 2026.11.22-1 done 6/6', prefix: 'deploy-',
    producers: [['./pipeline', 'web', '0.1', '1']], changes: 9,
    companions: [['./pipeline', 'checkout', '1.2', '1']],
    proven: (state) => ({ ...state, version: '2026.11.22-1', status: 'succeeded', step: 'done', progress_percent: 100, instances_updated: 6 }),
  },
  {
    folder: 'live-job-progress', title: 'Live job progress', key: 'job-index-docs', proof: 'index-docs 100% 48 of 48 files', prefix: 'job-',
    producers: [['./worker.py', '--files-per-second', '60', '--once']], changes: 4,
    companions: [['./worker.py', '--name', 'index-source', '--folder', '../../src', '--files-per-second', '14', '--once']],
    proven: (state) => ({ ...state, status: 'done', progress_percent: 100, files_done: 48, files_total: 48 }),
  },
  {
    folder: 'settings-admin', title: 'Admin screen with compare-and-set', key: 'settings-checkout', proof: 'checkout settings v8 by ops',
    producers: [['./colleague', '0.2']], changes: 3, query: 'as=ana',
    proven: (state) => ({ ...state, version: 8 }),
    before: showConflict,
  },
];

/** The person edits, a colleague is faster, the page shows both sides: that is what the picture is of. */
async function showConflict(page, { curl }) {
  const { data } = JSON.parse((await curl('GET', '/settings-checkout')).text);
  await page.locator('input[name="limit"]').fill('400');
  await page.locator('input[name="banner"]').fill('Orders placed today arrive on Friday');
  await curl('PUT', '/settings-checkout', { data: { ...data, version: 7, summary: 'checkout settings v7 by ops', limit: 180 } });
  await page.getByText('Somebody has saved since you began.').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Somebody else has saved').waitFor();
}
