import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allIds, withChecklist } from '../../scripts/checklist.mjs';
import { ROOT } from './support/markdown.js';

const page = readFileSync(`${ROOT}/docs/security.md`, 'utf8');

describe('docs/security.md', () => {
  it('has the list that node scripts/checklist.mjs writes', () => {
    expect(page).toBe(withChecklist(page));
  });

  it('has a test for every demand, or says why there is none', () => {
    const without = [...page.matchAll(/^\| (\S+) \| \[out of scope\]/gm)].map(([, id]) => id);
    const [, section = ''] = /^## Out of scope\n(.*?)^## /ms.exec(page) ?? [];
    expect(without.filter((id) => !section.includes(`${id} |`))).toEqual([]);
    expect(allIds()).toHaveLength(287);
  });
});
