// A component that answers for a server in some namespaces: XEP-0355.
import { method } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { JID } from '../jid/jid.js';
import { inClientNamespace } from '../stanza/client-namespace.js';
import { errorReply, reply } from '../stanza/replies.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { forwarded, forwardedIn } from './forwarded.js';
import type { PrivilegedBroker } from './privileged-broker.js';
import { Servers, servers } from './servers.js';

/** Who asks, and where. */
export interface DelegatedRequest {
  /** Who asked: the `from` of the request. */
  readonly from: JID;
  /** Whom the request was for: the `to` of the request, or the bare address of who asked when it had none. */
  readonly to: JID;
  /** The server that forwarded it. */
  readonly server: string;
}

/** Answers a request: with the payload of the result, or nothing for an empty one; throws a StanzaError for an error. */
export type DelegationHandler = (
  iq: Element,
  request: DelegatedRequest,
) => Element | undefined | Promise<Element | undefined>;

/** What service discovery says of a delegated namespace (XEP-0355 §7). */
export interface DelegatedDisco {
  readonly features?: readonly string[] | undefined;
  readonly identities?: readonly Readonly<{ category: string; type: string; name?: string }>[] | undefined;
}

/** Options of {@link Delegation}. */
export interface DelegationOptions {
  /**
   * Domains whose announcements and forwarded requests are believed. Default: the component's name without its first
   * label. Whoever else could forward a request could name any sender.
   */
  servers?: readonly string[] | undefined;
  /** Who answers, by namespace of the payload. Needed. */
  handlers: Readonly<Record<string, DelegationHandler>>;
  /**
   * What the server itself (`bare: false`), or the bare addresses of its users (`bare: true`), shall say of a namespace
   * in service discovery. Default: its name as a feature of both.
   */
  disco?: ((namespace: string, bare: boolean) => DelegatedDisco) | undefined;
}

const OPTIONS: OptionTable<DelegationOptions> = {
  checks: { servers, handlers: { checks: {}, others: method }, disco: method },
  rule: ({ handlers }, given) =>
    !given.has('handlers') || (handlers !== undefined && Object.keys(handlers).length === 0)
      ? ['handlers is missing: pass a function for each namespace']
      : [],
};

interface Delegated {
  readonly namespace: string;
  /** Only requests whose payload has these attributes are forwarded; empty: all are. */
  readonly attributes: readonly string[];
}

const VERSIONS: readonly string[] = [NS.DELEGATION, NS.DELEGATION_1];

/** How much earlier than the server a request that a handler does not answer is given up, in milliseconds. */
const MARGIN_MS = 2_000;

/**
 * Answers requests that a server forwards (XEP-0355): its questions about each namespace, and each request with exactly
 * one answer, also when a handler throws or never settles. Made for a broker with a component dialect, before it
 * connects, because some servers ask their questions right behind the handshake and grant nothing until they are
 * answered.
 */
export class Delegation {
  readonly #broker: PrivilegedBroker;
  readonly #servers: Servers;
  readonly #handlers: ReadonlyMap<string, DelegationHandler>;
  readonly #disco: (namespace: string, bare: boolean) => DelegatedDisco;
  readonly #delegated = new Map<string, Map<string, Delegated>>();
  /** Rises with each link: an answer belongs to the link that brought its request. */
  #link = 0;

  /** @throws BrokerError `USAGE_PRIVILEGE` */
  constructor(broker: PrivilegedBroker, options: DelegationOptions) {
    const given = readOptions('USAGE_PRIVILEGE', 'new Delegation()', options, OPTIONS);
    this.#handlers = new Map(Object.entries(given.handlers));
    this.#disco = given.disco ?? ((namespace) => ({ features: [namespace] }));
    this.#broker = broker;
    this.#servers = new Servers(given.servers, broker.config.domain);
    broker.subscribe('PCJ_NODERECEIVED', (stanza) => this.#onStanza(stanza));
    broker.subscribe('PCJ_SOCKETDISCONNECT', () => {
      this.#link += 1;
      this.#delegated.clear();
    });
  }

  /** The namespaces that a server delegates on this link, each with the attributes that a payload must have. */
  namespaces(server: string): ReadonlyMap<string, readonly string[]> {
    const delegated = this.#delegated.get(JID.parse(server).domain)?.values() ?? [];
    return new Map([...delegated].map(({ namespace, attributes }) => [namespace, attributes]));
  }

  /** Returns a promise where the answer takes longer, so that the broker does not answer itself. */
  #onStanza(stanza: Element): Promise<void> | undefined {
    const { localName } = stanza;
    if (localName !== 'iq' && localName !== 'message') return undefined;
    const payload = stanza.firstElementChild;
    if (payload === null) return undefined;
    const isQuestion = payload.is('query', NS.DISCO_INFO);
    const isDelegation = payload.localName === 'delegation' && VERSIONS.includes(payload.namespaceURI ?? '');
    if (!isQuestion && !isDelegation) return undefined;
    const server = this.#servers.sender(stanza);
    const type = stanza.getAttribute('type');
    if (server === null || type === 'error') return undefined;
    if (isQuestion) {
      if (localName === 'iq' && type === 'get') this.#answerDisco(stanza, payload);
      return undefined;
    }
    if (localName === 'message') {
      this.#announced(server, payload);
      return undefined;
    }
    return type === 'set' ? this.#forwarded(stanza, payload, server) : undefined;
  }

