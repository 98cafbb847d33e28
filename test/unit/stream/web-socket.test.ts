import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { Broker, XMPP } from 'xmpp-broker';
import { failure } from '../../support/failure.js';

vi.mock('ws', () => {
  throw new Error('Cannot find package');
});

it('modern 5: without the package ws, the attempt says what to install, and nothing is dialled', async () => {
  const connector = vi.fn(() => {
    throw new Error('it was dialled');
  });
  const broker = new Broker({
    connectionType: XMPP,
    jid: 'juliet@example.org',
    password: 'r0m30',
    websocket: 'wss://example.org/xmpp-websocket',
    connector,
    logger: false,
  });
  const error = await failure(broker.connect());
  expect(error).toMatchObject({ code: 'WS_NOT_INSTALLED', layer: 'usage', retryable: false });
  expect(error.message).toContain('npm install ws');
  expect(connector).not.toHaveBeenCalled();
  broker.halt();
});

it('the package ws is imported in one place, when it is needed', () => {
  const src = fileURLToPath(new URL('../../../src/', import.meta.url));
  const importing = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (file) =>
      file.endsWith('.ts') &&
      /^import (?!type )[^;]* from 'ws'|(?<!typeof )import\('ws'\)/m.test(readFileSync(src + file, 'utf8')),
  );
  expect(importing).toEqual(['stream/web-socket.ts']);
});

it('the package ws is asked for in the version that bounds what a server makes it keep', () => {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    peerDependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };
  // 8.18 answers pings without end that nobody reads, and keeps fragments without number; this one has limits for both.
  expect(manifest.peerDependencies['ws']).toBe(manifest.devDependencies['ws']);
});
