// The recipes of docs/cookbook that talk: each as it is on its page, in a process of its own, on Prosody.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { NS, xml } from 'xmpp-broker';
import { Room } from 'xmpp-broker/muc';
import { describeServer } from '../harness/index.js';
import { arrives, useKitchen } from './kitchen.js';

describeServer('prosody', 'recipes that talk', () => {
  const { kitchen, romeo } = useKitchen();

  const says = async (to: string, body: string) => {
    const answer = arrives(romeo(), (stanza) => stanza.getAttribute('from') === to);
    romeo().output(xml('message', { to, type: 'chat', id: 'm1' }, xml('body', {}, body)));
    return answer;
  };

  test('a bot in a room: greets, answers, and ends when it is put out', async () => {
    const jid = 'lobby@rooms.example.org';
    const heard: string[] = [];
    const owned = new Room(romeo(), jid, { nick: 'Romeo' });
    owned.subscribe('message', ({ nick, body, private: whispered }) => {
      heard.push(`${whispered ? 'psst ' : ''}${nick ?? ''}: ${body ?? ''}`);
    });
    await owned.join();
    await using bot = kitchen().start('room-bot.md');
    await bot.prints('in as helper');
    await using guest = new Room(await kitchen().friend('sensor1'), jid, { nick: 'Guest' });
    await guest.join();
    await expect.poll(() => heard).toContain('helper: Hello Guest, say !help');
    owned.send('!who');
    await expect.poll(() => heard).toContain('helper: Guest, Romeo, helper');
    owned.whisper('helper', '!help');
    await expect.poll(() => heard).toContain('psst helper: I know !help, !who, !seen');
    owned.send('!seen Romeo');
    await expect.poll(() => heard.filter((text) => /^helper: Romeo: \d{4}-/.test(text))).toHaveLength(1);

    const kick = xml('item', { nick: 'helper', role: 'none' }, xml('reason', {}, 'enough'));
    await romeo().request(xml('iq', { type: 'set', to: jid }, xml('query', { xmlns: NS.MUC_ADMIN }, kick)));
    expect(await bot.ended()).toMatchObject({
      code: 0,
      output: expect.stringContaining('out: kicked (enough)') as string,
    });
    await owned.leave();
  });

  test('a gateway to a webhook: what it answers, and what is said when it does not', async () => {
    const posted: unknown[] = [];
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      request.on('end', () => {
        const message = JSON.parse(text) as { body: string };
        posted.push(message);
        response
          .writeHead(message.body === 'bad' ? 500 : 200)
          .end(message.body === 'quiet' ? '' : `heard ${message.body}`);
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
    await using gateway = kitchen().start('webhook.md', { WEBHOOK_URL: url });
    await gateway.prints('ready as gateway.example.org');
    expect((await says('door@gateway.example.org', 'wer da? <&>')).getChildText('body')).toBe('heard wer da? <&>');
    expect(posted).toEqual([
      { from: 'romeo@example.org/phone', to: 'door@gateway.example.org', id: 'm1', body: 'wer da? <&>' },
    ]);
    const refused = await says('door@gateway.example.org', 'bad');
    expect(refused.getAttribute('type')).toBe('error');
    expect(refused.getChild('error')?.getChild('remote-server-timeout', NS.STANZAS)).not.toBeNull();
    server.close();
    server.closeAllConnections();
    expect((await says('door@gateway.example.org', 'anybody?')).getAttribute('type')).toBe('error');
    gateway.signal('SIGTERM');
    expect(await gateway.ended()).toMatchObject({ code: 0 });
  });

  test('200 filters watch who is there', async () => {
    await using watcher = kitchen().start('presence.md');
    await watcher.prints('watches 200 sensors');
    const last = await kitchen().friend('sensor200', 'probe');
    const tell = (type?: string) => {
      last.output(xml('presence', { to: 'juliet@example.org', type }, xml('status', {}, '21 °C')));
    };
    tell();
    await watcher.prints('sensor200@example.org: online, 21 °C');
    tell('unavailable');
    await watcher.prints('sensor200@example.org: gone');
    expect(watcher.output).not.toContain('sensor20@');
    watcher.signal('SIGTERM');
    expect(await watcher.ended()).toMatchObject({ code: 0 });
  });

  test('an archive is read page by page', async () => {
    const texts = Array.from({ length: 12 }, (_, i) => `number ${String(i + 1)}`);
    for (const text of texts) {
      romeo().output(xml('message', { to: 'juliet@example.org', type: 'chat' }, xml('body', {}, text)));
    }
    await romeo().request(xml('iq', { type: 'get', to: 'example.org' }, xml('ping', { xmlns: NS.PING })));
    await using search = kitchen().start('archive.md');
    const { code, output } = await search.ended();
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('12 messages') as string });
    expect([...output.matchAll(/romeo@example\.org\/phone: (.*)/g)].map(([, text]) => text)).toEqual(texts);
  });
});
