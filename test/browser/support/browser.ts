import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  chromium,
  selectors,
  type Browser,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { SERVERS } from '../../../scripts/servers.mjs';

/** Where pictures are kept, to be looked at. */
const PICTURES = fileURLToPath(new URL('../../../.cache/pictures', import.meta.url));

/** Sizes of a window, as people have them. */
export const WIDE = { width: 1440, height: 1000 };
export const PHONE = { width: 390, height: 844 };

/** A browser that the tests of a file share. What a page complains of fails the test. */
export class TestBrowser {
  #browser: Browser | null = null;
  #complaints: string[] = [];
  /** Complaints that a test wants. */
  #expected: RegExp[] = [];

  async start(): Promise<void> {
    const paths = SERVERS.chromium.find();
    if (paths === null) throw new Error('there is no Chromium');
    // Its sandbox does not work for root, and nobody else's pages are opened.
    selectors.setTestIdAttribute('data-test');
    this.#browser = await chromium.launch({ executablePath: paths.chromium, chromiumSandbox: false });
  }

  /** A page of a person of its own. */
  async page(options: BrowserContextOptions = {}): Promise<Page> {
    if (this.#browser === null) throw new Error('the browser is started before the first test');
    const context = await this.#browser.newContext({ viewport: WIDE, reducedMotion: 'reduce', ...options });
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.#complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.#complaints.push(String(error)));
    page.on('dialog', (dialog) => {
      this.#complaints.push(`a script opened a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    return page;
  }

  /** From now on a page may complain of this, in this test. */
  expects(complaint: RegExp): void {
    this.#expected.push(complaint);
  }

  async endTest(): Promise<void> {
    for (const context of this.#browser?.contexts() ?? []) await context.close();
    const complaints = this.#complaints.filter((text) => !this.#expected.some((one) => one.test(text)));
    this.#complaints = [];
    this.#expected = [];
    expect(complaints).toEqual([]);
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
  }
}

/** The browser of a file of tests. */
export function useBrowser(): TestBrowser {
  const browser = new TestBrowser();
  beforeAll(() => browser.start());
  afterEach(() => browser.endTest());
  afterAll(() => browser.stop());
  return browser;
}

/** Keeps a picture of a page. */
export async function picture(page: Page, name: string, fullPage = false): Promise<void> {
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage, animations: 'disabled' });
}

/** Waits until a place shows a text, whatever white space is in it. */
export async function expectText(place: Locator, text: string | RegExp): Promise<void> {
  await expect
    .poll(async () => (await place.textContent({ timeout: 1_000 }).catch(() => ''))?.replaceAll(/\s+/g, ' ').trim(), {
      timeout: 30_000,
    })
    .toEqual(typeof text === 'string' ? text : expect.stringMatching(text));
}

/** Has the page ask for another stream, and waits until it is told what happens on that one. */
export async function switched(page: Page, xpath: string, act: () => Promise<void>): Promise<void> {
  const answered = page.waitForResponse((response) => {
    const { pathname, searchParams } = new URL(response.url());
    return pathname === '/api/stream' && searchParams.get('xpath') === xpath;
  });
  await act();
  await answered;
}
