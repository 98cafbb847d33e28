// XMPP 1.0, initiating entity as a client: RFC 6120, with XEP-0198, XEP-0368, XEP-0386 and XEP-0388.
import { readOptions } from '../arguments/options.js';
import { BrokerError } from '../errors.js';
import { JID } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { accountAddress } from './account.js';
import type { Dialect, Established, Negotiation, StreamHeader } from './dialect.js';
import { FastSignIn } from './fast/fast-sign-in.js';
import { setEnding, tokenUnusable, type TokenEnding } from './fast/token-ending.js';
import { asToken, type FastOptions } from './fast/token-store.js';
import { bind } from './features/bind.js';
import type { BindRequest, BoundInline } from './features/bind2.js';
import type { ManagedSession } from './features/managed-session.js';
import { establishSession } from './features/session.js';
import { startTls } from './features/starttls.js';
import { causeOf } from './features/stream-cause.js';
import { enable, resume } from './features/stream-management.js';
import { readTold, type Told } from './features/told.js';
import { defaultMechanisms } from './sasl/mechanisms.js';
import { authenticate } from './sasl/negotiate.js';
import { chooseProfile } from './sasl/profile-choice.js';
import { SASL } from './sasl/profile.js';
import type { SaslLink, SaslSettings } from './sasl/selection.js';
import { signInInline } from './xmpp/inline.js';
import { XMPP_OPTIONS, type XmppOptions } from './xmpp/options.js';

export type { XmppOptions } from './xmpp/options.js';

/** A stream that is open, and what the server offers on it. */
interface OpenStream {
  readonly header: StreamHeader;
  readonly features: Element;
}

type ManagementMode = NonNullable<XmppOptions['streamManagement']>;

/** The XMPP dialect. */
export interface XmppDialect extends Dialect {
  /** The same dialect with other options. @throws BrokerError `USAGE_XMPP_OPTIONS` */
  with(options: XmppOptions): XmppDialect;
}

/** How a server is found and spoken to, whatever the options. */
const PLACE = {
  name: 'XMPP',
  xmlns: NS.CLIENT,
  version: '1.0',
  defaultPort: 5222,
  directTlsPort: 5223,
  alpn: 'xmpp-client',
  websocket: true,
  services: [
    { srv: '_xmpps-client._tcp', tls: 'direct' },
    { srv: '_xmpp-client._tcp', tls: 'starttls' },
  ],
  defaultTls: 'required',
  answersRequests: true,
  addressing: 'account',
} as const satisfies Partial<Dialect>;

/**
 * A client of an XMPP server: TLS, SASL, resource binding and stream management.
 *
 * `domain`, `username` and `password` are needed (not for EXTERNAL and ANONYMOUS); without `host` the server is found by
 * its SRV records.
 */
export const XMPP: XmppDialect = dialect({});

function dialect(options: XmppOptions): XmppDialect {
  const made = Object.freeze<XmppDialect>({
    ...PLACE,
    excludes: options.bind2 === 'on' ? ['resource'] : [],
    negotiate: (session) => negotiate(session, options),
    with: (more) => dialect(readXmppOptions({ ...options, ...readXmppOptions(more) })),
  });
  if (options.fast !== undefined && options.fast !== 'off') setEnding(made, tokenEnding(options, options.fast));
  return made;
}

/** What does not go together may come in two calls. */
const readXmppOptions = (given: unknown) => readOptions('USAGE_XMPP_OPTIONS', 'XMPP.with()', given, XMPP_OPTIONS);

async function negotiate(session: Negotiation, options: XmppOptions): Promise<Established> {
  let { header, features } = await openSecured(session);
  const link = linkOf(session);
  const fast = await beginFast(session, features, options, link);
  const token = fast?.choose() ?? null;
  const { profile, chosen } =
    token === null
      ? chooseProfile(features, saslSettings(session, options), link, options.sasl2 ?? 'auto')
      : { profile: 'sasl2', chosen: token };
  const mode = options.streamManagement ?? 'resume';
  const previous = mode === 'resume' ? session.resumable : null;
  if (profile === 'sasl') {
    await authenticate(session, SASL, chosen, link);
    session.publish('PCJ_AUTHSUCCESS', { mechanism: chosen.mechanism.name, profile });
    ({ header, features } = await openStream(session, header));
    return establish(session, { header, features }, mode, { previous, bound: null });
  }
  const wishes = { userAgent: options.userAgent ?? {}, previous, bind: bindRequest(options, mode), fast };
  const outcome = await signInInline(session, features, { chosen, link }, wishes);
  if (outcome.resumed !== null) {
    return { ...goingOn(outcome.resumed, header, outcome.resumed.told), lateFeatures: true };
  }
  features = await featuresBehindSuccess(session, outcome.bound !== null);
  return establish(session, { header, features }, mode, { ...outcome, previous: outcome.tried ? null : previous });
}

