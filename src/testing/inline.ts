// A sign-in by SASL2 and what is asked for with it: XEP-0388, XEP-0198 §9, XEP-0386, XEP-0484.
import { createHash, randomBytes } from 'node:crypto';
import { JID } from '../jid/jid.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { ClientOffer } from './client-offer.js';
import { ClientSession } from './client-session.js';
import type { Connection } from './connection.js';
import { authenticate } from './sasl/exchange.js';
import { TOKEN_MECHANISMS } from './sasl/hashed-token.js';
import { MECHANISMS } from './sasl/mechanisms.js';
import { sasl2 } from './sasl/sasl2-profile.js';
import { replace, resumableSession } from './session-start.js';
import type { Site } from './site.js';
import type { IssuedToken } from './tokens.js';

/** Who signed in, and the session that this has begun or taken up; null when binding is still to come. */
export interface SignedIn {
  readonly username: string;
  readonly session: ClientSession | null;
  /** Whether an earlier session goes on: no features are sent then (XEP-0198 §9.2). */
  readonly resumed: boolean;
}

/** Runs one `<authenticate/>`. Returns null after a failure, like {@link authenticate}. */
export async function signInInline(
  connection: Connection,
  site: Site,
  request: Element,
  offer: ClientOffer,
): Promise<SignedIn | null> {
  const inline = new InlineRequest(connection, site, request, offer);
  const grant = await authenticate(
    connection.stream,
    sasl2(({ username }) => inline.complete(username)),
    request,
    {
      ...inline.context,
      rows: inline.usesToken ? TOKEN_MECHANISMS : MECHANISMS,
    },
  );
  if (grant === null) return null;
  site.publish('authenticated', { connection, username: grant.username, mechanism: grant.mechanism });
  return inline.finish(grant.username);
}

/** What `<authenticate/>` asks for beside the sign-in. */
class InlineRequest {
  readonly #connection: Connection;
  readonly #site: Site;
  readonly #request: Element;
  readonly #offer: ClientOffer;
  #session: ClientSession | null = null;
  #resumed = false;
  /** The token that was signed in with. */
  #used: IssuedToken | null = null;

  constructor(connection: Connection, site: Site, request: Element, offer: ClientOffer) {
    this.#connection = connection;
    this.#site = site;
    this.#request = request;
    this.#offer = offer;
  }

  /** Whether the client says that it signs in with a token. */
  get usesToken(): boolean {
    return this.#request.getChild('fast', NS.FAST) !== null;
  }

  get context(): ClientOffer {
    const offer = this.#offer;
    if (!this.usesToken) return offer;
    const agent = this.#agent;
    const { tokens } = this.#site;
    if (tokens === null || agent === null) return { ...offer, mechanisms: [] };
    return {
      ...offer,
      mechanisms: offer.tokenMechanisms,
      tokens: {
        match: (username, mechanism, fits) => {
          const found = tokens.match({ username, agent, mechanism }, fits);
          if (found === null || found === 'expired') return found;
          this.#used = found;
          return found;
        },
      },
    };
  }

  /** The client has signed in: does the rest, and gives what success tells of it. */
  complete(username: string): Element[] {
    const told = [this.#resume(username), this.#resumed ? null : this.#bind(username), this.#token(username)];
    const address = this.#session?.jid ?? new JID(username, this.#site.settings.domain);
    return [...told.filter((element) => element !== null), xml('authorization-identifier', {}, address.toString())];
  }

  /** Success was sent: what follows it. */
  finish(username: string): SignedIn {
    const session = this.#session;
    if (session !== null) {
      this.#site.publish('session', { connection: this.#connection, jid: session.jid, resumed: this.#resumed });
      if (this.#resumed) session.replay();
    }
    return { username, session, resumed: this.#resumed };
  }

  get #agent(): string | null {
    return this.#request.getChild('user-agent', NS.SASL2)?.getAttribute('id') ?? null;
  }

  #resume(username: string): Element | null {
    const request = this.#request.getChild('resume', NS.SM);
    if (request === null) return null;
    const found = resumableSession(this.#site, username, request);
    if (!(found instanceof ClientSession)) return found;
    this.#session = found;
    this.#resumed = true;
    return found.takeOver(this.#connection, request);
  }

  #bind(username: string): Element | null {
    const request = this.#request.getChild('bind', NS.BIND2);
    const { hub, settings } = this.#site;
    if (request === null || settings.sasl2?.bind2 !== true) return null;
    const jid = this.#address(username, request.getChildText('tag', NS.BIND2) ?? '');
    if (jid === null) return xml('failed', { xmlns: NS.BIND2 });
    const old = hub.session(jid);
    if (old !== null) replace(old);
    this.#session = new ClientSession(this.#site, jid, this.#connection);
    const enable = request.getChild('enable', NS.SM);
    return xml('bound', { xmlns: NS.BIND2 }, enable === null ? null : this.#session.enable(enable));
  }

  /** The same for each sign-in of a user agent with a tag, else a new one (XEP-0386 §3.2). */
  #address(username: string, tag: string): JID | null {
    const agent = this.#agent;
    const hash = agent === null ? randomBytes(9) : createHash('sha256').update(agent).digest().subarray(0, 9);
    const end = hash.toString('base64url');
    try {
      return new JID(
        username,
        this.#site.settings.domain,
        tag === '' ? randomBytes(9).toString('base64url') : `${tag}~${end}`,
      );
    } catch {
      return null;
    }
  }

  #token(username: string): Element | null {
    const agent = this.#agent;
    const { tokens } = this.#site;
    if (tokens === null || agent === null) return null;
    const invalidate = this.#request.getChild('fast', NS.FAST)?.getAttribute('invalidate') ?? '';
    if (/^(?:true|1)$/.test(invalidate)) tokens.forget(username, agent);
    const mechanism = this.#wantedMechanism(invalidate !== '');
    if (mechanism === null) return null;
    const { secret, expires } = tokens.issue(username, agent, mechanism);
    return xml('token', { xmlns: NS.FAST, token: secret, expiry: new Date(expires).toISOString() });
  }

  /** For which mechanism the client gets a token, because it asks or because the one it used is due; null: it gets none. */
  #wantedMechanism(invalidates: boolean): string | null {
    const asked = this.#request.getChild('request-token', NS.FAST)?.getAttribute('mechanism') ?? null;
    if (asked !== null) return this.#offer.tokenMechanisms.includes(asked) ? asked : null;
    const used = this.#used;
    return used !== null && !invalidates && this.#site.tokens?.isDue(used) === true ? used.mechanism : null;
  }
}
