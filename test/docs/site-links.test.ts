import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { checkLinks } from '../../scripts/site/links.mjs';

const site = mkdtempSync(join(tmpdir(), 'xmpp-broker-links-'));
afterAll(() => {
  rmSync(site, { recursive: true });
});

it('a link to a page, a place or a picture that is not there is found', () => {
  mkdirSync(join(site, 'guides'));
  writeFileSync(
    join(site, 'index.html'),
    `<h1 id="top"></h1><a href="guides/tls.html#a&amp;b">1</a> <a href="#top">2</a> <a href=".">3</a>
     <a href="https://example.org/none">4</a> <a href="guides/none.html">5</a> <a href="#none">6</a>`,
  );
  writeFileSync(
    join(site, 'guides/tls.html'),
    `<h2 id="a&amp;b"></h2><a href="../index.html#top">7</a> <img src="none.svg"> <a href="../index.html#gone">8</a>`,
  );
  const { broken, count } = checkLinks(site);
  expect(broken.map((line) => line.split(': ').slice(0, 2).join(' ')).sort()).toEqual([
    'guides/tls.html ../index.html#gone',
    'guides/tls.html none.svg',
    'index.html #none',
    'index.html guides/none.html',
  ]);
  expect(count).toBe(8);
});