/** Opens the stream, and once more inside TLS. */
async function openSecured(session: Negotiation): Promise<OpenStream> {
  const opened = await openStream(session, null);
  const starttls = session.tls === null && session.config.transport === 'tcp';
  if (!starttls || !(await secure(session, opened.features))) return opened;
  return openStream(session, opened.header);
}

function linkOf({ tls, channelBindings, signal }: Negotiation): SaslLink {
  return { verified: tls?.verified ?? false, bindings: channelBindings, tlsVersion: tls?.version ?? null, signal };
}

function saslSettings(session: Negotiation, options: XmppOptions): SaslSettings {
  const { clientCertificate, hasPassword, domain, username } = session.config;
  return {
    mechanisms: options.mechanisms ?? defaultMechanisms(clientCertificate !== null),
    domain,
    username,
    // Who has a certificate needs no password. Anybody else hears that it is missing when it is asked for.
    password: hasPassword || clientCertificate === null ? () => session.password() : undefined,
    authzid: options.authzid,
    certificate: clientCertificate,
    channelBinding: options.channelBinding,
    iterations: options.iterations,
  };
}

/** Signs in with the token as ever, and tells the server to forget it. */
async function invalidate(session: Negotiation, options: XmppOptions): Promise<Established> {
  const { header, features } = await openSecured(session);
  const link = linkOf(session);
  const fast = await beginFast(session, features, options, link);
  const chosen = fast?.choose() ?? null;
  if (fast === null || chosen === null) throw tokenUnusable();
  fast.invalidate();
  const wishes = { userAgent: options.userAgent ?? {}, previous: null, bind: null, fast };
  await signInInline(session, features, { chosen, link }, wishes);
  const { username = '', domain } = session.config;
  return { ...factsOf(header), jid: JID.parse(accountAddress(username, domain)), lateFeatures: true };
}

function tokenEnding(options: XmppOptions, { store }: FastOptions): TokenEnding {
  return {
    dialect: { ...PLACE, negotiate: (session) => invalidate(session, options) },
    load: async (account) => asToken(await store.load(account)),
    forget: async (account) => store.save(account, null),
  };
}

function beginFast(
  session: Negotiation,
  features: Element,
  { fast = 'off', authzid, userAgent }: XmppOptions,
  link: SaslLink,
): Promise<FastSignIn | null> {
  // A token acts for nobody but its owner.
  if (fast === 'off' || authzid !== undefined) return Promise.resolve(null);
  const agent = userAgent === 'none' ? undefined : userAgent?.id;
  return FastSignIn.begin(session, features, fast, { link, agent });
}

function bindRequest({ bind2, tag = 'xmpp-broker' }: XmppOptions, mode: ManagementMode): BindRequest | null {
  if (bind2 !== 'on') return null;
  return { tag, management: mode === 'off' ? null : { resume: mode === 'resume' } };
}

/** What was done with the sign-in, and what is left to do. */
interface Beginnings {
  /** A session that may be resumed, and was not asked for yet. */
  readonly previous: ManagedSession | null;
  readonly bound: BoundInline | null;
}

/** Resumes the earlier session, or begins one: binds, and enables stream management. */
async function establish(
  session: Negotiation,
  { header, features }: OpenStream,
  mode: ManagementMode,
  { previous, bound }: Beginnings,
): Promise<Established> {
  const told = readTold(features);
  if (previous !== null && bound === null && (await resume(session, features, previous))) {
    return goingOn(previous, header, told);
  }
  const jid = bound?.jid ?? (await bind(session, features));
  // What is on already is offered once more by some servers (XEP-0386).
  if (bound === null) await establishSession(session, features);
  const asked = mode === 'off' || bound?.managed !== undefined;
  const management = asked
    ? (bound?.managed ?? null)
    : await enable(session, features, jid.toString(), mode === 'resume');
  if (management !== null) management.told = told;
  checkRequired(features);
  return { ...factsOf(header), ...told, jid, management, countsDeferred: bound?.managed != null };
}

function goingOn(previous: ManagedSession, header: StreamHeader, told: Told | undefined): Established {
  previous.told = told;
  return { ...factsOf(header), ...told, jid: JID.parse(previous.jid), resumed: true, management: previous };
}

const factsOf = ({ id, lang }: StreamHeader) => ({ sid: id ?? '', lang });

/** Features follow success at once (XEP-0388 §2.6). Behind a binding, stanzas may come before them: those are for the router. */
async function featuresBehindSuccess(session: Negotiation, bound: boolean): Promise<Element> {
  const isDue = ({ namespaceURI }: Element): boolean => namespaceURI === NS.STREAM || namespaceURI === NS.SASL2;
  return checkFeatures(session, await session.next(bound ? isDue : undefined));
}

