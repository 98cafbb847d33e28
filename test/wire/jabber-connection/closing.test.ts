import { describe, expect, it } from 'vitest';
import type { Connection } from 'xmpp-broker';
import { acceptDigest, message, open, sha1, useConnections } from '../support/connection.js';

const { client } = useConnections();

describe('disconnect', () => {
  it('[X] closes the stream and the connection: nothing can be sent any more', async () => {
    const { connection, server } = await client();
    const running = connection.start();
    const closing = connection.disconnect();
    await server.expect('</stream:stream>');
    await server.send(`${message('last')}</stream:stream>`);
    await closing;
    await running;
    await server.expectEnd();
    expect(connection.connected).toBe(false);
    expect(connection.lastError).toBeNull();
    expect(() => connection.send('<presence/>')).toThrow(expect.objectContaining({ code: 'CONNECTION_NOT_READY' }));
    expect(await connection.process()).toBe(false);
    await connection.disconnect();
  });

  it('what still arrives is handled', async () => {
    const { connection, server } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    const closing = connection.disconnect();
    await server.expect('</stream:stream>');
    await server.send(`${message('last')}</stream:stream>`);
    await closing;
    await connection.start();
    expect(seen).toEqual(['last']);
  });

  it.each(['nobody handles', 'whose handler disconnects', 'that comes late'])(
    'does not wait for a request %s',
    async (which) => {
      const { connection, server } = await client({ timeouts: { close: 60_000 } });
      const request = `<iq type='get' id='i1' from='a@b'><q xmlns='urn:a'/></iq>`;
      const arrived = connection.broker.events.once('PCJ_NODERECEIVED');
      let closing: Promise<void> | undefined;
      if (which === 'that comes late') {
        closing = connection.disconnect();
        await server.expect('</stream:stream>');
        await server.send(request);
      } else {
        connection.registerHandler('iq', () => (closing = connection.disconnect()));
        await server.send(request);
        await arrived;
        if (which === 'nobody handles') closing = connection.disconnect();
        else void connection.start();
        await server.expect('</stream:stream>');
      }
      await server.send('</stream:stream>');
      await closing;
      expect(connection.connected).toBe(false);
    },
  );

  it('the same connection can be used again: handlers stay, nothing old is left', async () => {
    const { connection, server, peer } = await client();
    const seen: string[] = [];
    connection.registerHandler('message', (node) => void seen.push(node.getTag('body')?.data() ?? ''));
    await server.send(message('old'));
    await connection.broker.events.once('PCJ_NODERECEIVED');
    server.reset();
    await connection.broker.closed;
    const connected = connection.connect();
    const second = await peer.accept();
    await open(second);
    await connected;
    expect(connection.lastError).toBeNull();
    const signedIn = connection.auth('nurse', 'r0m30', 'hall');
    expect(await acceptDigest(second)).toContain('<username>nurse</username>');
    await signedIn;
    await second.send(message('new'));
    await connection.process(5);
    expect(seen).toEqual(['new']);
  });

  it('await using', async () => {
    let outside: Connection;
    {
      const { connection, server } = await client();
      await using inside = connection;
      outside = inside;
      void server.expect('</stream:stream>').then(() => server.send('</stream:stream>'));
    }
    expect(outside.connected).toBe(false);
  });
});

describe('log', () => {
  it('[X] shows each element and no credentials', async () => {
    const lines: string[] = [];
    const { connection, server } = await client({ log: (line) => void lines.push(line) });
    connection.send('<presence/>');
    await server.expect('<presence/>');
    await server.send(message('hello'));
    await connection.process(5);
    expect(lines[0]).toMatch(/^SEND: .*stream:stream/);
    expect(lines.some((line) => line.startsWith('SEND: <presence'))).toBe(true);
    expect(lines.some((line) => line.startsWith('RECV: ') && line.includes('hello'))).toBe(true);
    expect(lines.join('\n')).not.toContain(sha1('S1r0m30'));
    expect(lines.join('\n')).not.toContain('r0m30');
  });
});
