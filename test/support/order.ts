// In which order the files run. The last ones should be short: while one worker runs a long one, the others have nothing left.
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const TESTS = fileURLToPath(new URL('..', import.meta.url));

/** Files that take more than some seconds, the longest first. Another order costs time, and nothing else. */
export const LONG: readonly string[] = [
  'servers/examples.test.ts',
  'browser/console.test.ts',
  'browser/site.test.ts',
  'servers/cookbook/services.test.ts',
  'servers/harness/harness.test.ts',
  'servers/nats/standby.test.ts',
  'docs/code.test.ts',
  'servers/terminal.test.ts',
  'servers/bursts.test.ts',
  'servers/client.test.ts',
  'servers/sasl2.test.ts',
  'servers/answer.test.ts',
  'servers/nats/fleet.test.ts',
  'servers/client-outage.test.ts',
  'servers/resumption.test.ts',
  'servers/muc.test.ts',
  'servers/frozen.test.ts',
  'docs/signals.test.ts',
  'servers/nats/outage.test.ts',
  'conformance/filter-index.test.ts',
  'browser/people.test.ts',
  'browser/hostile.test.ts',
  'servers/cookbook/chat.test.ts',
  'servers/chaos.test.ts',
  'docs/pages.test.ts',
  'conformance/faults.test.ts',
  'wire/memory.test.ts',
];

/** Projects whose files are short, but for those above. */
const SHORT = ['unit', 'wire'];

/** The long ones, then what needs servers or a browser, then the others. */
function rank({ moduleId, project }: TestSpecification): number {
  const long = LONG.indexOf(relative(TESTS, moduleId).split(sep).join('/'));
  if (long >= 0) return long;
  return LONG.length + Number(SHORT.includes(project.name));
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // What is equal stays as Vitest has it: what failed last and what took long comes first.
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}
