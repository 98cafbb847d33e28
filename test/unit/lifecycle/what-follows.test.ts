import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BrokerError, type ErrorFacts } from 'xmpp-broker';
import { REFUSALS_BEFORE_FINAL, RULES, whatFollows, type Circumstances } from '../../../src/lifecycle/what-follows.js';
import { streamError } from '../../../src/stream/stream-error.js';
import { NS } from '../../../src/xml/namespaces.js';
import { parse } from '../../../src/xml/tokenizer/parse.js';

/** Every condition of RFC 6120 §4.9.3, an unknown one, none, only a text, one in a wrong namespace, two. */
const CONDITIONS = [
  ...['bad-format', 'bad-namespace-prefix', 'conflict', 'connection-timeout', 'host-gone', 'host-unknown'],
  ...['improper-addressing', 'internal-server-error', 'invalid-from', 'invalid-namespace', 'invalid-xml'],
  ...['not-authorized', 'not-well-formed', 'policy-violation', 'remote-connection-failed', 'reset'],
  ...['resource-constraint', 'restricted-xml', 'see-other-host', 'system-shutdown', 'undefined-condition'],
  ...['unsupported-encoding', 'unsupported-feature', 'unsupported-stanza-type', 'unsupported-version', 'made-up'],
];

const said = (inside: string): BrokerError =>
  streamError(parse(`<stream:error xmlns:stream='${NS.STREAM}'>${inside}</stream:error>`));

const ERRORS = new Map<string, BrokerError>([
  ...CONDITIONS.map((name) => [name, said(`<${name} xmlns='${NS.STREAMS}'/>`)] as const),
  ['(nothing)', said('')],
  ['(a text)', said(`<text xmlns='${NS.STREAMS}'>go away</text>`)],
  ['(a wrong namespace)', said("<conflict xmlns='urn:other'/>")],
  ['(two)', said(`<reset xmlns='${NS.STREAMS}'/><conflict xmlns='${NS.STREAMS}'/>`)],
]);

const fault = (code: string, facts: ErrorFacts): BrokerError => new BrokerError(code, 'text', facts);

/** The ways in which a socket, a handshake or the other side's XML can fail. */
const FAULTS = new Map<string, BrokerError>([
  ['TCP_RESET', fault('TCP_RESET', { layer: 'tcp', origin: 'os', retryable: true })],
  ['TCP_REFUSED', fault('TCP_REFUSED', { layer: 'tcp', origin: 'os', retryable: true })],
  ['STREAM_CLOSED', fault('STREAM_CLOSED', { layer: 'stream', origin: 'peer', retryable: true })],
  ['LIVENESS_TIMEOUT', fault('LIVENESS_TIMEOUT', { layer: 'tcp', origin: 'peer', retryable: true })],
  ['XML_NOT_WELL_FORMED', fault('XML_NOT_WELL_FORMED', { layer: 'xml', origin: 'peer' })],
  ['SM_BAD_H', fault('SM_BAD_H', { layer: 'sm', origin: 'peer' })],
  ['TLS_CERT_EXPIRED', fault('TLS_CERT_EXPIRED', { layer: 'tls', origin: 'peer' })],
  ['SASL_FAILURE', fault('SASL_FAILURE', { layer: 'sasl', origin: 'peer', condition: 'not-authorized' })],
  ['BIND_FAILED', fault('BIND_FAILED', { layer: 'bind', origin: 'peer' })],
  ['REDIRECT_UNTRUSTED', fault('REDIRECT_UNTRUSTED', { layer: 'stream', origin: 'peer', condition: 'see-other-host' })],
]);

const at = (some: Partial<Circumstances>): Circumstances => ({
  where: 'negotiating',
  borrowed: false,
  served: false,
  refusals: 0,
  ...some,
});

const finalOnes = (circumstances: Partial<Circumstances>): string[] =>
  [...ERRORS, ...FAULTS].filter(([, error]) => whatFollows(error, at(circumstances)) === 'final').map(([name]) => name);

describe('what follows', () => {
  it('A1: on a ready link only what says that we must not be here is final', () => {
    expect(finalOnes({ where: 'ready', served: true })).toEqual(['conflict', 'not-authorized', 'REDIRECT_UNTRUSTED']);
  });

  it('A1: while negotiating for the first time, what speaks of us is final', () => {
    const again = [...ERRORS, ...FAULTS].filter(([, error]) => whatFollows(error, at({})) === 'again');
    expect(again.map(([name]) => name)).toEqual([
      ...['connection-timeout', 'host-gone', 'internal-server-error', 'remote-connection-failed', 'reset'],
      ...['resource-constraint', 'see-other-host', 'system-shutdown'],
      ...['TCP_RESET', 'TCP_REFUSED', 'STREAM_CLOSED', 'LIVENESS_TIMEOUT'],
    ]);
  });

  it('A2: a server that had let us in may refuse a few times in a row', () => {
    for (let refusals = 0; refusals < REFUSALS_BEFORE_FINAL; refusals++) {
      expect(finalOnes({ served: true, refusals })).toEqual([]);
    }
    expect(finalOnes({ served: true, refusals: REFUSALS_BEFORE_FINAL })).toEqual(finalOnes({}));
  });

  it.each(['negotiating', 'ready'] as const)('A5: nothing is final at a borrowed address (%s)', (where) => {
    expect(finalOnes({ where, borrowed: true })).toEqual([]);
  });

  it('a command of the program is final everywhere', () => {
    const command = fault('CONNECT_ABORTED', { layer: 'usage' });
    for (const where of ['negotiating', 'ready'] as const) {
      for (const borrowed of [false, true]) {
        expect(whatFollows(command, at({ where, borrowed, served: true }))).toBe('final');
      }
    }
  });

  it('docs/reconnecting.md has the same rules in the same order', () => {
    const page = readFileSync(new URL('../../../docs/reconnecting.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| (?<why>[^|]+) \| (?<verdict>again|final) \|$/gm)];
    expect(rows.map(({ groups }) => [groups?.['why']?.trim(), groups?.['verdict']])).toEqual(
      RULES.map(({ why, verdict }) => [why, verdict]),
    );
  });
});
