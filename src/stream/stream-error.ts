// Stream errors: RFC 6120 §4.9.
import { BrokerError, type ErrorFacts } from '../errors.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';

/** Conditions after which trying again can help. */
const RETRYABLE = new Set([
  'reset',
  'system-shutdown',
  'resource-constraint',
  'connection-timeout',
  'internal-server-error',
  'remote-connection-failed',
  'see-other-host',
  // jabberd2 says so while its session manager is starting.
  'host-gone',
]);

const CONDITIONS = new Set([
  ...RETRYABLE,
  'bad-format',
  'bad-namespace-prefix',
  'conflict',
  'host-unknown',
  'improper-addressing',
  'invalid-from',
  'invalid-id',
  'invalid-namespace',
  'invalid-xml',
  'not-authorized',
  'not-well-formed',
  'policy-violation',
  'restricted-xml',
  'undefined-condition',
  'unsupported-encoding',
  'unsupported-feature',
  'unsupported-stanza-type',
  'unsupported-version',
]);

/** Whether an element is `<stream:error/>`. */
export function isStreamError(element: Element): boolean {
  return element.localName === 'error' && element.namespaceURI === NS.STREAM;
}

/**
 * Reads a stream error of the peer. Unknown conditions count as `undefined-condition`; one that is malformed is
 * `STREAM_BAD_ERROR` and closes the stream all the same.
 */
export function streamError(element: Element, facts: Partial<ErrorFacts> = {}): BrokerError {
  const conditions: string[] = [];
  let appCondition: { ns: string; name: string } | undefined;
  let text: string | undefined;
  let lang: string | undefined;
  let seeOther: string | undefined;
  for (const child of element.children) {
    if (child.namespaceURI === NS.STREAMS && child.localName === 'text') {
      text = child.textContent;
      lang = child.getAttribute('xml:lang') ?? undefined;
    } else if (child.namespaceURI === NS.STREAMS) {
      conditions.push(child.localName === 'xml-not-well-formed' ? 'not-well-formed' : child.localName);
      if (child.localName === 'see-other-host') seeOther = child.textContent;
    } else {
      appCondition ??= { ns: child.namespaceURI ?? '', name: child.localName };
    }
  }
  // Servers of before RFC 3920 put the text right into the error.
  if (text === undefined && conditions.length === 0 && element.firstElementChild === null) text = element.textContent;
  const named = conditions.length === 1 ? conditions[0] : undefined;
  const redirect = seeOther === undefined ? null : redirectTarget(seeOther);
  const condition = named !== undefined && CONDITIONS.has(named) ? named : 'undefined-condition';
  const malformed = conditions.length > 1 || (conditions.length === 0 && (text === undefined || text === ''));
  return new BrokerError(
    malformed ? 'STREAM_BAD_ERROR' : 'STREAM_ERROR',
    malformed
      ? 'the server closed the stream with an error that names no single condition'
      : `the server closed the stream: ${condition}${seeOther === undefined ? '' : ' (to another host)'}`,
    {
      layer: 'stream',
      origin: 'peer',
      condition,
      retryable: RETRYABLE.has(condition) && (seeOther === undefined || redirect !== null),
      ...(redirect === null ? {} : { redirect }),
      ...(text === undefined || text === '' ? {} : { text }),
      ...(lang === undefined ? {} : { lang }),
      ...(appCondition === undefined ? {} : { appCondition }),
      ...facts,
    },
  );
}

/** Reads `host`, `host:port` or `[v6]:port`; null for anything else. */
export function redirectTarget(text: string): { host: string; port: number | null } | null {
  const match =
    /^(?:\[(?<v6>[0-9A-Fa-f:.]{2,45})\]|(?<name>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?))(?::(?<port>[1-9]\d{0,4}))?$/.exec(
      text,
    );
  const { v6, name, port } = match?.groups ?? {};
  const host = v6 ?? name;
  if (host === undefined || Number(port ?? 1) > 65_535) return null;
  return { host, port: port === undefined ? null : Number(port) };
}

/**
 * A `see-other-host` is followed only when the server proved who it is: anybody else could send us anywhere
 * (RFC 6120 §4.9.3.19).
 */
export function redirectable(error: BrokerError, verified: boolean): BrokerError {
  if (error.condition !== 'see-other-host' || verified) return error;
  return new BrokerError(
    'REDIRECT_UNTRUSTED',
    'the server sends us to another host, but it was not verified by TLS: not followed',
    {
      layer: 'stream',
      origin: 'peer',
      condition: 'see-other-host',
    },
  );
}
