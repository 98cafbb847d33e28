import { expect, it } from 'vitest';
import { NS } from 'xmpp-broker';
import { loadWebSockets, openWebSocket } from '../../../src/stream/web-socket.js';
import { failure } from '../../support/failure.js';
import { MemoryPipe } from '../../wire/support/memory-pipe.js';

it('modern 5: a server that spoke before it was asked is refused, and nothing is said to it', async () => {
  const pipe = new MemoryPipe();
  pipe.feed(Buffer.from('HTTP/1.1 101 Switching Protocols\r\n'));
  const asked = openWebSocket(await loadWebSockets(), pipe, {
    url: new URL('ws://localhost/'),
    headers: {},
    xmlns: NS.CLIENT,
    maxBytes: 10_000,
    timeoutMs: 1_000,
    closeMs: 1_000,
    signal: new AbortController().signal,
  });
  expect(await failure(asked)).toMatchObject({ code: 'WS_REFUSED', layer: 'websocket', retryable: false });
  expect([pipe.destroyed, pipe.sent]).toEqual([true, '']);
});
