import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { reply, xml } from 'xmpp-broker';
import { describeServer } from '../servers/harness/index.js';
import { expectText, PHONE, picture, switched, useBrowser, WIDE } from './support/browser.js';
import { useConsoles } from './support/console.js';
import { panel, rows } from './support/places.js';
import { useBrokers } from './support/brokers.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TABS = ['Requests', 'Queue', 'Filters', 'Send', 'Try XPath', 'Store'] as const;

/** Whatever has the focus: its role or element, and its name. */
const focused = (page: Page): Promise<string> =>
  page.evaluate(`{
    const { tagName, ariaLabel, labels, type } = document.activeElement;
    const textContent = tagName === 'BODY' ? '' : document.activeElement.textContent;
    const name = ariaLabel ?? (labels?.length > 0 ? labels[0].textContent : textContent);
    tagName.toLowerCase() + (type ? '[' + type + ']' : '') + ' ' + name.replace(/\\s+/g, ' ').trim();
  }`);

/** Presses Tab until something has the focus. */
async function tabTo(page: Page, wanted: RegExp): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 90; i += 1) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    seen.push(now);
    if (wanted.test(now)) return;
  }
  throw new Error(`Tab does not lead to ${String(wanted)}, but to:\n${seen.join('\n')}`);
}

describeServer('chromium', 'the console and people', () => {
  const openConsole = useConsoles();
  const site = useBrokers();
  // Last, so that pages are closed before what they show.
  const browser = useBrowser();

  /** A console of brokers with something of everything to be seen. */
  async function scene(): Promise<string> {
    const juliet = site.account();
    const echo = site.component('echo');
    const peer = site.component('peer', { answerRequests: true });
    for (const text of ['wherefore art thou?', 'parting is such sweet sorrow', 'good night, good night']) {
      juliet.output(xml('message', { to: 'juliet@example.org', type: 'chat' }, xml('body', {}, text)));
    }
    juliet.match('/message[body]', ({ node }) => {
      if (node.getAttribute('type') === 'chat') juliet.output(reply(node, xml('body', {}, 'I hear you')));
    });
    juliet.filters.add('orders', "/message[@type='headline']/body[starts-with(., 'order')]");
    juliet.filters.add('discovery', '/iq/d:query', { namespaces: { d: 'http://jabber.org/protocol/disco#info' } });
    juliet.subscribe('orders', () => undefined);
    peer.answer('get', { namespace: 'urn:slow' }, () => new Promise(() => undefined));
    peer.answer('get', { namespace: 'urn:quick' }, () => null);
    const { url } = await openConsole({ juliet, echo, peer });
    await Promise.all([echo.connect(), peer.connect(), juliet.connect()]);
    for (const id of ['r1', 'r2']) {
      juliet
        .request(xml('iq', { type: 'get', to: 'peer.example.org', id }, xml('q', { xmlns: 'urn:slow' })))
        .catch(() => 0);
    }
    let n = 0;
    site.every(120, () => {
      n += 1;
      const type = n % 5 === 0 ? 'headline' : 'chat';
      const order = xml('body', {}, `order ${String(n)}: ${String(1 + (n % 7))} roses`);
      if (n % 9 < 6) peer.output(xml('message', { to: 'juliet@example.org/desk', type }, order));
      void juliet.request(xml('iq', { type: 'get', to: 'peer.example.org' }, xml('q', { xmlns: 'urn:quick' })));
    });
    return url;
  }

  test('does everything by keyboard', async () => {
    const { echo, peer } = await site.pair();
    const juliet = site.account();
    const tickets = ['one', 'two'].map((text) =>
      juliet.output(xml('message', { to: 'juliet@example.org' }, xml('body', {}, text))),
    );
    const page = await browser.page();
    await page.goto((await openConsole({ echo, juliet })).url);
    await page.getByTestId('state').waitFor();
    const { keyboard } = page;

    await tabTo(page, /^button\[button\] echo/);
    await tabTo(page, /only stanzas that match/);
    await keyboard.type('/message[body]');
    await switched(page, '/message[body]', () => keyboard.press('Enter'));
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(1);
    peer.output(xml('message', { to: 'echo.example.org' }, xml('body', {}, 'from the keyboard')));
    await rows(page)
      .getByRole('button', { name: /from the keyboard/ })
      .waitFor();
    await tabTo(page, /from the keyboard/);
    await keyboard.press('Enter');
    await expectText(rows(page).locator('pre'), /from the keyboard/);
    await tabTo(page, /^button\[button\] Requests/);
    for (const name of [...TABS.slice(1), TABS[0]]) {
      await keyboard.press('ArrowRight');
      await expect.poll(() => focused(page)).toMatch(new RegExp(`^button\\[button\\] ${name}`));
      await expect.poll(() => panel(page).getAttribute('aria-labelledby')).toBe(`tab-${String(TABS.indexOf(name))}`);
    }
    await keyboard.press('End');
    await expect.poll(() => focused(page)).toMatch(/Store$/);
    await keyboard.press('ArrowLeft');
    await tabTo(page, /XPath 1.0/);
    await keyboard.type('/message/body');
    await keyboard.press('Enter');
    await expectText(page.getByTestId('tried'), /^1 of 1 stanza matches/);
    await page.getByRole('tab', { name: 'Try XPath' }).focus();
    await keyboard.press('ArrowLeft');
    await tabTo(page, /one stanza, as XML/);
    await keyboard.type('<message to="peer.example.org"/>');
    await keyboard.press('Control+Enter');
    await expectText(page.getByTestId('sent'), 'Sent.');

    await page.getByRole('button', { name: /^echo/ }).focus();
    await tabTo(page, /^button\[button\] juliet/);
    await keyboard.press('Enter');
    await page.getByRole('tab', { name: 'Queue 2' }).waitFor();
    await tabTo(page, /^button\[button\] Requests/);
    await keyboard.press('ArrowRight');
    await tabTo(page, /^input\[checkbox\] pick message/);
    await keyboard.press('Space');
    await page.getByRole('tab', { name: 'Queue 2' }).focus();
    await tabTo(page, /^button\[button\] Drop 1/);
    await keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    // What does no harm has the focus, and nothing behind the dialog can have it.
    await expect.poll(() => focused(page)).toMatch(/Cancel$/);
    await keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await expect.poll(() => focused(page)).toMatch(/Drop 1/);
    await keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, /Drop$/);
    await keyboard.press('Enter');
    await expectText(panel(page).locator('.report'), '1 stanza dropped.');
    await expect.poll(() => focused(page)).toBe('p 1 stanza dropped.');
    expect(tickets.map(({ state }) => state)).toEqual(['dropped', 'queued']);
  });

  test('has no obstacles in light and dark, and keeps in its frame on a phone', async () => {
    const url = await scene();
    // The checker is put into the page, which the page's policy would not let in.
    const page = await browser.page({ bypassCSP: true });
    await page.goto(url);
    await page.getByRole('img', { name: /^Time until an answer: [\d.]+ ms$/ }).waitFor();
    await page.evaluate(AXE);
    await rows(page).getByRole('button', { name: /Out/ }).first().click();
    await rows(page).getByRole('button').nth(12).waitFor();
    // The checker takes the longer, the more there is.
    site.quiet();
    for (const tab of TABS) {
      await page.getByRole('tab', { name: tab }).click();
      if (tab === 'Filters') {
        await panel(page)
          .getByRole('button', { name: /^explain/ })
          .last()
          .click();
        await panel(page).locator('.why').waitFor();
      }
      if (tab === 'Try XPath') {
        await panel(page).getByLabel('XPath 1.0').fill('/message/subject');
        await panel(page).getByRole('button', { name: 'Try', exact: true }).click();
        await page.getByTestId('tried').locator('p').first().waitFor();
      }
      await expectNoObstacles(page);
      if (tab === 'Filters')
        await inEveryFrame(page, (name) => picture(page, `console-${name}`, name.startsWith('phone')));
    }
    await page.setViewportSize(PHONE);
    // Neither wider than the window, nor longer than what is on it.
    expect(
      await page.evaluate("document.documentElement.scrollHeight - document.querySelector('main').offsetHeight < 400"),
    ).toBe(true);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await expectNoObstacles(page);
    await page.getByRole('tab', { name: 'Queue 3' }).click();
    await panel(page).getByRole('checkbox').nth(1).check();
    await panel(page).getByRole('button', { name: 'Drop 1…' }).click();
    await page.getByRole('dialog').waitFor();
    await expectNoObstacles(page);
    await inEveryFrame(page, (name) => picture(page, `console-queue-${name}`));
    // The checker computes for seconds, on a busy machine for a minute.
  }, 240_000);
});

/** Everything is looked at in light, in dark only what is another there. */
async function expectNoObstacles(page: Page): Promise<void> {
  await page.emulateMedia({ colorScheme: 'light' });
  await expectNone(page, '');
  await page.emulateMedia({ colorScheme: 'dark' });
  await expectNone(page, "{ runOnly: ['color-contrast'] }");
}

async function expectNone(page: Page, options: string): Promise<void> {
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${options})`);
  const found = violations.map(({ id, help, nodes }) => ({
    id,
    help,
    at: nodes.map(({ html }) => html.slice(0, 160)),
  }));
  expect(found).toEqual([]);
}

async function inEveryFrame(page: Page, run: (name: string) => Promise<void>): Promise<void> {
  for (const [frame, size] of Object.entries({ phone: PHONE, wide: WIDE })) {
    await page.setViewportSize(size);
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme });
      await run(`${frame}-${colorScheme}`);
    }
  }
}
