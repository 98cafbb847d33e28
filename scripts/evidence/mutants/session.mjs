// Runs of test files in which checks are out.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createVitest } from 'vitest/node';
import { ROOT } from '../facts.mjs';

const PROJECTS = ['unit', 'wire', 'conformance'];

/** What takes long and sees no check refuse that others do not see, and what is about rooms in which none is taken out. */
const LEFT_OUT =
  /\/(?:filter-index|xml-corpus|faults|verdicts|memory|growth|trickle|leaks|lives|(?:client-|cuts\/.*|component\/)cuts|split|disconnect)\.test|\/unit\/(?:cli|console|nats|muc|monitoring|pubsub)\//;

const unitFirst = (one, other) => Number(other.includes('/unit/')) - Number(one.includes('/unit/'));

/** What came of the tests of the files that are run. */
class Results {
  ended = new Map();
  failed = [];

  onTestCaseResult(test) {
    const { state, errors } = test.result();
    const file = test.module.moduleId;
    if (state === 'skipped') return;
    this.ended.set(file, (this.ended.get(file) ?? new Set()).add(test.fullName));
    if (state === 'failed') this.failed.push({ file, test: test.fullName, error: errors?.[0]?.message ?? '' });
  }

  onTestModuleEnd(module) {
    for (const { message } of module.errors()) this.failed.push({ file: module.moduleId, test: null, error: message });
  }

  clear() {
    this.ended = new Map();
    this.failed = [];
  }
}

export class Session {
  #vitest;
  #results = new Results();
  #plan;
  #book;

  constructor(path) {
    this.#plan = `${path}.plan`;
    this.#book = `${path}.part`;
  }

  async open() {
    process.env.XMPP_BROKER_MUTANTS = this.#plan;
    this.#vitest = await createVitest('test', {
      ...{ watch: false, root: ROOT, project: PROJECTS, reporters: [this.#results], coverage: { enabled: false } },
      ...{ maxWorkers: Math.max(1, Number(process.env.XMPP_BROKER_WORKERS ?? 2)), testTimeout: 60_000 },
    });
    return this;
  }

  async files() {
    const specs = await this.#vitest.globTestSpecifications();
    return [...new Set(specs.map(({ moduleId }) => moduleId))].filter((file) => !LEFT_OUT.test(file)).sort(unitFirst);
  }

  /**
   * Runs the files as the plan says: `{ [file]: { out } or { tests: { [name]: check }, controls: names } or {} }`.
   * @returns `failed` tests, of a file or a null for all of it; `ended`: names of tests by file; `lines` that the tests wrote
   */
  async run(plan) {
    rmSync(this.#book, { force: true });
    writeFileSync(this.#plan, JSON.stringify({ book: this.#book, files: plan }));
    this.#results.clear();
    const specs = (await this.#vitest.globTestSpecifications()).filter(({ moduleId }) => moduleId in plan);
    await this.#vitest.runTestSpecifications(specs);
    const { failed, ended } = this.#results;
    const written = existsSync(this.#book) ? readFileSync(this.#book, 'utf8') : '';
    const lines = written
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    return { failed, ended, lines };
  }

  async close() {
    await this.#vitest.close();
    rmSync(this.#plan, { force: true });
    rmSync(this.#book, { force: true });
    delete process.env.XMPP_BROKER_MUTANTS;
  }
}
