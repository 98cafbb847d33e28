// Places on the page of the console, as a person finds them.
import type { Locator, Page } from 'playwright-core';
import { switched } from './browser.js';

export const rows = (page: Page): Locator => page.getByRole('list', { name: 'What happened, newest first' });

/** Submits an expression, and waits until it counts. */
export const filterBy = (page: Page, xpath: string): Promise<void> =>
  switched(page, xpath, async () => {
    await page.getByLabel('only stanzas that match').fill(xpath);
    await page.getByRole('button', { name: 'Filter', exact: true }).click();
  });

export const tab = (page: Page, name: RegExp): Promise<void> => page.getByRole('tab', { name }).click();

export const panel = (page: Page): Locator => page.getByRole('tabpanel');
