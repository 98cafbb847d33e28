// The pages of docs as guides of the site: where each belongs, what it is called, what its address is.
import { readdirSync } from 'node:fs';
import { sep } from 'node:path';

/** Which guides stand together, by path or folder. The first that fits counts. */
const CATEGORIES = [
  ['docs/getting-started.md', 'Begin'],
  ['docs/cookbook/', 'Cookbook'],
  ['docs/migrating-', 'Coming from elsewhere'],
  ['docs/decisions/', 'Decisions'],
  ['docs/evidence/', 'Inside'],
  ['docs/architecture.md', 'Inside'],
  ['docs/how-filters-are-matched.md', 'Inside'],
  ['docs/', 'Guides'],
  ['', 'Inside'],
];

/** The order of the categories; what is behind the star are the modules of the reference. */
export const CATEGORY_ORDER = [
  'Begin',
  'Cookbook',
  'Guides',
  'Reference',
  '*',
  'Coming from elsewhere',
  'Inside',
  'Decisions',
];

/** Pages outside of docs that belong to the site. The README is its front page. */
const OTHERS = ['CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'test/README.md', 'bench/results/results.md'];

/** Paths of all guides below the checkout. */
export function guidesOf(root) {
  const docs = readdirSync(`${root}/docs`, { recursive: true }).filter((name) => name.endsWith('.md'));
  return [...docs.map((name) => `docs/${name.replaceAll(sep, '/')}`).sort(), ...OTHERS];
}

export const categoryOf = (path) => CATEGORIES.find(([prefix]) => path.startsWith(prefix))[1];

/** `docs/cookbook/README.md` is `guides/cookbook`, `docs/tls.md` is `guides/tls`. */
export function addressOf(path) {
  if (path === 'SECURITY.md') return 'guides/reporting-faults'; // docs/security.md is there, too
  const name = path
    .replace(/^docs\//, '')
    .replace(/\.md$/, '')
    .replace(/\/README$/, '');
  return `guides/${name.replaceAll('/', '-').toLowerCase()}`;
}

/** Where a search should lead first: the tables of what programs meet, before what is about the inside. */
const WEIGHTS = [
  [/^docs\/(?:errors|events|options)\.md$/, 4],
  [/^docs\/(?:decisions|evidence)\/|^(?!docs\/)/, 0.3],
  [/./, 1],
];

export const weightOf = (path) => WEIGHTS.find(([pattern]) => pattern.test(path))[1];

/** The first heading of a page, or null. */
export const titleOf = (parts) => /^\s*# (?<title>.*)$/m.exec(parts[0]?.text ?? '')?.groups.title ?? null;
