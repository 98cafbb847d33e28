import { describe, expect, it } from 'vitest';
import { problemsOf } from '../../scripts/release-problems.mjs';

const GOOD = {
  manifest: { version: '1.2.3', repository: 'r', homepage: 'h', bugs: 'b' },
  changelog: '# Changelog\n\n## [1.2.3] - 2030-01-31\n',
  uncommitted: '',
};

describe('a release', () => {
  it('may be published when nothing stands against it', () => {
    expect(problemsOf(GOOD)).toEqual([]);
  });

  it.each([
    ['no repository', { manifest: { ...GOOD.manifest, repository: undefined } }, '"repository"'],
    ['no homepage', { manifest: { ...GOOD.manifest, homepage: '' } }, '"homepage"'],
    ['no address for bugs', { manifest: { ...GOOD.manifest, bugs: undefined } }, '"bugs"'],
    ['no date', { changelog: '## [1.2.3] - unreleased\n' }, 'CHANGELOG.md has no heading for 1.2.3'],
    ['another version', { changelog: '## [1.2.30] - 2030-01-31\n' }, 'CHANGELOG.md has no heading for 1.2.3'],
    ['something uncommitted', { uncommitted: ' M src/index.ts\n' }, 'differs from the last commit'],
  ])('%s is told with the way out', (_, change, text) => {
    const problems = problemsOf({ ...GOOD, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(text);
  });
});
