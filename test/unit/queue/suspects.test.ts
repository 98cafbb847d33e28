import { describe, expect, it } from 'vitest';
import { BrokerError } from '../../../src/errors.js';
import * as linkErrors from '../../../src/link/errors.js';
import { verdictOf, type Verdict } from '../../../src/queue/suspects.js';
import { xml } from '../../../src/xml/builder.js';
import { NS } from '../../../src/xml/namespaces.js';

const streamError = (condition: string, ...more: Parameters<typeof xml>[2][]) =>
  linkErrors.streamErrorOf(xml('error', { xmlns: NS.STREAM }, xml(condition, { xmlns: NS.STREAMS }), ...more));

describe('what the end of a link says of the stanzas that were on their way', () => {
  const conditions = (verdict: Verdict, ...names: string[]) =>
    names.map((name): [string, BrokerError, Verdict] => [name, streamError(name), verdict]);

  it.each<[string, BrokerError | null, Verdict]>([
    ...conditions('blamed', 'policy-violation', 'not-well-formed', 'invalid-xml', 'undefined-condition', 'bad-format'),
    ...conditions(
      'blamed',
      'internal-server-error',
      'unsupported-stanza-type',
      'restricted-xml',
      'improper-addressing',
    ),
    ...conditions('none', 'system-shutdown', 'reset', 'conflict', 'see-other-host', 'host-gone', 'not-authorized'),
    ...conditions('none', 'resource-constraint', 'connection-timeout', 'remote-connection-failed'),
    ['an error that is empty', linkErrors.streamErrorOf(xml('error', { xmlns: NS.STREAM })), 'blamed'],
    [
      'a count of ours that is too high',
      streamError('undefined-condition', xml('handled-count-too-high', { xmlns: NS.SM })),
      'none',
    ],
    ['an error that cannot be read', new BrokerError('STREAM_BAD_ERROR', '', { layer: 'stream' }), 'blamed'],
    ['the closing tag', linkErrors.streamClosed(), 'none'],
    ['a connection that is closed without it', linkErrors.connectionClosed(), 'silent'],
    ['a reset', new BrokerError('TCP_RESET', '', { layer: 'tcp', origin: 'os' }), 'silent'],
    ['no sign of life', linkErrors.noSignOfLife(1), 'silent'],
    ['no acknowledgement', linkErrors.notAcknowledged(1), 'silent'],
    ['nothing wrong', null, 'none'],
  ])('%s', (_, error, verdict) => {
    expect(verdictOf(error)).toBe(verdict);
  });
});
