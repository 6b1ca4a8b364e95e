// A network namespace for the broker alone, and a watch on every packet that leaves it.
//
// Always true: the namespace has one wire, to this test, and a default route through it, so whoever wants out gets as far as the
// wire and is seen. It goes when the process that holds it ends; the machine's own network is not touched.
// Read first: sniff.py.

import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SNIFF = fileURLToPath(new URL('sniff.py', import.meta.url));
/** Addresses that RFC 5737 keeps for documents: nobody is there. */
const NOBODY = '203.0.113.1';

export class Boundary {
  #holder;
  #sniff;
  #lines;

  /** Makes one, or says under `why` what is not permitted here. */
  static async make() {
    if (process.getuid() !== 0) return { why: 'network namespaces take root' };
    const boundary = new Boundary();
    try {
      await boundary.#build();
      return { boundary };
    } catch (error) {
      await boundary.close();
      return { why: `no network namespace can be made: ${String(error.stderr || error.message).trim()}` };
    }
  }

  async #build() {
    this.#holder = spawn('unshare', ['--net', '--', 'sh', '-c', 'echo ready; exec cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
    await firstLine(this.#holder);
    const { pid } = this.#holder;
    const net = `198.18.${pid % 250}`;
    const wire = `lux-${pid}`;
    Object.assign(this, { test: `${net}.1`, broker: `${net}.2` });
    await run('ip', ['link', 'add', wire, 'type', 'veth', 'peer', 'name', 'wire', 'netns', String(pid)]);
    await run('ip', ['addr', 'add', `${this.test}/30`, 'dev', wire]);
    await run('ip', ['link', 'set', wire, 'up']);
    // Without IPv6 the kernel itself has nothing to say on a new wire.
    await this.inside('sh', ['-ec', `echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
      ip link set lo up; ip addr add ${this.broker}/30 dev wire; ip link set wire up; ip route add default via ${this.test}`]);
    const [program, ...args] = this.entering('python3', SNIFF, this.broker, this.test);
    this.#sniff = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#sniff.stdout })[Symbol.asyncIterator]();
    if ((await this.#lines.next()).value !== 'watching') throw new Error('the watch on packets did not start');
  }

  /** The command line that runs a program inside. */
  entering(...command) {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, '--', ...command];
  }

  inside(program, args) {
    const [enter, ...rest] = this.entering(program, ...args);
    return run(enter, rest);
  }

  /** What was seen so far, and whether nothing went outward. */
  async verdict() {
    this.#sniff.stdin.write('\n');
    const seen = JSON.parse((await this.#lines.next()).value);
    const outward = Object.entries(seen.outward).map(([what, count]) => `${what} (${count} packets)`);
    if (seen.unseen > 0) outward.push(`${seen.unseen} packets came too fast to be looked at`);
    return { ok: outward.length === 0 && seen.answers > 0, answers: seen.answers, outward };
  }

  /** Has a process inside try to get out, which must be seen. Answers what was seen of it. */
  async tryOut() {
    await this.inside('curl', ['-s', '-m', '1', `http://${NOBODY}/`]).catch(() => {});
    return (await this.verdict()).outward;
  }

  async close() {
    for (const child of [this.#sniff, this.#holder]) {
      if (!child || child.exitCode !== null || child.signalCode !== null) continue;
      child.stdin.end();
      await once(child, 'exit');
    }
  }
}

async function firstLine(child) {
  let complaint = '';
  child.stderr.on('data', (text) => { complaint += text; });
  const line = await Promise.race([once(child.stdout, 'data'), once(child, 'exit'), once(child, 'error')]);
  if (!String(line[0]).startsWith('ready')) throw new Error(complaint || String(line[0]));
}
