// The option `websocket`: RFC 7395, XEP-0156.
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { isText, type Check } from '../arguments/checks.js';
import type { OptionTable } from '../arguments/options.js';
import { shown } from '../arguments/values.js';
import { hostName } from '../dial/host-name.js';
import { nameOf } from './dialect.js';
import type { Dialect } from '../protocols/dialect.js';
import type { TlsOptions } from '../tls/options.js';

/** A WebSocket to connect to. */
export interface WebSocketOptions {
  /** `wss:`, or `ws:` with `tls.policy` `disabled`. Its query counts as a secret. Needed. */
  url: string;
  /** Headers of the request, for a proxy or a gateway in between. Their values count as secrets. Default none. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Where it is, with what must not be seen. */
export type WebSocketPlace = 'discover' | { readonly url: URL; readonly headers: Readonly<Record<string, string>> };

/** Headers that belong to the request itself (RFC 6455 §4.1, RFC 9110 §7.2). */
const OWN_HEADERS =
  /^(?:host|connection|upgrade|sec-websocket-.*|content-length|transfer-encoding|te|trailer|keep-alive|expect)$/i;

const WANTED = "'discover', a wss: URL, or an object with url and headers";

/** The value is in no message: it may have a token in it. */
const urlCheck: Check = (value) => (isText(value) ? urlProblem(value) : `must be a URL, not ${shown(value)}`);

export const WEBSOCKET: OptionTable<WebSocketOptions> = {
  checks: {
    url: urlCheck,
    headers: { checks: {}, others: (value) => (isHeaderValue(value) ? null : 'must be a text that a header can have') },
  },
  instead: (value) => {
    if (!isText(value)) return `must be ${WANTED}, not ${shown(value)}`;
    return value === 'discover' ? null : urlProblem(value);
  },
  rule: ({ headers = {} }, given) => [
    ...(given.has('url') ? [] : ['websocket.url is missing']),
    ...Object.keys(headers).flatMap((name) => {
      if (!isHeaderName(name)) return [`websocket.headers has a name that no header can have: ${shown(name)}`];
      return OWN_HEADERS.test(name) ? [`websocket.headers.${name} belongs to the request itself: leave it out`] : [];
    }),
  ],
};

/** What is right and what is wrong with it together with the other options. */
export function webSocketProblems(
  options: {
    readonly websocket?: string | WebSocketOptions | undefined;
    readonly connectionType?: Dialect;
    readonly tls?: TlsOptions | undefined;
  },
  given: ReadonlySet<string>,
): string[] {
  const { websocket, connectionType: dialect, tls } = options;
  if (websocket === undefined) return [];
  const problems: string[] = [];
  for (const name of ['host', 'port']) {
    if (given.has(name)) problems.push(`${name} has no meaning with websocket: leave one of them out`);
  }
  if (dialect !== undefined && dialect.websocket !== true) {
    problems.push(`websocket is not possible with ${nameOf(dialect)}: only clients have it (RFC 7395)`);
  }
  const place = webSocketPlace(websocket);
  const policy = tls?.policy;
  if (place === undefined) return problems;
  if (place !== 'discover' && place.url.protocol === 'ws:') {
    if (policy !== 'disabled')
      problems.push("websocket: a ws: URL has no TLS; take a wss: one, or say tls: { policy: 'disabled' }");
  } else if (policy === 'disabled' || policy === 'preferred') {
    problems.push(
      `tls.policy ${policy} is not possible with ${place === 'discover' ? "websocket: 'discover'" : 'a wss: URL'}: leave it out`,
    );
  }
  return problems;
}

/** What a program gave, read; undefined for what is not right. */
export function webSocketPlace(given: string | WebSocketOptions | undefined): WebSocketPlace | undefined {
  if (given === undefined || given === 'discover') return given;
  const { url, headers = {} } = typeof given === 'string' ? { url: given } : given;
  if (typeof url !== 'string' || urlProblem(url) !== null) return undefined;
  return Object.freeze({ url: new URL(url), headers: Object.freeze({ ...headers }) });
}

/** What everybody may see of it. */
export function shownWebSocket(
  given: string | WebSocketOptions | undefined,
): 'discover' | { readonly url: string } | undefined {
  const place = webSocketPlace(given);
  if (place === undefined || place === 'discover') return place;
  const { protocol, host, pathname, search } = place.url;
  return Object.freeze({ url: `${protocol}//${host}${pathname}${search === '' ? '' : '?…'}` });
}

function urlProblem(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'wss:' && url.protocol !== 'ws:')) return `must be ${WANTED}`;
  if (url.username !== '' || url.password !== '') {
    return 'must have no user name and no password: websocket.headers can have them';
  }
  if (url.hash !== '') return 'must have no fragment';
  try {
    hostName(url.hostname);
    return null;
  } catch {
    return 'must have the name or address of a host';
  }
}

function isHeaderName(name: string): boolean {
  try {
    validateHeaderName(name);
    return true;
  } catch {
    return false;
  }
}

function isHeaderValue(value: unknown): boolean {
  try {
    validateHeaderValue('x', value as string);
    return typeof value === 'string';
  } catch {
    return false;
  }
}
