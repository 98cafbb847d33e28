// The documentation site: built by its command, looked at in a browser.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSite, type Site } from './support/site.js';
import { readPages } from '../docs/support/markdown.js';
import { useBrowser } from './support/browser.js';

const browser = useBrowser();
const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-site-'));
let site: Site;
beforeAll(async () => {
  site = await startSite(folder);
});
afterAll(async () => {
  await site.stop();
  rmSync(folder, { recursive: true, force: true });
});

const RESULTS = '#tsd-search-results a';

/** Searches as a person does. @returns the links that are found, best first */
async function search(page: Page, words: string): Promise<string[]> {
  await page.keyboard.press('/');
  await page.locator('#tsd-search-input').fill(words);
  await page.locator(RESULTS).first().waitFor();
  return page.locator(RESULTS).evaluateAll((links) => links.map((link) => String(link)));
}

test.each([
  { what: 'an option', words: 'maxAgeMs', found: /interfaces\/.*#maxagems/, text: 'maxAgeMs' },
  { what: 'an event', words: 'PCJ_RECONNECTING', found: /PCJ_RECONNECTING/i, text: 'PCJ_RECONNECTING' },
  { what: 'an error code', words: 'TLS_REQUIRED', found: /guides\/errors/, text: 'TLS_REQUIRED' },
  { what: 'words of a guide', words: 'Recreate', found: /guides\/cookbook-service/, text: 'type: Recreate' },
])('the search finds $what, and asks nobody', async ({ words, found, text }) => {
  const page = await browser.page();
  const asked = new Set<string>();
  page.on('request', (request) => asked.add(`${new URL(request.url()).origin}/`));
  await page.goto(site.url);
  const links = await search(page, words);
  const at = links.findIndex((link) => found.test(link));
  expect(at, links.join(' ')).toBeGreaterThanOrEqual(0);
  expect(at, links.join(' ')).toBeLessThan(3);
  await page.locator(RESULTS).nth(at).click();
  await page.waitForURL(found);
  await page.getByText(text).first().waitFor();
  expect([...asked]).toEqual([site.url]);
});

const pages = () =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.html'))
    .map((name) => name.replaceAll(sep, '/'));

/** Pages come from a few templates: one in so many is looked at, with XMPP_BROKER_PAGES=all every one. */
const every = process.env['XMPP_BROKER_PAGES'] === 'all';
const REFERENCE = /^(?:classes|functions|interfaces|types|variables)\//;
const drawn = (names: readonly string[], oneIn: number) => names.filter((_, i) => every || i % oneIn === 0);
const looked = () => [
  ...drawn(
    pages().filter((name) => REFERENCE.test(name)),
    60,
  ),
  ...drawn(
    pages().filter((name) => !REFERENCE.test(name)),
    4,
  ),
];

test('pages are there in light and dark, and complain of nothing', { timeout: 600_000 }, async () => {
  const left = looked();
  expect(left.length).toBeGreaterThan(20);
  const odd: string[] = [];
  const visit = async (): Promise<void> => {
    const page = await browser.page();
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      await page.goto(`${site.url}${path}`);
      const colours: string[] = [];
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        colours.push(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      }
      const missing: string[] = await page.evaluate(
        '[...document.images].filter(({ complete, naturalWidth }) => complete && naturalWidth === 0).map(({ src }) => src)',
      );
      const headings: number = await page.evaluate("document.querySelectorAll('h1').length");
      if (headings !== 1) missing.push(`${String(headings)} headings`);
      if (new Set(colours).size < 2 || missing.length > 0) odd.push([path, ...colours, ...missing].join(' '));
    }
  };
  await Promise.all([visit(), visit()]);
  expect(odd).toEqual([]);
});

test('what is copied from a recipe is what the tests run', async () => {
  const page = await browser.page();
  const copied: string[] = [];
  for (const path of pages().filter((name) => name.startsWith('guides/cookbook-'))) {
    await page.goto(`${site.url}${path}`);
    copied.push(...(await page.locator('pre code.ts').allInnerTexts()));
  }
  const written = readPages()
    .filter(({ path }) => path.startsWith('docs/cookbook/'))
    .flatMap(({ blocks }) => blocks.filter(({ language }) => language === 'ts').map(({ text }) => text.trim()));
  const other = copied.map((text) => text.trim()).filter((text) => !written.includes(text));
  expect(other.map((text) => text.slice(0, 80))).toEqual([]);
  expect(copied).toHaveLength(written.length);
});

test('a page that is not there, and what is outside of the site, is refused', async () => {
  const status = async (path: string) => (await fetch(`${site.url}${path}`)).status;
  expect(await status('guides/tls.html')).toBe(200);
  expect(await status('')).toBe(200);
  expect(await status('guides/none.html')).toBe(404);
  expect(await status('%2e%2e/%2e%2e/etc/passwd')).toBe(404);
  expect(await status('..%2f..%2fetc%2fpasswd')).toBe(404);
  expect(await status('%00')).toBe(404);
});
