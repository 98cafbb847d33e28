// Non-SASL authentication: XEP-0078 (jabber:iq:auth), on a stream of before XMPP 1.0.
import { flag, oneOf, someOf } from '../arguments/checks.js';
import { readOptions, type OptionTable } from '../arguments/options.js';
import { BrokerError } from '../errors.js';
import { JID } from '../jid/jid.js';
import { StanzaError } from '../stanza/stanza-error.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Dialect, Established, Negotiation, StreamHeader } from './dialect.js';
import { causeOf } from './features/stream-cause.js';
import { newId } from '../stanza/id.js';
import { chooseMethod, LEGACY_METHODS, type LegacyMethod } from './legacy/methods.js';

/** Options of the LEGACY dialect, given with {@link LegacyDialect.with}. */
export interface LegacyOptions {
  /**
   * Signs in this way also where the server offers SASL, which is better (XEP-0078 §2). Whether it does is only visible on servers
   * that send stream features to such a stream. Default false.
   */
  insist?: boolean | undefined;
  /** The only methods that may be used, best first. Default `['zero-k', 'digest', 'password']`. */
  methods?: readonly LegacyMethod[] | undefined;
  /** Allows to send the password itself over a link without verified TLS. Default: it is not sent there. */
  allowPlaintextPassword?: 'over-unverified-link' | undefined;
}

const OPTIONS: OptionTable<LegacyOptions> = {
  checks: {
    insist: flag,
    methods: someOf(...LEGACY_METHODS),
    allowPlaintextPassword: oneOf('over-unverified-link'),
  },
};

/** The LEGACY dialect. */
export interface LegacyDialect extends Dialect {
  /** The same dialect with other options. @throws BrokerError `USAGE_LEGACY_OPTIONS` */
  with(options: LegacyOptions): LegacyDialect;
}

/**
 * A client of a server of before XMPP 1.0: `jabber:iq:auth` on a stream without version (XEP-0078).
 *
 * `domain`, `username`, `password` and `resource` are needed. The fields are asked for first, then the best method that the server
 * offers is used, once: another one is never tried after a refusal. TLS is required by default: STARTTLS is asked for
 * without an offer, because a stream without version need not have features. For the same reason the TLS policy `preferred` is not
 * possible.
 */
export const LEGACY: LegacyDialect = dialect({});

function dialect(options: LegacyOptions): LegacyDialect {
  return Object.freeze<LegacyDialect>({
    name: 'LEGACY',
    xmlns: NS.CLIENT,
    defaultPort: 5222,
    directTlsPort: 5223,
    alpn: 'xmpp-client',
    websocket: true,
    services: [
      { srv: '_xmpps-client._tcp', tls: 'direct' },
      { srv: '_xmpp-client._tcp', tls: 'starttls' },
    ],
    needs: ['username', 'password', 'resource'],
    defaultTls: 'required',
    tlsPolicies: ['required', 'direct', 'disabled'],
    addressing: 'account',
    negotiate: (session) => negotiate(session, options),
    with: (more) => dialect({ ...options, ...readOptions('USAGE_LEGACY_OPTIONS', 'LEGACY.with()', more, OPTIONS) }),
  });
}

async function negotiate(session: Negotiation, options: LegacyOptions): Promise<Established> {
  const { username = '', resource = '', domain, tlsPolicy } = session.config;
  const jid = new JID(localPart(username), domain, resource);
  let header = await session.open();
  let sid = await streamId(session, header);
  if (session.tls === null && tlsPolicy !== 'disabled') {
    await startTls(session);
    const before = sid;
    header = await session.restart();
    sid = await streamId(session, header);
    // The digest is made of the id: one that was seen outside TLS is not used again.
    if (sid === before) throw streamError('STREAM_ID_REUSED', 'the server used a stream id twice', 'invalid-id');
  }
  if (session.tls !== null && header.from !== null && !JID.equivalent(header.from, domain)) {
    const text = `the server calls itself ${JSON.stringify(header.from)} inside TLS, not ${domain}`;
    throw await causeOf(streamError('STREAM_FROM_MISMATCH', text, 'invalid-from'), session);
  }

  session.publish('PCJ_AUTHNEGOTIATE', { mechanism: NS.IQ_AUTH });
  const fields = await askForFields(session, username, options.insist ?? false);
  const allowsPassword = session.tls?.verified === true || options.allowPlaintextPassword === 'over-unverified-link';
  const { method, field } = chooseMethod(fields, options.methods ?? LEGACY_METHODS, allowsPassword);
  const proof = field({ sid, password: await session.password() });
  const id = newId();
  const query = xml(
    'query',
    { xmlns: NS.IQ_AUTH },
    xml('username', {}, username),
    proof,
    xml('resource', {}, resource),
  );
  session.send(xml('iq', { type: 'set', id }, query), { secret: true });
  checkAccepted(await session.next(answers(id)), method);
  session.publish('PCJ_AUTHSUCCESS', { mechanism: method });
  return { jid, sid };
}