/** Opens or restarts the stream and reads its features (RFC 6120 §4.2, §4.3). */
async function openStream(session: Negotiation, before: StreamHeader | null): Promise<OpenStream> {
  const { domain, username } = session.config;
  // RFC 6120 §4.7.1: who we are is told only on a protected stream.
  const from: Record<string, string> =
    session.tls !== null && username !== undefined ? { from: accountAddress(username, domain) } : {};
  const header = await (before === null ? session.open(from) : session.restart(from));
  const fault = headerFault(session, header);
  if (fault !== null) throw await causeOf(fault, session);
  if (before !== null && before.id === header.id) {
    session.publish(
      'PCJ_PROTOCOLERROR',
      new BrokerError('STREAM_ID_REUSED', 'the server used a stream id twice', { layer: 'stream', origin: 'peer' }),
    );
  }
  return { header, features: checkFeatures(session, await session.next()) };
}

/** The element that has to be stream features. */
function checkFeatures(session: Negotiation, features: Element): Element {
  if (!features.is('features', NS.STREAM)) {
    throw streamError(
      'STREAM_UNEXPECTED',
      `the server sent <${features.nodeName}/> where its stream features belong`,
      'bad-format',
    );
  }
  const below = session.tls !== null || session.config.transport === 'websocket';
  if (below && features.getChild('starttls', NS.TLS) !== null) {
    // RFC 6120 §5.4.3.3, XEP-0368 §3: not inside TLS. There is no second handshake. RFC 7395 §3.9: not over WebSocket.
    session.publish(
      'PCJ_PROTOCOLERROR',
      new BrokerError(
        'TLS_NESTED_OFFER',
        `the server offers STARTTLS ${session.tls === null ? 'over WebSocket' : 'inside TLS'}; it was ignored`,
        {
          layer: 'tls',
          origin: 'peer',
        },
      ),
    );
  }
  return features;
}

/** Does STARTTLS as the policy asks. Returns whether TLS is on. */
async function secure(session: Negotiation, features: Element): Promise<boolean> {
  const offer = features.getChild('starttls', NS.TLS);
  const policy = session.config.tlsPolicy;
  if (policy === 'disabled') {
    if (offer?.getChild('required') != null) {
      throw new BrokerError('TLS_REQUIRED', "the server requires STARTTLS, which tls.policy 'disabled' forbids", {
        layer: 'tls',
        origin: 'peer',
      });
    }
    return false;
  }
  if (policy === 'preferred' && offer === null) return false;
  await startTls(session);
  return true;
}

/** What is wrong with the header, or null. */
function headerFault({ tls, config }: Negotiation, header: StreamHeader): BrokerError | null {
  const version = versionFault(header);
  if (version !== null) return version;
  if (header.id === null || header.id === '') {
    return streamError('STREAM_NO_ID', 'the server sent no stream id', 'invalid-id');
  }
  if (tls === null || header.from === null || JID.equivalent(header.from, config.domain)) return null;
  const text = `the server calls itself ${JSON.stringify(header.from)} inside TLS, not ${config.domain}`;
  return streamError('STREAM_FROM_MISMATCH', text, 'invalid-from');
}

/** RFC 6120 §4.7.5: numbers, compared one by one. */
function versionFault({ version }: StreamHeader): BrokerError | null {
  if (version === null) {
    return streamError(
      'STREAM_VERSION_TOO_OLD',
      'the server does not speak XMPP 1.0: its stream has no version',
      'unsupported-version',
    );
  }
  const match = /^(\d{1,5})\.(\d{1,5})$/.exec(version);
  if (match === null)
    return streamError(
      'STREAM_BAD_VERSION',
      `the server's stream has the version ${JSON.stringify(version)}`,
      'unsupported-version',
    );
  if (Number(match[1]) >= 1) return null;
  return streamError(
    'STREAM_VERSION_TOO_OLD',
    `the server does not speak XMPP 1.0 but ${version}`,
    'unsupported-version',
  );
}

/** Features that must be negotiated, and that nobody here knows, end the negotiation (RFC 6120 §4.3.2). */
function checkRequired(features: Element): void {
  const known = new Set<string | null>([NS.BIND, NS.SESSION, NS.SM]);
  const missing = features.children.find(
    (feature) => !known.has(feature.namespaceURI) && feature.children.some((child) => child.localName === 'required'),
  );
  if (missing !== undefined) {
    throw streamError(
      'STREAM_FEATURE_REQUIRED',
      `the server requires the feature {${missing.namespaceURI ?? ''}}${missing.localName}, which is not known here`,
      'unsupported-feature',
    );
  }
}

function streamError(code: string, message: string, sentCondition: string): BrokerError {
  return new BrokerError(code, message, { layer: 'stream', origin: 'peer', sentCondition });
}
