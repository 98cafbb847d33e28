// One place, looked at: what was seen, and what is in the way.
import { endpoint } from '../../dial/host-name.js';
import { shownWebSocket } from '../../options/websocket.js';
import { BrokerError } from '../../errors.js';
import { problemOf, type Problem } from './advice.js';
import { tellSeen } from './findings.js';
import { look, type Glance, type Look } from './look.js';
import type { Place } from './places.js';
import type { Plan } from './plan.js';
import type { Report } from './report.js';

/** What a server says, or does, that was asked for TLS in the wrong way. */
const WRONG_START: ReadonlySet<string> = new Set([
  'STREAM_NOT_XMPP',
  'STREAM_CLOSED',
  'STREAM_TIMEOUT',
  'TCP_RESET',
  'TLS_PROTOCOL',
  'TLS_HANDSHAKE',
]);

/** @param place null for a WebSocket, which is where its URL says */
export async function examine(
  plan: Plan,
  place: Place | null,
  report: Report,
  signal: AbortSignal,
): Promise<Problem[]> {
  const glance = { ...where(plan, place), signal };
  report.title(`Looking at ${titleOf(plan, place)}`);
  const first = await look(plan, glance);
  if (first.error === null) {
    tellSeen(report, first, null);
    return shortcomings(plan, place, first);
  }
  const refusal = /^TLS_(?:CERT|PIN)/.test(first.error.code) ? first.error : null;
  if (refusal !== null) {
    // It is looked at all the same, to show what it has: nothing secret is said to it.
    const second = await look(plan, { ...glance, anybody: true });
    tellSeen(report, second, refusal);
    return [problemOf(refusal), ...shortcomings(plan, place, second)];
  }
  tellSeen(report, first, null);
  report.line('fail', first.error.message, { step: 'look', error: first.error.code, condition: first.error.condition });
  return [problemOf(first.error, await otherStart(plan, glance, first))];
}

function where({ dialect, tls }: Plan, place: Place | null): Pick<Glance, 'host' | 'port' | 'policy'> {
  if (place === null) return {};
  const { target, address } = place;
  const host = address;
  const { port } = target;
  if (target.tls === 'direct') return { host, port, policy: 'direct' };
  // What is offered is seen without insisting on it.
  const policy = tls.policy ?? (dialect.defaultTls === 'loopback' ? 'disabled' : 'preferred');
  return { host, port, policy };
}

function titleOf({ websocket, kind }: Plan, place: Place | null): string {
  if (place === null) {
    // Its query may be a secret.
    const shown = shownWebSocket(websocket);
    return `the WebSocket ${typeof shown === 'object' ? shown.url : 'that the domain names, if nothing else can be reached'}`;
  }
  const { target, address } = place;
  const how = target.tls === 'direct' ? ', TLS from the start' : kind === 'component' ? '' : ', STARTTLS';
  const at = address === target.host ? '' : ` (${address})`;
  return `${endpoint(target.host, target.port)}${at}${how}`;
}

/** Whether TLS begins there in the other way. */
async function otherStart(
  plan: Plan,
  glance: Glance,
  { error, seen }: Look,
): Promise<'tls-at-once' | 'starttls-only' | undefined> {
  if (error === null || glance.host === undefined || !WRONG_START.has(error.code)) return undefined;
  if (glance.policy === 'direct') {
    if (seen.tls !== null) return undefined;
    const other = await look(plan, { ...glance, policy: 'disabled' });
    return other.seen.header === null ? undefined : 'starttls-only';
  }
  if (seen.header !== null) return undefined;
  const other = await look(plan, { ...glance, policy: 'direct', anybody: true });
  return other.seen.tls === null ? undefined : 'tls-at-once';
}

/** What would be in the way although the server talks to us. */
function shortcomings(plan: Plan, place: Place | null, { seen, error }: Look): Problem[] {
  if (error !== null) return [problemOf(error)];
  const { tls, kind } = plan;
  if (seen.starttls === 'absent' && tls.policy !== 'disabled')
    return [problemOf(tlsError('the server offers no STARTTLS'))];
  if (seen.starttls === 'required' && tls.policy === 'disabled') {
    return [problemOf(tlsError('the server requires STARTTLS'), 'tls-left-out')];
  }
  if (kind === 'component') {
    if (tls.policy !== undefined || place === null || isHere(place.address)) return [];
    return [problemOf(tlsError(`${place.address} is not this machine, and the stream is in clear`), 'tls-undecided')];
  }
  return seen.choice instanceof BrokerError ? [problemOf(seen.choice)] : [];
}

function tlsError(message: string): BrokerError {
  return new BrokerError('TLS_REQUIRED', message, { layer: 'tls', origin: 'peer' });
}

/** Whether an address is of this machine's loopback, or a unix socket. */
function isHere(address: string): boolean {
  return address.startsWith('unix:') || address === '::1' || /^(?:::ffff:)?127\./.test(address);
}
