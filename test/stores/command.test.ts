import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Broker, COMPONENT, xml } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { LoopbackServer } from 'xmpp-broker/testing';
import { command } from '../unit/cli/terminal.js';
import { describeStore, file } from './support/place.js';

describeStore('xmpp-broker queue', () => {
  const NAME = 'echo.localhost';
  const held = (path: string, port = 1): Broker =>
    new Broker({
      connectionType: COMPONENT,
      domain: NAME,
      host: '127.0.0.1',
      port,
      password: 'secret',
      logger: false,
      queue: { store: sqliteStore({ file: path }), name: NAME },
    });

  async function filled(keys: readonly string[]): Promise<string> {
    const path = file();
    await using broker = held(path);
    await broker.openQueue();
    const tickets = keys.map((key) =>
      broker.output(xml('message', { to: 'peer.localhost' }, xml('body', {}, `\u202e${key}`)), { key }),
    );
    await Promise.all(tickets.map(({ stored }) => stored));
    return path;
  }

  test('list, drop and send', async () => {
    const path = await filled(['one', 'two', 'three']);
    const list = await command(['queue', 'list', path]);
    expect(list).toMatchObject({ code: 0, err: '' });
    expect(list.out.trim().split('\n')).toHaveLength(3);
    expect(list.out).toContain('echo.localhost  one  ');
    expect(list.out).not.toContain('\u202e');

    expect((await command(['queue', 'drop', path])).err).toContain('--key KEY for each, or --all');
    const dropped = await command(['queue', 'drop', path, '--key', 'two', '--json']);
    expect(dropped).toMatchObject({ code: 0, out: '{"dropped":["two"]}\n' });
    const left = (await command(['queue', 'list', path, '--json'])).out.trim().split('\n');
    expect(left.map((line) => (JSON.parse(line) as { key: string }).key)).toEqual(['one', 'three']);

    await using server = await LoopbackServer.start({ components: { [NAME]: 'secret', 'peer.localhost': 'secret' } });
    const bodies: string[] = [];
    server.subscribe('received', ({ element }) => {
      if (element.localName === 'message') bodies.push(element.getChildText('body') ?? '');
    });
    const port = String(server.ports.component);
    const sent = await command(['queue', 'send', path, '--all', '--component', '--jid', NAME, '--port', port], {
      XMPP_PASSWORD: 'secret',
    });
    expect(sent).toEqual({ code: 0, out: 'sent: 2\n', err: '' });
    await expect.poll(() => bodies).toEqual(['\u202eone', '\u202ethree']);
    expect((await command(['queue', 'list', path])).out).toBe('');
    expect(await command(['queue', 'dead', path])).toEqual({ code: 0, out: '', err: '' });
  });

  test('a file that somebody has open, one that is not there, and a queue that is not in it', async () => {
    const path = await filled(['one']);
    expect((await command(['queue', 'drop', path, '--all', '--queue', 'other'])).err).toContain('"echo.localhost"');
    const nowhere = file();
    expect((await command(['queue', 'list', nowhere])).err).toContain('there is no file');
    expect(existsSync(nowhere)).toBe(false);
    await using broker = held(path);
    await broker.openQueue();
    for (const args of [['list'], ['dead'], ['drop', '--all']]) {
      expect((await command(['queue', args[0] ?? '', path, ...args.slice(1)])).err).toContain('QUEUE_LOCKED');
    }
  });
});
