// The projection against a real PostgreSQL: every kind of change, values that need quoting, and an agent that is killed.
//
// Always true: what is expected is what the table says, read by psql; the agent is the one in examples/.
// Read first: ../../examples/cdc-live-projection/agent.py.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { API_KEY, Broker, until } from '../browser/help/broker.js';

const run = promisify(execFile);
const FOLDER = fileURLToPath(new URL('../../examples/cdc-live-projection', import.meta.url));
let broker, database, agent, env;

before(async () => {
  broker = await Broker.start();
  database = spawn('./database', ['sh', '-c', 'echo "sql: $PGHOST"; exec sleep 300'], { cwd: FOLDER, stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await once(database.stdout, 'data');
  env = { ...process.env, LUX_BROKER: broker.address, LUX_API_KEY: API_KEY, PGHOST: /sql: (\S+)/.exec(said)[1], PGUSER: 'lux', PGDATABASE: 'postgres' };
});
after(async () => {
  agent?.kill('SIGKILL');
  database.kill('SIGTERM');
  await once(database, 'exit');
  await broker.close();
});

const start = () => { agent = spawn('./agent.py', ['--every', '0.02'], { cwd: FOLDER, env, stdio: ['ignore', 'ignore', 'inherit'] }); };
const sql = (text) => run('psql', ['-q', '-At', '-v', 'ON_ERROR_STOP=1', '-c', text], { env });

async function projection() {
  const { status, text } = await broker.curl('GET', '/projection-accounts-current');
  return status === 200 ? JSON.parse(text).data : null;
}

async function agrees(summary) {
  await until(async () => (await projection())?.summary === summary).catch(async () => assert.equal((await projection())?.summary, summary));
  const { stdout } = await sql('SELECT json_object_agg(id, json_build_object(\'owner\', owner, \'status\', status, \'balance\', balance)) FROM accounts');
  assert.deepEqual((await projection()).accounts, JSON.parse(stdout.trim() || '{}') ?? {});
}

test('each kind of change counts once, in commit order, and ends in what the table says', async () => {
  start();
  await agrees('accounts projection lsn=1000 rows=0');
  await sql("INSERT INTO accounts VALUES (1, 'Ada', 'open', 120), (2, 'O''Neil \"Ben\", [x]:y new-tuple: z', 'open', 80.5)");
  await agrees('accounts projection lsn=1002 rows=2');
  await sql('UPDATE accounts SET balance = balance + 1');
  await agrees('accounts projection lsn=1004 rows=2');
  await sql('UPDATE accounts SET id = 7 WHERE id = 1');
  await agrees('accounts projection lsn=1005 rows=2');
  await sql("BEGIN; DELETE FROM accounts WHERE id = 7; INSERT INTO accounts VALUES (9, 'Cleo', 'frozen', -3); COMMIT");
  await agrees('accounts projection lsn=1007 rows=2');
  await sql("BEGIN; INSERT INTO accounts VALUES (10, 'nobody', 'open', 0); ROLLBACK");
  await sql("UPDATE accounts SET status = 'open' WHERE id = 9");
  await agrees('accounts projection lsn=1008 rows=2');
});

test('an agent that was killed goes on where Lux is, and misses nothing', async () => {
  agent.kill('SIGKILL');
  await once(agent, 'exit');
  await sql("UPDATE accounts SET owner = 'Cleo Two' WHERE id = 9; INSERT INTO accounts VALUES (11, 'Dov', 'open', 5)");
  start();
  await agrees('accounts projection lsn=1010 rows=3');
  await sql('DELETE FROM accounts');
  await agrees('accounts projection lsn=1013 rows=0');
});
