import { readdirSync, readFileSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** A fenced block of code. */
export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
  /** What the comment right above says about it: `<!-- code: continues, until "ready" -->`. Empty without one. */
  readonly notes: string;
}

/** A page of the documentation. */
export interface Page {
  /** Path below the checkout, such as `docs/events.md`. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly CodeBlock[];
  /** Links in the text, without those in code. */
  readonly links: readonly { readonly target: string; readonly line: number }[];
  /** Anchors of the headings, as GitHub makes them. */
  readonly anchors: ReadonlySet<string>;
}

/** The pages at the top, and everything in docs and its folders. */
export function readPages(): Page[] {
  const docs = readdirSync(`${ROOT}/docs`, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  const below = docs.sort().map((name) => `docs/${name.replaceAll(sep, '/')}`);
  return ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', ...below].map(readPage);
}

function readPage(path: string): Page {
  const text = readFileSync(`${ROOT}/${path}`, 'utf8');
  const blocks: CodeBlock[] = [];
  const links: { target: string; line: number }[] = [];
  const anchors = new Set<string>();
  let open: { language: string; lines: string[]; line: number; notes: string } | null = null;
  let notes = '';
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^```(?<language>[a-z]*)\s*$/.exec(line)?.groups;
    if (open !== null) {
      if (fence === undefined) {
        open.lines.push(line);
        continue;
      }
      blocks.push({ language: open.language, text: open.lines.join('\n'), line: open.line, notes: open.notes });
      open = null;
    } else if (fence !== undefined) {
      open = { language: fence['language'] ?? '', lines: [], line: index + 2, notes };
      notes = '';
    } else {
      notes = /^<!-- code: (?<notes>.*) -->$/.exec(line)?.groups?.['notes'] ?? (line === '' ? notes : '');
      const prose = line.replaceAll(/`[^`]*`/g, '');
      for (const link of prose.matchAll(/\]\((?<target>[^)\s]+)\)/g)) {
        links.push({ target: link.groups?.['target'] ?? '', line: index + 1 });
      }
      const heading = /^#{1,6} (?<title>.*)$/.exec(line)?.groups?.['title'];
      if (heading !== undefined) anchors.add(anchorOf(heading));
    }
  }
  if (open !== null) throw new Error(`${path}:${String(open.line)}: the code block is never closed`);
  return { path, text, blocks, links, anchors };
}

/** Cells of the table rows below a heading of a page, those that begin with a name. */
export function tableRows(page: string, heading: string): string[][] {
  const lines = readFileSync(`${ROOT}/docs/${page}`, 'utf8').split('\n');
  const begin = lines.indexOf(heading);
  if (begin < 0) throw new Error(`docs/${page} has no heading "${heading}"`);
  const end = lines.findIndex((line, i) => i > begin && line.startsWith('#'));
  return lines
    .slice(begin, end < 0 ? undefined : end)
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** The words of a cell without the marks of code. */
export const bare = (cell = ''): string => cell.replaceAll(/[` ]/g, '');

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
}