  #announced(server: string, delegation: Element): void {
    const known = this.#delegated.get(server) ?? new Map<string, Delegated>();
    this.#delegated.set(server, known);
    for (const element of delegation.getChildren('delegated')) {
      const namespace = element.getAttribute('namespace');
      if (namespace === null) continue;
      const names = element.getChildren('attribute').map((child) => child.getAttribute('name'));
      known.set(namespace, { namespace, attributes: names.filter((name) => name !== null) });
    }
  }

  /** The question about a namespace: `NS-OF-DELEGATION::NAMESPACE`, or `…:bare:NAMESPACE` (XEP-0355 §7). */
  #answerDisco(iq: Element, query: Element): void {
    const node = query.getAttribute('node') ?? '';
    const version = VERSIONS.find((name) => node.startsWith(`${name}:`));
    if (version === undefined) return;
    const [, bare, namespace] = /^:(bare)?:(.+)$/s.exec(node.slice(version.length)) ?? [];
    if (namespace === undefined || !this.#handlers.has(namespace)) return;
    const { identities = [], features = [] } = this.#disco(namespace, bare !== undefined);
    const answer = xml(
      'query',
      { xmlns: NS.DISCO_INFO, node },
      identities.map((identity) => xml('identity', { ...identity })),
      features.map((name) => xml('feature', { var: name })),
    );
    this.#broker.output(reply(iq, answer));
  }

  async #forwarded(outer: Element, delegation: Element, server: string): Promise<void> {
    const link = this.#link;
    const iq = forwardedIn(delegation, 'iq');
    const request = iq === null ? null : readRequest(iq, server);
    if (iq === null || request === null) {
      this.#broker.output(errorReply(outer, 'bad-request'));
      return;
    }
    const { answer, failure } = await this.#ask(iq, request);
    if (link === this.#link && this.#broker.state === 'ready') {
      const inner = inClientNamespace(answer);
      inner.setAttribute('from', request.to.toString());
      this.#broker.output(reply(outer, xml('delegation', { xmlns: delegation.namespaceURI }, forwarded(inner))));
    }
    // Told as an error of a handler, behind the answer.
    if (failure !== null) throw failure.error;
  }

  async #ask(iq: Element, request: DelegatedRequest): Promise<{ answer: Element; failure: { error: unknown } | null }> {
    const handler = this.#handlers.get(iq.firstElementChild?.namespaceURI ?? '');
    if (handler === undefined) return { answer: errorReply(iq, 'service-unavailable'), failure: null };
    const limitMs = Math.max(1, this.#broker.config.timeouts.request - MARGIN_MS);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, limitMs, 'late').unref();
    });
    try {
      const payload = await Promise.race([Promise.resolve(handler(iq, request)), late]);
      if (payload === 'late') return { answer: errorReply(iq, 'service-unavailable'), failure: null };
      return { answer: reply(iq, payload), failure: null };
    } catch (error) {
      if (error instanceof StanzaError) return { answer: error.replyTo(iq), failure: null };
      return { answer: errorReply(iq, 'internal-server-error'), failure: { error } };
    } finally {
      clearTimeout(timer);
    }
  }
}

function readRequest(iq: Element, server: string): DelegatedRequest | null {
  const type = iq.getAttribute('type');
  if ((type !== 'get' && type !== 'set') || iq.children.length !== 1) return null;
  try {
    const from = JID.parse(iq.getAttribute('from') ?? '');
    const to = iq.getAttribute('to');
    return { from, to: to === null ? from.bare() : JID.parse(to), server };
  } catch {
    return null;
  }
}
