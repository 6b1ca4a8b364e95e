// Any order of writes, answers, records, losses and restarts, drawn from a seed.
//
// Always true: the same seed gives the same run. First everything goes wrong, then nothing more does; by then the
// session must show what the broker holds, and every acknowledged patch must be in it.
//
// Read first: help/session.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergePatch } from '../lux.js';
import { record, start } from './help/session.js';

const SEEDS = Number(process.env.LUX_SDK_SEEDS ?? 200);

/** Mulberry32: numbers from 0 up to 1, the same ones for a seed. */
function chanceOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One key as a broker would keep it, and the network between it and one session. */
class Net {
  life = 0;
  rev = 0;
  data = null;
  travelling = []; // requests that the broker has not seen
  answers = []; // answers that the session has not seen
  lines = []; // messages on the one stream; null once it is gone
  #opened = 0;
  #requested = 0;

  constructor(at, pick) {
    Object.assign(this, { at, pick });
  }

  get epoch() { return `e${this.life}`; }
  get record() { return record(this.rev, this.data); }

  /** Takes up what the session has asked for since. */
  collect() {
    const { world } = this.at;
    this.travelling.push(...world.requests.slice(this.#requested));
    this.#requested = world.requests.length;
    if (world.opened.length > this.#opened) this.#greet(world.opened.at(-1));
    this.#opened = world.opened.length;
  }

  #greet({ id, since }) {
    this.stream = id;
    this.streamLife = this.life;
    this.lines = [{ opened: true }];
    if (since !== `${this.epoch}.${this.rev}`) this.lines.push(this.record);
    this.lines.push({ synced: true, epoch: this.epoch });
  }

  change(patch) {
    this.data = mergePatch(this.data, patch);
    this.rev += 1;
    if (this.lines === null || this.streamLife !== this.life) return;
    // A viewer that is behind is owed the newest record only; the snapshot before `synced` stays.
    if (this.pick(4) === 0 && this.lines.at(-1)?.rev > 0) this.lines.pop();
    this.lines.push(this.record);
  }

  process() {
    const request = this.travelling.shift();
    if (!request) return;
    this.change(JSON.parse(request.body));
    this.answers.push({ id: request.id, body: this.record, epoch: this.epoch });
  }

  answer() {
    const answer = this.answers.shift();
    if (answer) this.at.answer(answer);
  }

  loseOne() {
    const lost = this.pick(2) ? this.travelling.shift() : this.answers.shift();
    if (lost) this.at.session.failed(lost.id, new Error('lost'));
  }

  hear() {
    const line = this.lines?.shift();
    if (line?.opened) this.at.session.opened(this.stream);
    else if (line) this.at.hear(line, this.stream);
  }

  cut(code) {
    this.lines = null;
    this.at.drop({ code }, this.stream);
  }

  /** States are gone. What the old life has sent may still arrive. */
  restart() {
    Object.assign(this, { life: this.life + 1, rev: 0, data: null });
  }
}

function play(seed) {
  const chance = chanceOf(seed);
  const pick = (below) => Math.floor(chance() * below);
  const restarts = pick(3) === 0;
  const at = start({ random: chance, debounce: pick(2) * 100 });
  const net = new Net(at, pick);
  const patches = [];
  let last = { life: -1, rev: 0 };
  const others = () => net.change({ [`other${pick(3)}`]: pick(1000) });
  const own = () => {
    const [number, name] = [patches.length, `own${patches.length}`];
    patches.push([name, at.patch({ [name]: true, shared: number })]);
  };
  const faults = [() => net.loseOne(), () => net.cut(pick(2) ? 1006 : 1012), () => at.session.woke()];
  if (restarts) faults.push(() => net.restart());
  const steps = [others, own, own, () => net.process(), () => net.answer(), () => net.hear(), () => net.hear(),
    () => at.world.pass(pick(400)), () => (pick(4) ? null : faults[pick(faults.length)]())];

  at.load();
  for (let left = 2 ** (4 + pick(6)); left > 0; left -= 1) {
    steps[pick(steps.length)]();
    check();
  }
  heal();
  assert.equal(at.meta.epoch, net.epoch);
  assert.equal(at.meta.rev, net.rev);
  assert.deepEqual(at.state, net.data);
  for (const [name, { value, error }] of patches) {
    assert.equal(error, undefined);
    assert.ok(value, `${name} is acknowledged`);
    if (value.epoch === net.epoch) assert.equal(net.data[name], true, `${name} is in the state`);
  }

  function check() {
    net.collect();
    const { epoch, rev, pending } = at.meta;
    if (epoch === null) return;
    const life = Number(epoch.slice(1));
    const onward = life > last.life || (life === last.life && rev >= last.rev);
    assert.ok(onward, `${epoch}.${rev} after e${last.life}.${last.rev}`);
    last = { life, rev };
    if (pending) assert.equal(at.state.shared, patches.length - 1, 'the own newest write is what shows');
  }

  /** No more faults: everything arrives, and time goes on until nothing is left to do. */
  function heal() {
    net.cut(1006);
    for (let round = 0; round < 200; round += 1) {
      while (net.travelling.length + net.answers.length + (net.lines?.length ?? 0) > 0) {
        net.process();
        net.answer();
        net.hear();
        check();
      }
      if (at.status.name === 'live' && at.status.pendingWrites === 0) return;
      at.world.pass(1_000);
      check();
    }
    assert.fail(`still ${JSON.stringify(at.status)}`);
  }
}

test(`${SEEDS} runs end on what the broker holds, without going back on the way`, () => {
  for (let seed = 0; seed < SEEDS; seed += 1) {
    try {
      play(seed);
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
});