/** STARTTLS on a stream that need not have offered it: RFC 6120 §5.4.2, RFC 7590 §3.1. */
async function startTls(session: Negotiation): Promise<void> {
  session.publish('PCJ_SSLNEGOTIATE');
  session.send(xml('starttls', { xmlns: NS.TLS }));
  // Features that cross it were not protected; those that count come inside TLS.
  const answer = await session.next((element) => element.namespaceURI !== NS.STREAM);
  if (answer.is('failure', NS.TLS)) {
    throw new BrokerError(
      'TLS_REFUSED',
      "the server refuses STARTTLS; where it has none, tls: { policy: 'direct' } or 'disabled' must be said",
      { layer: 'tls', origin: 'peer', retryable: true },
    );
  }
  if (!answer.is('proceed', NS.TLS) || answer.firstChild !== null) {
    throw streamError('STREAM_UNEXPECTED', `the server answered <starttls/> with <${answer.nodeName}/>`, 'bad-format');
  }
  await session.startTls();
}

/** Asks which fields the server wants (XEP-0078 §3.1), and looks for an offer of SASL in front of the answer. */
async function askForFields(session: Negotiation, username: string, insist: boolean): Promise<Element> {
  const id = newId();
  const query = xml('query', { xmlns: NS.IQ_AUTH }, xml('username', {}, username));
  session.send(xml('iq', { type: 'get', id, to: session.config.domain }, query));
  const isAnswer = answers(id);
  for (;;) {
    const element = await session.next((one) => isAnswer(one) || one.is('features', NS.STREAM));
    if (!element.is('features', NS.STREAM)) return fieldsOf(element);
    const offersSasl = element.children.some((feature) => feature.is('mechanisms', NS.SASL));
    if (offersSasl && !insist) {
      throw new BrokerError(
        'LEGACY_SASL_OFFERED',
        'the server offers SASL, which is to be preferred: use the XMPP dialect, or LEGACY.with({ insist: true })',
        { layer: 'sasl', origin: 'peer' },
      );
    }
  }
}

function fieldsOf(answer: Element): Element {
  if (answer.getAttribute('type') === 'error') throw refused(answer, 'did not say how to sign in');
  const query = answer.getChild('query', NS.IQ_AUTH);
  if (query !== null) return query;
  throw new BrokerError('LEGACY_NO_METHOD', 'the server did not say which fields of jabber:iq:auth it wants', {
    layer: 'sasl',
    origin: 'peer',
  });
}

/** XEP-0078 §3.2: success is an empty result. One that lists fields only says what is missing. */
function checkAccepted(answer: Element, method: LegacyMethod): void {
  if (answer.getAttribute('type') === 'error') throw refused(answer, `refused to sign in with ${method}`);
  if (answer.getChild('query', NS.IQ_AUTH) === null) return;
  throw new BrokerError(
    'LEGACY_NOT_ACCEPTED',
    `the server answered the sign-in with a list of fields: ${method} was not accepted`,
    { layer: 'sasl', origin: 'peer' },
  );
}

/** Old and new errors: XEP-0078 §3.3, XEP-0086. */
function refused(answer: Element, what: string): BrokerError {
  const error = new StanzaError(answer);
  const { condition = 'undefined-condition', text } = error;
  const hint = HINTS[condition] ?? '';
  return new BrokerError('LEGACY_REFUSED', `the server ${what}: ${condition}${hint}`, {
    layer: 'sasl',
    origin: 'peer',
    condition,
    // A resource in use may be our own of a lost link, which the server will drop in time.
    retryable: error.retryable || condition === 'conflict',
    ...(text === undefined ? {} : { text }),
    cause: error,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  'not-authorized': ' (wrong user name or password)',
  conflict: ' (the resource is in use)',
  'not-acceptable': ' (a field is missing, or TLS is wanted)',
};

function answers(id: string): (element: Element) => boolean {
  return (element) => {
    const type = element.getAttribute('type');
    return element.is('iq', NS.CLIENT) && element.getAttribute('id') === id && (type === 'result' || type === 'error');
  };
}

/** The id of the stream, without which nothing is hashed. A server that is about to say why may leave it out. */
async function streamId(session: Negotiation, { id }: StreamHeader): Promise<string> {
  if (id !== null && id !== '') return id;
  const element = await session.next();
  throw streamError('STREAM_NO_ID', `the server sent no stream id but <${element.nodeName}/>`, 'invalid-id');
}

function localPart(username: string): string {
  return /["&'/:<>@\s]/.test(username) ? JID.escape(username) : username;
}

function streamError(code: string, message: string, sentCondition: string): BrokerError {
  return new BrokerError(code, message, { layer: 'stream', origin: 'peer', sentCondition });
}
