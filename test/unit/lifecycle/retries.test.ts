import { describe, expect, it } from 'vitest';
import { BrokerError, type Redirect } from '../../../src/errors.js';
import { Retries } from '../../../src/lifecycle/retries.js';
import type { BrokerConfig } from '../../../src/options/options.js';

const TCP: Redirect = { host: 'b.example', port: 5222 };
const WEBSOCKET: Redirect = { host: 'b.example', port: null, url: 'wss://b.example/ws' };

function retries(websocket: BrokerConfig['websocket']) {
  const reconnect = { maxAttempts: 9, firstDelayMs: 1, resumeDelayMs: 1, maxDelayMs: 1, initial: true };
  const connectionType = { defaultPort: 5222 };
  return new Retries({ websocket, reconnect, connectionType, host: 'a.example' } as unknown as BrokerConfig);
}

const elsewhere = (redirect: Redirect) =>
  new BrokerError('STREAM_ERROR', 'elsewhere', { layer: 'stream', redirect, retryable: true });

describe('S-ERR-7: a server that names another place', () => {
  it.each([
    ['TCP', undefined, true, false],
    ["websocket: 'discover'", 'discover', true, true],
    ['a WebSocket', { url: 'wss://a.example/ws' }, false, true],
  ] as const)('is followed by a broker on %s', (_, websocket, toTcp, toWebSocket) => {
    expect(retries(websocket).redirected(elsewhere(TCP)) !== null).toBe(toTcp);
    expect(retries(websocket).redirected(elsewhere(WEBSOCKET)) !== null).toBe(toWebSocket);
  });

  it.each([
    ['TCP', undefined, 'b.example'],
    ["websocket: 'discover'", 'discover', 'b.example'],
    ['a WebSocket', { url: 'wss://a.example/ws' }, 'a.example'],
  ] as const)('for resuming, is where a broker on %s goes', (_, websocket, host) => {
    const retry = retries(websocket).after(elsewhere(TCP), { location: TCP });
    expect(retry?.place.host).toBe(host);
  });
});
