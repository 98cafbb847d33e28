// Looks for a test that fails without a check. In one run of a file each test is without another check, so that a few runs
// do for all of them; what tests do to each other is seen by those that run with every check in place.
import { relative, join } from 'node:path';
import { ROOT } from '../facts.mjs';

/** Tests that may miss a check in each round; those that see little else refuse come first. */
const ROUNDS = [1, 3, 4, 4, 4, 4, 8, 8, 8];
/** Files that are run without one check, when no single test missed it. */
const WHOLE = 12;
/** Longest test that is run only to see whether it still works, in milliseconds, and how many of them. */
const CONTROL_MS = 40;
const CONTROLS = 20;

/** A test that takes no longer than this, and then stands still for a minute, goes round for ever. */
const SHORT_MS = 3_000;

const nameOf = (file, test) => `${relative(join(ROOT, 'test'), file)}: ${test ?? 'does not load'}`;

/** What a test of another room costs more: those of its own room say the most about a check. */
const ELSEWHERE_MS = 100;

const isOfItsRoom = (file, check) => file.includes(`/unit/${check.split('/')[1]}/`);

/** Tests by check, the most telling first. */
function witnesses(notes) {
  const found = new Map();
  for (const [file, noted] of notes) {
    for (const { test, ms, seen } of noted) {
      for (const check of seen) {
        const far = (file.includes('/unit/') ? 0 : 200) + (isOfItsRoom(file, check) ? 0 : ELSEWHERE_MS);
        const one = { file, test, cost: ms + 5 * seen.length + far };
        found.set(check, [...(found.get(check) ?? []), one]);
      }
    }
  }
  for (const some of found.values()) some.sort((one, other) => one.cost - other.cost);
  return found;
}

export class Hunt {
  #session;
  #notes;
  #witnesses;
  #found;
  /** Tests and files that did not miss a check, by check. */
  #tried = new Map();

  /** @param found is told of each check that a test misses, and of each that none does */
  constructor(session, notes, found) {
    this.#session = session;
    this.#notes = notes;
    this.#witnesses = witnesses(notes);
    this.#found = found;
  }

  /** Tests that see a check refuse. */
  seenBy(check) {
    return this.#witnesses.get(check)?.length ?? 0;
  }

  async all(checks) {
    const left = new Set(checks);
    for (const tests of ROUNDS) await this.#round(left, tests);
    for (;;) {
      const plan = this.#wholeFiles(left);
      if (plan.size === 0) break;
      await this.#runWhole(plan, left);
    }
    for (const check of left) this.#found(check, null);
  }

  #has(check, file, test) {
    return this.#tried.get(check)?.has(`${file}: ${test}`) === true;
  }

  #try(check, file, test) {
    this.#tried.set(check, (this.#tried.get(check) ?? new Set()).add(`${file}: ${test}`));
  }

  #missed(left, check, by) {
    if (left.delete(check)) this.#found(check, by);
  }

  /** Each check gets some tests, each test one check. */
  async #round(left, most) {
    const files = new Map();
    const order = [...left].sort((one, other) => this.seenBy(one) - this.seenBy(other));
    for (const check of order) {
      let tests = 0;
      for (const { file, test } of this.#witnesses.get(check) ?? []) {
        if (tests === most) break;
        if (test === null || this.#has(check, file, test)) continue;
        const taken = files.get(file) ?? new Map();
        if (taken.has(test)) continue;
        files.set(file, taken.set(test, check));
        tests += 1;
      }
    }
    if (files.size === 0) return;
    console.log(`evidence: mutants: ${left.size} checks left; ${files.size} test files`);
    const plan = {};
    for (const [file, tests] of files) {
      const controls = this.#notes
        .get(file)
        .filter(({ test, ms }) => test !== null && ms < CONTROL_MS && !tests.has(test));
      const some = controls.filter((_, index) => index % Math.ceil(controls.length / CONTROLS) === 0);
      plan[file] = { tests: Object.fromEntries(tests), controls: some.map(({ test }) => test) };
    }
    const { failed, ended, lines } = await this.#session.run(plan);
    for (const [file, tests] of files) {
      const hung = this.#hung(file, ended, lines);
      if (hung !== null) this.#missed(left, hung.out, `${nameOf(file, hung.test)}, which does not end`);
      const those = failed.filter((one) => one.file === file);
      // One check that is out does harm to other tests: their file is run for each alone, if no other test misses it.
      const harmed = those.find(({ test }) => !tests.has(test));
      if (harmed !== undefined) {
        console.log(`evidence: mutants: not counted: ${nameOf(file, harmed.test)}: ${harmed.error}`);
        for (const [test, check] of tests) this.#try(check, file, test);
        continue;
      }
      for (const { test } of those) this.#missed(left, tests.get(test), nameOf(file, test));
      for (const test of ended.get(file) ?? []) if (tests.has(test)) this.#try(tests.get(test), file, test);
    }
  }

  /**
   * The test that went round for ever, if one did: it was begun last, and its process was ended in it. What takes long anyhow
   * tells nothing; it is not tried again.
   */
  #hung(file, ended, lines) {
    const last = lines.findLast((line) => line.file === file);
    if (last === undefined || ended.get(file)?.has(last.test)) return null;
    this.#try(last.out, file, last.test);
    const ms = this.#notes.get(file).find(({ test }) => test === last.test)?.ms ?? 0;
    return ms < SHORT_MS ? last : null;
  }

  /** Each file gets one check. */
  #wholeFiles(left) {
    const plan = new Map();
    for (const check of left) {
      const files = [...new Set((this.#witnesses.get(check) ?? []).map(({ file }) => file))].slice(0, WHOLE);
      for (const file of files) if (!plan.has(file) && !this.#has(check, file, null)) plan.set(file, check);
    }
    return plan;
  }

  async #runWhole(files, left) {
    console.log(`evidence: mutants: ${left.size} checks left; ${files.size} whole test files`);
    const { failed, ended, lines } = await this.#session.run(
      Object.fromEntries([...files].map(([file, out]) => [file, { out }])),
    );
    for (const [file, check] of files) {
      this.#try(check, file, null);
      const hung = this.#hung(file, ended, lines);
      if (hung !== null) this.#missed(left, check, `${nameOf(file, hung.test)}, which does not end`);
      const failure = failed.find((one) => one.file === file && one.test !== null);
      if (failure !== undefined) this.#missed(left, check, nameOf(file, failure.test));
    }
  }
}
