// Stream errors: RFC 6120 §4.9.
import { isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import { BrokerError, printable, type ErrorFacts, type Redirect } from '../errors.js';
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
  let seeOtherUri: string | undefined;
  for (const child of element.children) {
    if (child.namespaceURI === NS.STREAMS && child.localName === 'text') {
      text = child.textContent;
      lang = child.getAttribute('xml:lang') ?? undefined;
    } else if (child.namespaceURI === NS.STREAMS) {
      conditions.push(child.localName === 'xml-not-well-formed' ? 'not-well-formed' : child.localName);
      if (child.localName === 'see-other-host') seeOther = child.textContent;
    } else if (child.is('see-other-uri', NS.FRAMING)) {
      seeOtherUri = child.textContent;
    } else {
      appCondition ??= { ns: child.namespaceURI ?? '', name: child.localName };
    }
  }
  // Servers of before RFC 3920 put the text right into the error.
  if (text === undefined && conditions.length === 0 && element.firstElementChild === null) text = element.textContent;
  const named = conditions.length === 1 ? conditions[0] : undefined;
  const condition = named !== undefined && CONDITIONS.has(named) ? named : 'undefined-condition';
  // With any other condition nobody would ask whether the server may send us anywhere.
  const redirect = condition === 'see-other-host' ? redirectOf(seeOther as string, seeOtherUri) : null;
  const malformed = conditions.length > 1 || (conditions.length === 0 && (text === undefined || text === ''));
  return new BrokerError(
    malformed ? 'STREAM_BAD_ERROR' : 'STREAM_ERROR',
    malformed
      ? 'the server closed the stream with an error that names no single condition'
      : `the server closed the stream: ${saidBy(condition, appCondition, seeOther !== undefined)}${adviceOn(condition)}`,
    {
      layer: 'stream',
      origin: 'peer',
      condition,
      retryable: RETRYABLE.has(condition),
      ...(redirect === null ? {} : { redirect }),
      ...(text === undefined || text === '' ? {} : { text }),
      ...(lang === undefined ? {} : { lang }),
      ...(appCondition === undefined ? {} : { appCondition }),
      ...facts,
    },
  );
}

function redirectOf(host: string, uri: string | undefined): Redirect | null {
  return uri === undefined ? redirectTarget(host) : webSocketTarget(uri);
}

/** What the server said, with the condition of its application where that says more. */
function saidBy(condition: string, app: { name: string } | undefined, elsewhere: boolean): string {
  if (elsewhere) return `${condition} (to another host)`;
  return app === undefined ? condition : `${condition} (${printable(app.name, 64)})`;
}

/** What to check, behind the conditions that a wrong configuration brings. */
function adviceOn(condition: string): string {
  switch (condition) {
    case 'not-authorized':
      return '; for a component: is its secret the one in the server’s configuration?';
    case 'host-unknown':
      return '; is the domain, or the name of the component, in the server’s configuration?';
    default:
      return '';
  }
}

const TARGET = /^(?:\[(?<v6>[0-9A-Fa-f:.]{2,45})\]|(?<name>[^\s:/@[\]]{1,255}))(?::(?<port>[1-9]\d{0,4}))?$/u;

/**
 * Reads `host`, `host:port`, `[v6]:port` or an IPv6 address, with white space around, as the example of RFC 6120
 * §4.9.3.19 has it. An international name is turned into A-labels, and a trailing dot is dropped. Null for anything else.
 */
export function redirectTarget(text: string): { host: string; port: number | null } | null {
  const trimmed = text.trim();
  if (isIPv6(trimmed)) return { host: trimmed, port: null };
  const { v6, name, port } = TARGET.exec(trimmed)?.groups ?? {};
  if (Number(port ?? 1) > 65_535) return null;
  const host = v6 ?? (name === undefined ? '' : asciiName(name));
  if (host === '' || (v6 !== undefined && !isIPv6(v6))) return null;
  return { host, port: port === undefined ? null : Number(port) };
}

/** Reads the URL of a WebSocket inside TLS (RFC 7395 §3.6.1). Null for anything else. */
function webSocketTarget(text: string): Redirect | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'wss:' || url.username !== '' || url.password !== '' || url.hash !== '') return null;
  return { host: url.hostname, port: url.port === '' ? null : Number(url.port), url: url.href };
}

function asciiName(name: string): string {
  const ascii = domainToASCII(name.endsWith('.') ? name.slice(0, -1) : name);
  return /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/.test(ascii) ? ascii : '';
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
