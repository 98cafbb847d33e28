// The bot of docs/migrating-from-xmpp.js.md, as it was and as it is ported: both do the same on a real server.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Broker, NS, XMPP, xml, type Element } from 'xmpp-broker';
import { Child } from '../docs/support/child.js';
import { readPages } from '../docs/support/markdown.js';
import { Workshop } from '../docs/support/workshop.js';
import { describeServer, Prosody, sharedServer } from './harness/index.js';

const workshop = new Workshop();
afterAll(() => {
  workshop[Symbol.dispose]();
});

/** A program of the page, as somebody with an account of the test's server writes it. */
function program(language: 'js' | 'ts'): string {
  const page = readPages().find(({ path }) => path === 'docs/migrating-from-xmpp.js.md');
  const source = page?.blocks.find((block) => block.language === language)?.text ?? '';
  return source.replaceAll('example.org', 'localhost').replaceAll('juliet', 'alice').replaceAll('r0m30', 'secret');
}

describeServer('prosody', 'a bot that is ported line by line', () => {
  const prosody = sharedServer(() => Prosody.start());

  test.each([
    ['as it was', 'js'],
    ['as it is here', 'ts'],
  ] as const)('%s: it greets, echoes, accepts, and says its version', async (_, language) => {
    const server = await prosody();
    const folder = join(workshop.path, language);
    mkdirSync(folder);
    writeFileSync(join(folder, 'ca.pem'), readFileSync(join(server.directory, 'tls/ca.pem')));
    const place = { folder, detour: { 5222: server.ports.starttls } };
    await using bot = new Child(workshop, workshop.add(`bot-${language}.ts`, program(language)), place);
    await bot.prints('online as alice@localhost/bot');
    await bot.prints('talking to a server');

    await using friend = new Broker({
      connectionType: XMPP,
      host: server.host,
      port: server.ports.starttls,
      jid: `bob@localhost/${language}`,
      password: 'secret',
      tls: { ca: server.ca },
      logger: false,
    });
    await friend.connect();
    // Whoever has not asked for the roster is not told who accepts.
    await friend.request(xml('iq', { type: 'get' }, xml('query', { xmlns: NS.IQ_ROSTER })));
    friend.output(xml('presence'));
    const to = 'alice@localhost/bot';
    const next = (expression: string): Promise<Element> =>
      new Promise((resolve) => {
        const matching = friend.match(expression, ({ node }) => {
          matching.cancel();
          resolve(node);
        });
      });

    const echoed = next('/message[body]');
    friend.output(xml('message', { to, type: 'chat', id: '1' }, xml('body', {}, 'hi <&>')));
    const echo = await echoed;
    expect([echo.getAttribute('from'), echo.getAttribute('type')]).toEqual([to, 'chat']);
    expect(echo.getChildText('body')).toBe('You said: hi <&>');

    const accepted = next('/presence[@type="subscribed"]');
    friend.output(xml('presence', { to: 'alice@localhost', type: 'subscribe' }));
    expect((await accepted).getAttribute('from')).toBe('alice@localhost');

    const version = xml('query', { xmlns: NS.IQ_VERSION });
    const answer = await friend.request(xml('iq', { type: 'get', to }, version));
    expect(answer.firstElementChild?.getChildText('name')).toBe('bot');
    const unknown = xml('q', { xmlns: 'urn:unknown' });
    await expect(friend.request(xml('iq', { type: 'get', to }, unknown))).rejects.toMatchObject({
      condition: 'service-unavailable',
    });
    // The next bot has to be asked again.
    friend.output(xml('presence', { to: 'alice@localhost', type: 'unsubscribe' }));

    bot.signal('SIGTERM');
    const { code, output } = await bot.ended();
    expect(output).toContain('offline');
    expect(code).toBe(0);
  });
});
