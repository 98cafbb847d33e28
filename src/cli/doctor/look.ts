// A look at a server, up to where a program would sign in: nothing secret is sent.
import type { X509Certificate } from 'node:crypto';
import { Broker } from '../../broker/broker.js';
import { BrokerError } from '../../errors.js';
import type { Dialect, Negotiation, StreamHeader } from '../../protocols/dialect.js';
import { startTls } from '../../protocols/features/starttls.js';
import { causeOf } from '../../protocols/features/stream-cause.js';
import { defaultMechanisms } from '../../protocols/sasl/mechanisms.js';
import { chooseProfile } from '../../protocols/sasl/profile-choice.js';
import type { TlsFacts } from '../../tls/facts.js';
import type { TlsOptions } from '../../tls/options.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { timeoutsOf, type Plan } from './plan.js';

/** How a program would sign in. */
export interface Choice {
  readonly mechanism: string;
  readonly profile: 'sasl' | 'sasl2';
  /** Type of the channel binding; null for none. */
  readonly binding: string | null;
  readonly showsPassword: boolean;
}

/** What was seen; null is what was not come to. */
export interface Seen {
  header: StreamHeader | null;
  /** Before TLS. */
  starttls: 'required' | 'offered' | 'absent' | null;
  tls: { readonly facts: TlsFacts; readonly certificate: X509Certificate } | null;
  /** Those that count: inside TLS, where there is TLS. */
  features: Element | null;
  choice: Choice | BrokerError | null;
  /** How long each step took, in milliseconds. */
  readonly times: { readonly step: string; readonly ms: number }[];
  /** Whether it got to the end. */
  complete: boolean;
}

/** A look, and what ended it before its time. */
export interface Look {
  readonly seen: Seen;
  readonly error: BrokerError | null;
}

/** Where, and how. Without a host the options say where: a WebSocket. */
export interface Glance {
  readonly host?: string;
  readonly port?: number;
  readonly policy?: TlsOptions['policy'];
  /** Whether a server that does not prove itself is looked at, too. */
  readonly anybody?: boolean;
  readonly signal: AbortSignal;
}

/** Connects, looks, and leaves. */
export async function look(plan: Plan, { host, port, policy, anybody = false, signal }: Glance): Promise<Look> {
  const seen: Seen = {
    header: null,
    starttls: null,
    tls: null,
    features: null,
    choice: null,
    times: [],
    complete: false,
  };
  const enough = new AbortController();
  const { websocket, domain, kind } = plan;
  const tls: TlsOptions = {
    ...(anybody ? { insecureSkipVerify: true } : plan.tls),
    ...(policy === undefined ? {} : { policy }),
  };
  const broker = new Broker({
    connectionType: looking(plan, seen, enough),
    domain,
    ...(websocket === undefined ? { host, port } : { websocket }),
    ...(kind === 'client' ? {} : { password: 'is not sent' }),
    ...(kind === 'router' ? { username: 'nobody' } : {}),
    tls,
    timeouts: timeoutsOf(plan),
    reconnect: false,
    logger: false,
  });
  const lap = laps(seen);
  broker.subscribe('PCJ_CONNECTED', () => lap('TCP'));
  broker.subscribe('PCJ_SSLSUCCESS', () => lap('TLS'));
  try {
    await broker.connect({ signal: AbortSignal.any([signal, enough.signal]) });
    return { seen, error: null };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof BrokerError)) throw error;
    return { seen, error: seen.complete ? null : error };
  } finally {
    broker.halt();
  }
}

/** The dialect of the plan, but for its end. */
function looking(plan: Plan, seen: Seen, enough: AbortController): Dialect {
  return {
    ...plan.dialect,
    async negotiate(session) {
      await (plan.kind === 'component' ? lookAtComponentPort(session, seen) : lookAtFeatures(session, seen, plan));
      seen.complete = true;
      enough.abort();
      // The attempt is over: reading tells so.
      for (;;) await session.next();
    },
  };
}

/** All that can be seen without the secret is whether the name is known, and not with every server. */
async function lookAtComponentPort(session: Negotiation, seen: Seen): Promise<void> {
  noteTls(session, seen);
  const lap = laps(seen);
  seen.header = await session.open();
  lap('stream header');
  const { id } = seen.header;
  if (id !== null && id !== '') return;
  throw await causeOf(fault('STREAM_NO_ID', 'the server sent no stream id'), session);
}

async function lookAtFeatures(session: Negotiation, seen: Seen, plan: Plan): Promise<void> {
  let features = await opened(session, seen, 'open');
  noteTls(session, seen);
  if (session.tls === null && session.config.transport === 'tcp') {
    const offer = features.getChild('starttls', NS.TLS);
    seen.starttls = offer === null ? 'absent' : offer.getChild('required') === null ? 'offered' : 'required';
    if (offer !== null && session.config.tlsPolicy !== 'disabled') {
      await startTls(session);
      noteTls(session, seen);
      features = await opened(session, seen, 'restart');
    }
  }
  seen.features = features;
  seen.choice = choiceOf(session, features, plan);
}

async function opened(session: Negotiation, seen: Seen, how: 'open' | 'restart'): Promise<Element> {
  const lap = laps(seen);
  seen.header = await session[how]();
  lap('stream header');
  if (seen.header.version === null) {
    const message = 'the server does not speak XMPP 1.0: its stream has no version';
    throw await causeOf(fault('STREAM_VERSION_TOO_OLD', message), session);
  }
  const features = await session.next();
  lap('features');
  if (features.is('features', NS.STREAM)) return features;
  throw fault('STREAM_UNEXPECTED', `the server sent <${features.nodeName}/> where its stream features belong`);
}

function noteTls({ tls: facts, certificate }: Negotiation, seen: Seen): void {
  if (facts !== null && certificate !== null) seen.tls = { facts, certificate };
}

/** What a program would use; with a certificate that is not trusted, what it would use if it were. */
function choiceOf(session: Negotiation, features: Element, { kind, domain }: Plan): Choice | BrokerError {
  const settings = {
    mechanisms: kind === 'router' ? (['DIGEST-MD5'] as const) : defaultMechanisms(false),
    domain,
    username: 'somebody',
    password: () => Promise.resolve(''),
  };
  const link = {
    verified: session.tls !== null,
    bindings: session.channelBindings,
    tlsVersion: session.tls?.version ?? null,
  };
  try {
    const { profile, chosen } = chooseProfile(features, settings, link, kind === 'router' ? 'off' : 'auto');
    const { mechanism } = chosen;
    const binds = mechanism.needs.includes('channel-binding');
    return {
      mechanism: mechanism.name,
      profile,
      binding: binds ? (chosen.settings.binding.chosen?.type ?? null) : null,
      showsPassword: mechanism.showsPassword,
    };
  } catch (error) {
    if (error instanceof BrokerError) return error;
    throw error;
  }
}

/** Notes how long it was since the last time. */
function laps({ times }: Seen): (step: string) => void {
  let since = performance.now();
  return (step) => {
    const now = performance.now();
    times.push({ step, ms: now - since });
    since = now;
  };
}

function fault(code: string, message: string): BrokerError {
  return new BrokerError(code, message, { layer: 'stream', origin: 'peer' });
}

/** A plain element, named in a list of features. */
export function featureName({ localName, namespaceURI }: Element): string {
  return `${localName} (${namespaceURI ?? 'no namespace'})`;
}
