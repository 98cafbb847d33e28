import type { CodeBlock, Page } from './markdown.js';

/**
 * One program of the documentation: a `ts` block and the blocks that go on from it. What the comment above a block may say:
 *
 * - `continues`: the block goes on where the one before ended.
 * - `stays`: the program runs until it is told to end (SIGTERM); others have to end by themselves.
 * - `until "text"`: it also has to print that text.
 * - `types only`: the block is compiled and not run; the prose says why.
 * - `as examples/client.ts`: the block is that file, which has a test of its own.
 * - `recipe`: the block is compiled here, and run by test/servers/cookbook, each against what it is for.
 */
export interface Program {
  /** Where it begins, such as `docs/events.md:12`. */
  readonly name: string;
  readonly source: string;
  /** Line of the page, from 1, for each line of the source. */
  readonly lines: readonly number[];
  readonly stays: boolean;
  readonly until: readonly string[];
  readonly typesOnly: boolean;
}

/** What the comment above a recipe of the cookbook says. */
export const RECIPE = 'recipe';

const NOTES =
  /^(?:continues|stays|types only|recipe|as examples\/[\w-]+\.ts|until "[^"]+")(?:, (?:stays|until "[^"]+"))*$/;

export function programsOf(page: Page): Program[] {
  const programs: CodeBlock[][] = [];
  for (const block of page.blocks.filter(({ language }) => language === 'ts')) {
    if (block.notes !== '' && !NOTES.test(block.notes)) {
      throw new Error(`${page.path}:${String(block.line)}: the comment "${block.notes}" is not understood`);
    }
    if (!block.notes.startsWith('continues')) programs.push([block]);
    else if (programs.length > 0) programs.at(-1)?.push(block);
    else throw new Error(`${page.path}:${String(block.line)}: there is nothing that the block could continue`);
  }
  return programs.map((blocks) => ({
    name: `${page.path}:${String(blocks[0]?.line)}`,
    source: `${blocks.map(({ text }) => text).join('\n')}\nexport {};\n`,
    lines: blocks.flatMap(({ text, line }) => text.split('\n').map((_, offset) => line + offset)),
    stays: blocks.some(({ notes }) => /\bstays\b/.test(notes)),
    until: blocks.flatMap(({ notes }) => [...notes.matchAll(/until "([^"]+)"/g)].map(([, text]) => text ?? '')),
    typesOnly: /^(?:types only|recipe|as .*)$/.test(blocks[0]?.notes ?? ''),
  }));
}
