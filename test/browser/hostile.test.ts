import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { StanzaError, xml, type QueueStore } from 'xmpp-broker';
import { describeServer } from '../servers/harness/index.js';
import { COMPONENT, header } from '../wire/support/component.js';
import { streamError, useRig } from '../wire/support/index.js';
import { expectText, useBrowser } from './support/browser.js';
import { useConsoles } from './support/console.js';
import { filterBy, panel, rows, tab } from './support/places.js';
import { useBrokers } from './support/brokers.js';

/** What would be markup, and would run, if anybody took it for HTML. */
const MARKUP = `<img src=x onerror="window.ran=1"><script>window.ran=1</script>'"&lt;b onclick=alert(1)>`;

/** Nothing that was shown has become markup, or was run. */
async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate('window.ran')).toBeUndefined();
  expect(
    await page
      .locator('img, iframe, object, embed, base, a, b, script:not([src="/page.js"]), [onclick], [onerror]')
      .count(),
  ).toBe(0);
}

/** A page of somebody else, without a policy. */
async function foreignPage(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${String(port)}/`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

describeServer('chromium', 'the console and hostile peers', () => {
  const openConsole = useConsoles();
  const site = useBrokers();
  const rig = useRig(COMPONENT);
  // Last, so that pages are closed before what they show.
  const browser = useBrowser();

  test('shows markup in stanzas as text, wherever it stands', async () => {
    const { echo, peer } = await site.pair();
    peer.answer('get', { namespace: 'urn:x' }, () => {
      throw new StanzaError('bad-request', { text: MARKUP });
    });
    echo.filters.add(MARKUP, `/message[body="${MARKUP.replaceAll('"', '')}"]`);
    echo.match('/message', () => {
      throw new Error(MARKUP);
    });
    const page = await browser.page();
    await page.goto((await openConsole({ [MARKUP]: echo, peer })).url);
    await page.getByTestId('state').waitFor();
    const hostile = xml('message', {
      to: 'echo.example.org',
      from: `peer.example.org/${MARKUP}`,
      type: MARKUP,
      id: MARKUP,
    });
    hostile.appendChild(xml('body', { title: MARKUP }, MARKUP));
    hostile.appendChild(xml('x', { xmlns: `urn:${MARKUP}` }, MARKUP));
    peer.output(hostile);
    const row = rows(page).getByRole('button', { name: /^[\d:.]+ In message/ });
    await expectText(row, new RegExp(`In message <img src=x onerror.*peer.example.org/<img.*<script>`));
    await row.click();
    await expectText(rows(page).locator('pre'), /&lt;img src=x onerror.*&lt;script/);
    await rows(page)
      .getByRole('button', { name: /HANDLERERROR/ })
      .waitFor();
    await expectHarmless(page);

    await tab(page, /^Filters/);
    await panel(page)
      .getByRole('button', { name: /^explain/ })
      .first()
      .click();
    await panel(page).locator('.why').waitFor();
    void peer
      .request(xml('iq', { type: 'get', to: `nobody.example.org/${MARKUP}`, id: MARKUP }, xml('q', { xmlns: 'urn:x' })))
      .catch(() => 0);
    await tab(page, /^Try/);
    await panel(page)
      .getByLabel('XPath 1.0')
      .fill(`/message[@type="${MARKUP.replaceAll('"', '')}"]`);
    await panel(page).getByRole('button', { name: 'Try', exact: true }).click();
    await expectText(page.getByTestId('tried'), /^0 of 1 stanza match.*<img/);
    await panel(page).getByLabel('XPath 1.0').fill('//@*');
    await panel(page).getByRole('button', { name: 'Try', exact: true }).click();
    await expectText(page.getByTestId('tried'), /^1 of 1 stanza matches.*<img/);
    await tab(page, /^Send/);
    await panel(page)
      .getByLabel('one stanza, as XML')
      .fill("<iq type='get' to='peer.example.org'><q xmlns='urn:x'/></iq>");
    await panel(page).getByRole('button', { name: 'Send', exact: true }).click();
    await expectText(page.getByTestId('sent'), /^Refused .*&lt;img src=x/);
    await expectHarmless(page);
  });

  test('shows markup of a server, a store and another process as text', async () => {
    const store: QueueStore = {
      name: MARKUP,
      open: (owner) => {
        owner.standby(MARKUP);
        const stored = { key: MARKUP, position: 1, xml: MARKUP, xmlns: owner.xmlns, at: 0, handed: null };
        const held = [{ ...stored, possibleDuplicate: false, attempts: 0, faults: 0 }];
        return Promise.resolve({
          epoch: 1,
          held,
          session: null,
          commit: () => Promise.resolve(),
          close: () => Promise.resolve(),
        });
      },
    };
    const peer = await rig.listen();
    const { broker } = rig.broker(peer, { queue: { store }, reconnect: false });
    const page = await browser.page();
    await page.goto((await openConsole(broker)).url);
    const failed = broker.connect().catch(() => undefined);
    const server = await peer.accept();
    await server.expect('<stream:stream');
    const escaped = MARKUP.replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll("'", '&apos;')
      .replaceAll('"', '&quot;');
    await server.send(header(escaped) + streamError('policy-violation', escaped));
    await failed;
    await expectText(page.getByRole('list', { name: 'Steps' }), /policy-violation/);
    await tab(page, /^Store/);
    await expectText(panel(page).getByRole('list'), /STANDBY .*holder <img/);
    await panel(page).getByText('QUEUE_UNREADABLE').click();
    await expectHarmless(page);
  });

  test('hides what is secret, as logs do', async () => {
    const { echo, peer } = await site.pair();
    const page = await browser.page();
    await page.goto((await openConsole(echo)).url);
    await page.getByTestId('state').waitFor();
    const login = xml('query', { xmlns: 'jabber:iq:auth' }, xml('password', {}, 'hunter2'));
    peer.output(xml('iq', { type: 'set', id: 'a', to: 'echo.example.org' }, login));
    peer.output(
      xml(
        'presence',
        { to: 'echo.example.org' },
        xml('x', { xmlns: 'http://jabber.org/protocol/muc' }, xml('password', {}, 'hunter2')),
      ),
    );
    await rows(page)
      .getByRole('button', { name: /In iq set/ })
      .click();
    await expectText(rows(page).locator('pre'), /\[redacted\]/);
    await rows(page)
      .getByRole('button', { name: /In presence/ })
      .click();
    await expectText(rows(page).locator('pre'), /\[redacted\]/);
    expect(await page.content()).not.toContain('hunter2');
    // An expression cannot ask for it either.
    await filterBy(page, "//*[.='hunter2']");
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(1);
    await page.getByRole('button', { name: /Go on/ }).click();
    peer.output(xml('iq', { type: 'set', id: 'secret', to: 'echo.example.org' }, login.clone()));
    peer.output(xml('message', { to: 'echo.example.org' }, xml('subject', {}, 'hunter2')));
    await rows(page)
      .getByRole('button', { name: /In message/ })
      .waitFor();
    expect(
      await rows(page)
        .getByRole('button', { name: /In iq set/ })
        .count(),
    ).toBe(1);
  });

  test('runs nothing that gets into the page all the same, and loads nothing from elsewhere', async () => {
    browser.expects(/Content Security Policy|Trusted|Failed to load|violates the following/);
    const page = await browser.page();
    await page.goto((await openConsole(site.component('echo'))).url);
    await page.getByTestId('state').waitFor();
    const outcome = await page.evaluate(`(async () => {
      const tried = [];
      const attempt = async (name, run) => tried.push([name, await Promise.resolve().then(run).then(() => 'done', (error) => error.name)]);
      await attempt('innerHTML', () => { document.body.innerHTML += '<img src=x onerror="window.ran=1">'; });
      await attempt('fetch', () => fetch('http://127.0.0.1:1/'));
      await attempt('eval', () => { setTimeout('window.ran=1', 0); });
      const script = document.createElement('script');
      await attempt('script', () => { script.text = 'window.ran=1'; document.body.append(script); });
      const image = new Image();
      image.src = 'http://127.0.0.1:1/x.png';
      await new Promise((resolve) => setTimeout(resolve, 50));
      return tried;
    })()`);
    expect(outcome).toEqual([
      ['innerHTML', 'TypeError'],
      ['fetch', 'TypeError'],
      ['eval', 'TypeError'],
      ['script', 'TypeError'],
    ]);
    expect(await page.evaluate('window.ran')).toBeUndefined();
  });

  test('answers to nobody without the token, and to no other page', async () => {
    browser.expects(/401|403|421|CORS|ERR_FAILED|blocked|Cross-Origin/i);
    const { echo } = await site.pair();
    const { url } = await openConsole(echo);
    const [address = '', token = ''] = url.split('#');
    for (const wrong of [address, `${address}#${'x'.repeat(43)}`]) {
      const page = await browser.page();
      await page.goto(wrong);
      await expectText(page.getByRole('alert'), 'The token is missing or wrong: open the address that was printed.');
      await page.context().close();
    }
    // Another page that has got hold of the token.
    await using other = await foreignPage();
    const page = await browser.page();
    await page.goto(other.url);
    const asked = await page.evaluate(
      `(async () => {
        const headers = { Authorization: 'Bearer ${token}', 'Content-Type': 'application/json' };
        const body = JSON.stringify({ broker: 'echo.example.org', xml: '<presence to="peer.example.org"/>' });
        const results = [];
        for (const init of [{ headers }, { method: 'POST', headers, body }, { method: 'POST', mode: 'no-cors', body }]) {
          results.push(await fetch('${address}api/send', init).then((response) => response.status, () => 'refused'));
        }
        return results;
      })()`,
    );
    expect(asked).toEqual(['refused', 'refused', 'refused']);
    expect(echo.stats().stanzas.out.presence).toBe(0);
  });

  test('is two consoles at once, which do not disturb each other', async () => {
    const { echo, peer } = await site.pair();
    const first = await browser.page();
    const second = await browser.page();
    await first.goto((await openConsole(echo)).url);
    await second.goto((await openConsole({ echo, peer }, { readOnly: true })).url);
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(2);
    await filterBy(first, '/presence');
    await first.getByRole('button', { name: 'Clear' }).click();
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(2);
    peer.output(xml('message', { to: 'echo.example.org' }, xml('body', {}, 'for both')));
    peer.output(xml('presence', { to: 'echo.example.org' }));
    await rows(second)
      .getByRole('button', { name: /for both/ })
      .waitFor();
    await rows(first)
      .getByRole('button', { name: /In presence/ })
      .waitFor();
    expect(await rows(first).textContent()).not.toContain('for both');
    // The second one only looks.
    await second.getByText('read only').waitFor();
    await tab(second, /^Send/);
    await panel(second).getByText('This console only reads.').waitFor();
    await first.context().close();
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(1);
  });

  test('says so when the program is gone, and goes on when it is back', async () => {
    browser.expects(/ERR_|Failed to load/);
    const echo = site.component('echo');
    const opened = await openConsole(echo);
    const page = await browser.page();
    await page.goto(opened.url);
    await page.getByTestId('state').waitFor();
    await opened.close();
    await expectText(page.locator('header .link'), 'the program does not answer; trying again');
    // Another console at that port has another token.
    await openConsole(echo, { port: Number(new URL(opened.url).port) });
    await expectText(page.locator('header .link'), /the token is missing or wrong/);
  });

  test('samples what is more than a page can show, says so, and keeps up', async () => {
    const { broker, server } = await rig.ready();
    const page = await browser.page();
    const others = broker.events.subscribers('PCJ_NODERECEIVED');
    await page.goto((await openConsole(broker)).url);
    await expect.poll(() => broker.events.subscribers('PCJ_NODERECEIVED')).toBe(others + 1);
    const to = broker.config.domain;
    const stanza = (i: number) =>
      `<message from='peer@example.org' to='${to}' id='m${String(i)}'><body>flood</body></message>`;
    const chunk = Array.from({ length: 2_000 }, (_, i) => stanza(i)).join('');
    let sent = 0;
    const sampled = page.getByTestId('sampled');
    let wasSampled = '';
    while (sent < 100_000 || wasSampled === '') {
      await server.send(chunk);
      sent += 2_000;
      if (wasSampled === '' && (await sampled.count()) > 0)
        wasSampled = (await sampled.textContent({ timeout: 1_000 }).catch(() => '')) ?? '';
    }
    expect(wasSampled).toMatch(/^A sample: 30 rows of [\d,]+ in the last moment/);
    await expect.poll(() => broker.stats().stanzas.in.message, { timeout: 30_000 }).toBe(sent);
    // The page is there, and bounded.
    await page.getByRole('button', { name: 'Pause' }).click();
    const shown = await rows(page).getByRole('button').count();
    expect(shown).toBeGreaterThanOrEqual(30);
    expect(shown).toBeLessThanOrEqual(300);
    await page.getByRole('button', { name: 'Go on' }).click();
    // One that comes in the last moment of the flood may be left out.
    await expect
      .poll(async () => {
        await server.send(`<message from='peer@example.org' to='${to}'><body>behind it</body></message>`);
        return rows(page)
          .getByRole('button', { name: /behind it/ })
          .count();
      })
      .toBeGreaterThan(0);
  });
});
