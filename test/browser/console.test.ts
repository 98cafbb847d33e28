import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { xml, type Broker, type Element, type QueueStore } from 'xmpp-broker';
import { describeServer, Prosody, sharedServer } from '../servers/harness/index.js';
import { expectText, useBrowser } from './support/browser.js';
import { useConsoles } from './support/console.js';
import { filterBy, panel, rows, tab } from './support/places.js';
import { useBrokers } from './support/brokers.js';

const message = (text: string, to = 'echo.example.org'): Element =>
  xml('message', { to, type: 'chat' }, xml('body', {}, text));

/** A script that counts pixels of about that colour on the first canvas. */
const drawnNear = (colour: string): string => `{
  const canvas = document.querySelector('.plot canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let near = 0;
  for (let i = 0; i < data.length; i += 4) {
    const far = [${colour}].map((value, at) => Math.abs(value - data[i + at]));
    if (data[i + 3] > 128 && Math.max(...far) < 24) near += 1;
  }
  near;
}`;

describeServer('chromium', 'the console', () => {
  const openConsole = useConsoles();
  const site = useBrokers();
  // Last, so that pages are closed before what they show.
  const browser = useBrowser();

  /** A page of a console of these brokers, which is told what happens. */
  async function open(brokers: Broker | Record<string, Broker>): Promise<Page> {
    const page = await browser.page();
    await page.goto((await openConsole(brokers)).url);
    await page.getByTestId('state').waitFor();
    return page;
  }

  test('shows each broker, and how it became ready', async () => {
    const echo = site.component('echo');
    const juliet = site.account();
    const page = await open({ echo, juliet });
    const state = page.getByTestId('state');
    await expectText(state, 'idle');
    await Promise.all([echo.connect(), juliet.connect()]);
    await expectText(state, 'ready');
    const steps = page.getByRole('list', { name: 'Steps' });
    await expectText(steps, /CONNECT.*AUTHSUCCESS mechanism handshake.*READY jid echo/);
    await page.getByRole('button', { name: 'juliet ready' }).click();
    await expectText(steps, /SSLSUCCESS.*TLSv1.3.*BINDSUCCESS.*READY jid juliet@example.org/);
    await expectText(page.getByRole('list', { name: 'What the time went into' }), /TLS.*sign-in.*binding/);
    expect(await page.title()).toBe('xmpp-broker console');
    // The token is not left where somebody could read it.
    expect(new URL(page.url()).hash).toBe('');
    await page.reload();
    await expectText(state, 'ready');
  });

  test('shows stanzas and events as they happen, pretty-printed when they are opened', async () => {
    const { echo, peer } = await site.pair();
    const page = await open(echo);
    peer.output(message('hello'));
    const row = rows(page).getByRole('button', { name: /In message chat peer.example.org to echo.example.org hello/ });
    await row.click();
    await expectText(
      rows(page).locator('pre'),
      /^<message .*from='peer.example.org'.*> <body>hello<\/body> <\/message>$/,
    );
    await row.click();
    await page.getByRole('button', { name: /Go on/ }).click();
    echo.output(message('to you', 'peer.example.org'));
    await rows(page)
      .getByRole('button', { name: /Out message chat .* to you/ })
      .waitFor();
    // A handler that throws is a fault, with its reason.
    echo.subscribe('PCJ_NODERECEIVED', () => {
      throw new Error('nobody expected this');
    });
    peer.output(message('again'));
    await rows(page)
      .getByRole('button', { name: /Faults HANDLERERROR .*nobody expected this/ })
      .waitFor();
  });

  test('filters by kind, by expression and by text, and stands still on demand', async () => {
    const { echo, peer } = await site.pair();
    const page = await open(echo);
    await filterBy(page, "/message[contains(body, 'order')]");
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(1);
    await page.getByRole('button', { name: 'Clear' }).click();
    for (let i = 0; i < 200; i += 1) peer.output(message(i === 150 ? 'order 7' : `other ${String(i)}`));
    await rows(page)
      .getByRole('button', { name: /order 7/ })
      .waitFor();
    await expectText(rows(page), /^[\d:.]+InMessage|order 7/i);
    expect(await rows(page).getByRole('button').count()).toBe(1);
    // Nothing of it is in the broker.
    expect(echo.filters.size).toBe(0);

    await filterBy(page, '//[');
    await expectText(page.locator('.live [role=alert]'), /^XPath: unexpected/);
    browser.expects(/400/);
    await filterBy(page, '');
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(1);

    await page.getByRole('button', { name: 'In', exact: true }).click();
    await expect.poll(() => echo.events.subscribers('PCJ_NODERECEIVED')).toBe(0);
    await expect.poll(() => echo.events.subscribers('PCJ_NODESENT')).toBe(1);
    peer.output(message('unseen'));
    echo.output(message('apple', 'peer.example.org'));
    echo.output(message('pear', 'peer.example.org'));
    await rows(page).getByRole('button', { name: /pear/ }).waitFor();
    await page.getByLabel('find in what is shown').fill('APPLE');
    await expect.poll(() => rows(page).getByRole('button').count()).toBe(1);
    await page.getByLabel('find in what is shown').fill('');
    await page.getByRole('button', { name: 'Pause' }).click();
    echo.output(message('plum', 'peer.example.org'));
    await page.getByRole('button', { name: 'Go on (1 new)' }).click();
    await rows(page).getByRole('button', { name: /plum/ }).waitFor();
    expect(await rows(page).textContent()).not.toContain('unseen');
  });

  test('draws throughput and the time until answers', async () => {
    const { echo, peer } = await site.pair();
    peer.answer('get', { namespace: 'urn:x' }, () => null);
    const page = await open(echo);
    site.every(20, () => {
      void echo.request(xml('iq', { type: 'get', to: 'peer.example.org' }, xml('q', { xmlns: 'urn:x' })));
    });
    await page.getByRole('img', { name: /^Stanzas a second: [1-9]\d* in, [1-9]\d* out$/ }).waitFor();
    await page.getByRole('img', { name: /^Time until an answer: [\d.]+ ms$/ }).waitFor();
    browser.expects(/willReadFrequently/);
    // Both curves are drawn, in their colours.
    await expect.poll(() => page.evaluate(drawnNear('26,88,184'))).toBeGreaterThan(20);
    await expect.poll(() => page.evaluate(drawnNear('15,107,67'))).toBeGreaterThan(20);
  });

  test('lists filters with their matches, and explains them', async () => {
    const { echo, peer } = await site.pair();
    echo.match('/message[body]', () => undefined);
    echo.filters.add('orders', '/iq/query');
    const page = await open(echo);
    peer.output(message('one'));
    peer.output(message('two'));
    await tab(page, /^Filters/);
    const table = panel(page).getByRole('table');
    await expectText(
      table
        .getByRole('row', { name: /^\/message/ })
        .getByRole('cell')
        .nth(1),
      '2',
    );
    await expectText(table.getByRole('row', { name: /^\/iq/ }), /nobody hears it/);
    await table.getByRole('button', { name: 'explain /iq/query' }).click();
    await expectText(panel(page).locator('.why'), /stanzas since it was added.*query.*namespace/);
  });

  test('lists requests that wait, with their age', async () => {
    const { echo, peer } = await site.pair();
    peer.answer('get', { namespace: 'urn:slow' }, () => new Promise(() => undefined));
    const page = await open(echo);
    echo
      .request(xml('iq', { type: 'get', to: 'peer.example.org', id: 'r1' }, xml('q', { xmlns: 'urn:slow' })))
      .catch(() => 0);
    echo.returnToSender(
      'roster',
      xml('iq', { type: 'get', to: 'peer.example.org', id: 'r2' }, xml('q', { xmlns: 'urn:slow' })),
    );
    await tab(page, /^Requests/);
    await expectText(
      panel(page).getByRole('row', { name: /r1/ }),
      /^[\d.]+ m?s ?peer.example.org ?a promise ?sent ?r1$/,
    );
    await expectText(panel(page).getByRole('row', { name: /r2/ }), /roster/);
    await page.getByRole('tab', { name: 'Requests 2' }).waitFor();
  });

  test('sends and drops what is held, by selection, and asks before', async () => {
    const juliet = site.account();
    const tickets = ['one', 'two', 'three'].map((text) => juliet.output(message(text, 'juliet@example.org')));
    await juliet.connect();
    const page = await open(juliet);
    await tab(page, /^Queue/);
    const pick = (place: number) =>
      panel(page)
        .getByRole('checkbox', { name: /^pick message/ })
        .nth(place);
    const drop = panel(page).getByRole('button', { name: /^Drop/ });
    expect(await drop.isDisabled()).toBe(true);
    await panel(page).getByRole('button', { name: 'message chat' }).first().click();
    await expectText(panel(page).locator('pre'), /<body>one<\/body>/);

    await pick(1).check();
    await drop.click();
    const dialog = page.getByRole('dialog', { name: 'Drop 1 stanza?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'hidden' });
    expect(juliet.queue.size).toBe(3);
    await drop.click();
    await dialog.getByRole('button', { name: 'Drop', exact: true }).click();
    await expectText(panel(page).locator('.report'), '1 stanza dropped.');
    expect(tickets.map(({ state }) => state)).toEqual(['queued', 'dropped', 'queued']);

    await expect.poll(() => panel(page).getByRole('checkbox').count()).toBe(3);
    await panel(page).getByRole('checkbox', { name: 'pick all that are listed' }).check();
    await panel(page).getByRole('button', { name: 'Send 2…' }).click();
    await page
      .getByRole('dialog', { name: 'Send 2 stanzas?' })
      .getByRole('button', { name: 'Send', exact: true })
      .click();
    await expectText(panel(page).locator('.report'), '2 stanzas sent.');
    await panel(page).getByText('Nothing is held.').waitFor();
    await Promise.all([tickets[0]?.sent, tickets[2]?.sent]);
  });

  test('sends XML, and shows what became of it', async () => {
    const { echo, peer } = await site.pair();
    peer.answer('get', { namespace: 'urn:x' }, () => xml('q', { xmlns: 'urn:x' }, 'the answer'));
    const page = await open(echo);
    await tab(page, /^Send/);
    const area = panel(page).getByLabel('one stanza, as XML');
    const report = page.getByTestId('sent');
    const send = async (text: string, outcome: RegExp): Promise<void> => {
      await area.fill(text);
      await panel(page).getByRole('button', { name: 'Send', exact: true }).click();
      await expectText(report, outcome);
    };
    const heard = peer.events.once('PCJ_NODERECEIVED');
    await send("<message to='peer.example.org'><body>by hand</body></message>", /^Sent\.$/);
    expect((await heard).getChildText('body')).toBe('by hand');
    await send("<iq type='get' to='peer.example.org'><q xmlns='urn:x'/></iq>", /^Answered:.*the answer/);
    await send("<iq type='get' to='peer.example.org'><q xmlns='urn:y'/></iq>", /^Refused .*service-unavailable/);
    browser.expects(/400/);
    await send("<message to='peer.example.org'><body>", /^Nothing was sent: .*element/);
    await send("<message to='peer.example.org' from='juliet@example.org'/>", /^Nothing was sent: .*from/);
    await panel(page).getByRole('button', { name: 'presence' }).click();
    expect(await area.inputValue()).toBe('<presence/>');
  });

  test('tries an expression against the last stanzas, and says why nothing matches', async () => {
    const { echo, peer } = await site.pair();
    const page = await open(echo);
    peer.output(message('hello'));
    peer.output(xml('iq', { type: 'result', id: 'x', to: 'echo.example.org' }, xml('query', { xmlns: 'urn:q' })));
    await rows(page)
      .getByRole('button', { name: /iq result/ })
      .waitFor();
    await tab(page, /^Try/);
    const report = page.getByTestId('tried');
    const attempt = async (xpath: string, outcome: RegExp, prefixes = ''): Promise<void> => {
      await panel(page).getByLabel('XPath 1.0').fill(xpath);
      await panel(page)
        .getByLabel(/^prefixes/)
        .fill(prefixes);
      await panel(page).getByRole('button', { name: 'Try', exact: true }).click();
      await expectText(report, outcome);
    };
    await attempt('/message/body', /^1 of 2 stanzas matches\..*<body.*>hello<\/body>/);
    await attempt('/message/subject', /^0 of 2 stanzas match\..*1×.*message/);
    await attempt('/iq/query', /^0 of 2 stanzas match\..*urn:q/);
    await attempt('/iq/q:query', /^1 of 2/, 'q=urn:q');
    browser.expects(/400/);
    await attempt('/iq/r:query', /prefix/);
  });

  test('tells of the store, of standby, and of dead letters', async () => {
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const store: QueueStore = {
      name: 'test',
      open: async (owner) => {
        owner.standby('another process');
        await begun;
        const dead = { key: 'order-7', position: 1, xml: '<message', xmlns: owner.xmlns, at: Date.now(), handed: null };
        const held = [{ ...dead, possibleDuplicate: false, attempts: 0, faults: 0 }];
        return { epoch: 4, held, session: null, commit: () => Promise.resolve(), close: () => Promise.resolve() };
      },
    };
    const echo = site.component('echo', { queue: { store, name: 'orders' } });
    const page = await open(echo);
    const connected = echo.connect();
    await expectText(page.getByTestId('state'), 'standby');
    await tab(page, /^Store/);
    const told = panel(page).getByRole('list');
    await expectText(told, /STANDBY queue orders, holder another process/);
    begin();
    await connected;
    await expectText(told, /STOREREADY queue orders, held 0, possibleDuplicates 0, epoch 4/);
    await panel(page).getByText('QUEUE_UNREADABLE').click();
    await expectText(panel(page).locator('details'), /order-7.*cannot be sent.*Its text cannot be shown/);
  });

  test('stays with a broker that is cut off and comes back', async () => {
    const echo = site.component('echo', { reconnect: { firstDelayMs: 50, maxDelayMs: 100 } });
    const page = await open(echo);
    await echo.connect();
    await expectText(page.getByTestId('state'), 'ready');
    const ready = echo.events.once('PCJ_READY');
    site.server.kick('echo.example.org', 'system-shutdown');
    await ready;
    await expectText(page.getByTestId('figure-reconnects').locator('.number'), '1');
    const attempts = page.getByRole('combobox', { name: /^attempt/ });
    await expectText(attempts, /^2: ready in .*1: ready in .*, ended after/);
    await attempts.selectOption({ index: 1 });
    await expectText(page.getByRole('list', { name: 'Steps' }), /system-shutdown/);
    await rows(page)
      .getByRole('button', { name: /RECONNECTING/ })
      .waitFor();
  });
});

describeServer('prosody', 'the console', () => {
  describeServer('chromium', 'with a real server', () => {
    const openConsole = useConsoles();
    const site = useBrokers();
    // Last, so that pages are closed before what they show.
    const browser = useBrowser();
    const prosody = sharedServer(() => Prosody.start());

    test('shows a component that is signed in, asks, and is asked', async () => {
      const server = await prosody();
      const port = server.ports.component;
      const broker = site.component('echo', { jid: 'comp.localhost', port, password: 'secret' });
      broker.match('/iq[ping]', () => undefined);
      const page = await browser.page();
      await page.goto((await openConsole(broker)).url);
      await broker.connect();
      await expectText(page.getByTestId('state'), 'ready');
      await tab(page, /^Send/);
      await panel(page)
        .getByLabel('one stanza, as XML')
        .fill("<iq type='get' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>");
      await panel(page).getByRole('button', { name: 'Send', exact: true }).click();
      await expectText(page.getByTestId('sent'), /^Answered:.*type='result'/);
      await rows(page)
        .getByRole('button', { name: /Answers iq result localhost/ })
        .waitFor();
      await expectText(
        page.getByRole('list', { name: 'Steps' }),
        /AUTHSUCCESS mechanism handshake.*READY jid comp.localhost/,
      );
    });
  });
});
