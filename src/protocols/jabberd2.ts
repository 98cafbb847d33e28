// The component protocol of the jabberd2 router (its own, not XEP-0114).
import { flag, someOf } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { BrokerError, usageError } from '../errors.js';
import { preparedDomain } from '../jid/checks.js';
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Dialect, Established, Negotiation, StreamHeader } from './dialect.js';
import { newId } from '../stanza/id.js';
import { startTls } from './features/starttls.js';
import { bindElement, bindError, NAME_OPTIONS, nameCheck, type NameOptions } from './jabberd2/bind.js';
import { RouterLink } from './jabberd2/router-link.js';
import { asClientStanza, isRouterElement } from './jabberd2/route.js';
import { signIn } from './sasl/negotiate.js';
import { MECHANISM_NAMES, type MechanismName } from './sasl/mechanisms.js';

/** Options of the router dialect, given with {@link RouterDialect.with}. */
export interface RouterOptions extends NameOptions {
  /** Name to bind. Default: the broker's `domain`. */
  name?: string | undefined;
  /**
   * Leaves packets alone: the program sends `<route/>` elements and receives them as they come, bounced ones, broadcasts and copies for the
   * log included. Tracked requests do not work then. Default false.
   */
  raw?: boolean | undefined;
  /** The only SASL mechanisms that may be used, best first. Default `['DIGEST-MD5']`, which is all that the router has. */
  mechanisms?: readonly MechanismName[] | undefined;
}

const OPTIONS: OptionTable<RouterOptions> = {
  checks: { name: nameCheck, raw: flag, mechanisms: someOf(...MECHANISM_NAMES), ...NAME_OPTIONS.checks },
};

/** The router dialect. */
export interface RouterDialect extends Dialect {
  /** The same dialect with other options. @throws BrokerError `USAGE_ROUTER_OPTIONS`, `USAGE_NAME` */
  with(options: RouterOptions): RouterDialect;
}

/**
 * A service at the router of jabberd2, beside its own parts.
 *
 * `domain` is the service's name (or the router's, with the name in the options), `username` and `password` are those of a user of the
 * router; there is no default port. The program sees ordinary stanzas: each is put into a `<route/>` on its way out and taken
 * out of one on its way in (`routeOf(stanza)` shows it). A packet that comes back is PCJ_ROUTEFAIL, and the stanza in it an error
 * stanza from the one it was for. Further names are bound with {@link RouterControl}.
 */
export const JABBERD20_COMPONENT: RouterDialect = dialect({});

function dialect(options: RouterOptions): RouterDialect {
  return Object.freeze<RouterDialect>({
    name: 'JABBERD20_COMPONENT',
    xmlns: NS.JABBERD2_COMPONENT,
    version: '1.0',
    usualPort: 5347,
    needs: ['username', 'password', 'port'],
    defaultTls: 'required',
    addressing: 'domain',
    // There are few, and a server waits for each.
    firstDelayMs: 1_000,
    probe: (id, link) => RouterLink.of(link, options).probe(id),
    negotiate: (session) => negotiate(session, options),
    prepare: (stanza, { domain }) => prepare(stanza, options, domain),
    wrap: (stanza, link) => RouterLink.of(link, options).wrap(stanza),
    unwrap: (element, link) => RouterLink.of(link, options).unwrap(element),
    with: (more) => {
      const { name, ...given } = readOptions('USAGE_ROUTER_OPTIONS', 'JABBERD20_COMPONENT.with()', more, OPTIONS);
      return dialect({ ...options, ...given, ...(name === undefined ? {} : { name: preparedDomain(name) }) });
    },
  });
}

async function negotiate(session: Negotiation, options: RouterOptions): Promise<Established> {
  const { config } = session;
  let features = await readFeatures(session, await session.open());
  if (session.tls === null && wantsTls(session, features)) {
    await startTls(session);
    features = await readFeatures(session, await session.restart());
  }
  await signIn(
    session,
    features,
    {
      mechanisms: options.mechanisms ?? ['DIGEST-MD5'],
      domain: config.domain,
      username: config.username,
      password: () => session.password(),
    },
    { verified: session.tls?.verified ?? false, bindings: session.channelBindings, signal: session.signal },
  );
  const header = await session.restart();
  // Empty features are the router's way to say: bind now.
  await readFeatures(session, header);

  const name = options.name ?? config.domain;
  const id = newId();
  session.publish('PCJ_BINDNEGOTIATE');
  const answer = await session.request(
    bindElement(name, id, options),
    (element) => element.is('bind', NS.JABBERD2_COMPONENT) && element.getAttribute('id') === id,
  );
  const code = answer.getAttribute('error');
  if (code !== null) throw bindError('bind', name, code);
  const jid = JID.parse(name);
  session.publish('PCJ_BINDSUCCESS', { jid });
  return { jid, sid: header.id ?? '' };
}

async function readFeatures(session: Negotiation, header: StreamHeader): Promise<Element> {
  const features = await session.next();
  if (!features.is('features', NS.STREAM)) {
    throw streamError('STREAM_UNEXPECTED', `the router sent <${features.nodeName}/> where its stream features belong`);
  }
  if (header.id === null || header.id === '') throw streamError('STREAM_NO_ID', 'the router sent no stream id');
  return features;
}

/** Whether STARTTLS is to be asked for. */
function wantsTls(session: Negotiation, features: Element): boolean {
  const policy = session.config.tlsPolicy;
  if (policy === 'disabled') return false;
  if (features.getChild('starttls', NS.TLS) !== null) return true;
  if (policy === 'preferred') return false;
  throw new BrokerError(
    'TLS_REQUIRED',
    "the router offers no STARTTLS: give it a certificate (pemfile), or say tls: { policy: 'disabled' } on a link that nobody else can reach",
    { layer: 'tls', origin: 'peer' },
  );
}

function prepare(stanza: Element, options: RouterOptions, domain: string): Element {
  if (isRouterElement(stanza)) return withId(stanza);
  if (options.raw !== true) return asClientStanza(stanza, options.name ?? domain);
  throw usageError(
    'USAGE_ROUTE',
    `<${stanza.nodeName}/> is no packet of the router: with raw the program sends <route/> elements itself`,
  );
}

/** Answers to <bind/> and <unbind/> are told apart by their ids. */
function withId(element: Element): Element {
  const asks = element.localName === 'bind' || element.localName === 'unbind';
  if (!asks || element.hasAttribute('id')) return element;
  const copy = element.clone();
  copy.setAttribute('id', newId());
  return copy;
}

function streamError(code: string, message: string): BrokerError {
  return new BrokerError(code, message, { layer: 'stream', origin: 'peer', sentCondition: 'bad-format' });
}
