// Signing in as a program does, and what the server says then.
import { Broker } from '../../broker/broker.js';
import type { BrokerOptions } from '../../options/options.js';
import type { Negotiation } from '../../protocols/dialect.js';
import type { StreamLimits } from '../../protocols/features/stream-limits.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** What came of it. */
export interface SignedIn {
  readonly jid: string;
  readonly mechanism: string | null;
  readonly profile: string | null;
  /** From dialling to ready, in milliseconds. */
  readonly ms: number;
  /** Behind the sign-in; null where there are none. */
  readonly features: Element | null;
  readonly limits: StreamLimits | null;
  readonly management: 'resumable' | 'on' | 'off';
  /** Until the server answered, in milliseconds; null where nobody was asked. */
  readonly pingMs: number | null;
}

/** @throws BrokerError as `Broker.connect` and `Broker.request` */
export async function signIn(options: BrokerOptions, signal: AbortSignal): Promise<SignedIn> {
  const { connectionType: dialect } = options;
  let features: Element | null = null;
  let limits: StreamLimits | null = null;
  const chosen: { mechanism: string | null; profile: string | null } = { mechanism: null, profile: null };
  let management: SignedIn['management'] = 'off';
  await using broker = new Broker({
    ...options,
    connectionType: {
      ...dialect,
      async negotiate(session) {
        const established = await dialect.negotiate(
          remembering(session, (element) => {
            if (element.is('features', NS.STREAM)) features = element;
          }),
        );
        limits = established.limits ?? null;
        return established;
      },
    },
    reconnect: false,
  });
  broker.subscribe('PCJ_AUTHNEGOTIATE', ({ mechanism, profile = null }) => {
    Object.assign(chosen, { mechanism, profile });
  });
  broker.subscribe('PCJ_SM_ENABLED', ({ resumable }) => {
    management = resumable ? 'resumable' : 'on';
  });
  const began = performance.now();
  await broker.connect({ signal });
  const ms = performance.now() - began;
  const pingMs = dialect.addressing === 'domain' ? null : await pinged(broker, signal);
  const jid = broker.jid?.toString() ?? broker.config.domain;
  return { jid, ...chosen, ms, features, limits, management, pingMs };
}

async function pinged(broker: Broker, signal: AbortSignal): Promise<number> {
  const began = performance.now();
  try {
    await broker.request(xml('iq', { type: 'get' }, xml('ping', { xmlns: NS.PING })), { signal });
  } catch (error) {
    // A refusal is an answer, too.
    if (!(error instanceof StanzaError)) throw error;
  }
  return performance.now() - began;
}

/** The same negotiation; every element that is read is shown to `seen`. */
function remembering(session: Negotiation, seen: (element: Element) => void): Negotiation {
  return new Proxy(session, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'next') return value.bind(target) as unknown;
      return async (match?: (element: Element) => boolean): Promise<Element> => {
        const element = await target.next(match);
        seen(element);
        return element;
      };
    },
  });
}
