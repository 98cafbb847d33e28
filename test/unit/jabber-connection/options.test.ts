import { afterEach, describe, expect, it, vi } from 'vitest';
import { BrokerError, JABBERD14_COMPONENT, LEGACY, type Logger } from 'xmpp-broker';
import { connectionOptions } from '../../../src/jabber-connection/options.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('where a connection goes', () => {
  it.each([
    ['localhost', 'localhost', 5222, 'localhost'],
    ['localhost:5347', 'localhost', 5347, 'localhost'],
    ['127.0.0.1:1', '127.0.0.1', 1, '127.0.0.1'],
    ['[::1]:5222', '::1', 5222, '[::1]'],
    ['[::1]', '::1', 5222, '[::1]'],
    ['::1', '::1', 5222, '[::1]'],
  ])('%s', (server, host, port, domain) => {
    expect(connectionOptions({ server }).broker).toMatchObject({ host, port, domain });
  });

  it.each(['', 'a b', '[::1', '[a]', 'a:0', 'a:65536', 'a:b', 7])('%j is refused', (server) => {
    expect(() => connectionOptions({ server: server as string })).toThrow(
      expect.objectContaining({ code: 'USAGE_CONNECTION' }) as Error,
    );
  });

  it.each([
    [undefined, LEGACY],
    ['jabber:client', LEGACY],
    ['jabber:component:accept', JABBERD14_COMPONENT],
  ])('in the namespace %s it speaks as it always did', (ns, dialect) => {
    expect(connectionOptions({ server: 'a', ...(ns === undefined ? {} : { ns }) }).dialect).toBe(dialect);
  });
});

describe('its log', () => {
  it('has what is sent and received, and what goes wrong, in lines', () => {
    const lines: string[] = [];
    const { broker } = connectionOptions({ server: 'a', log: (line) => lines.push(line) });
    const logger = broker.logger as Logger;
    logger.debug({ direction: 'out', xml: '<a/>' }, 'sent');
    logger.debug({ direction: 'in', xml: '<b/>' }, 'received');
    logger.debug({}, 'something else');
    logger.info({}, 'it is right again');
    logger.warn({ error: new BrokerError('TCP_RESET', 'gone', { layer: 'tcp' }) }, 'the link was lost');
    logger.error({}, 'a handler threw');
    expect(lines).toEqual(['SEND: <a/>', 'RECV: <b/>', 'the link was lost: gone', 'a handler threw']);
  });

  it('goes to stderr, or nowhere', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const logger = connectionOptions({ server: 'a', log: true }).broker.logger as Logger;
    logger.warn({}, 'oops');
    expect(write).toHaveBeenCalledExactlyOnceWith('oops\n');
    expect(connectionOptions({ server: 'a' }).broker.logger).toBeUndefined();
  });
});
