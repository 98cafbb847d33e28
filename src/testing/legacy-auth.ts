// Authentication of before XMPP 1.0, from the server's side: XEP-0078, and its zero-knowledge method of before that.
import { createHash, randomBytes } from 'node:crypto';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { StanzaErrorCondition } from '../stanza/conditions.js';
import { errorReply, reply } from '../stanza/replies.js';
import type { Accounts } from './accounts.js';
import type { Settings } from './settings.js';
import { sameText } from './sasl/same-text.js';

/** Codes of the conditions this protocol uses (XEP-0086). */
const CODES = {
  'bad-request': '400',
  'not-authorized': '401',
  'not-acceptable': '406',
  conflict: '409',
} as const satisfies Partial<Record<StanzaErrorCondition, string>>;

export type LegacyCondition = keyof typeof CODES;

/** What a client asked for with a `set`. */
export type LegacyRequest =
  | { readonly username: string; readonly resource: string; readonly method: string }
  | { readonly refused: LegacyCondition };

/** Keeps the sequences of the zero-knowledge method, and checks what clients send. */
export class LegacyAuth {
  readonly #accounts: Accounts;
  readonly #settings: NonNullable<Settings['legacy']>;
  readonly #sequences = new Map<string, { sequence: number; token: string }>();

  constructor(accounts: Accounts, settings: NonNullable<Settings['legacy']>) {
    this.#accounts = accounts;
    this.#settings = settings;
  }

  /** Whether the stream feature is shown. */
  get announced(): boolean {
    return this.#settings.announced;
  }

  /** The fields a client has to fill in. */
  fields(iq: Element, query: Element): Element {
    const { methods } = this.#settings;
    const username = query.getChildText('username');
    const { sequence, token } = this.#sequence(this.#accounts.nameOf(username ?? '') ?? '');
    return reply(
      iq,
      xml(
        'query',
        { xmlns: NS.IQ_AUTH },
        xml('username', {}, username),
        xml('resource'),
        methods.includes('password') && xml('password'),
        methods.includes('digest') && xml('digest'),
        methods.includes('0k') && [xml('sequence', {}, sequence), xml('token', {}, token)],
      ),
    );
  }

  /** Checks a filled-in form. @param streamId what a digest is made with */
  check(query: Element, streamId: string): LegacyRequest {
    const username = this.#accounts.nameOf(query.getChildText('username') ?? '');
    const resource = query.getChildText('resource') ?? '';
    if (username === null || resource === '') return { refused: 'not-acceptable' };
    const given = [this.#hash(query, username), this.#digest(query, username, streamId), this.#plain(query, username)];
    const used = given.find((method) => method !== null);
    if (used === undefined) return { refused: 'not-acceptable' };
    return used === false ? { refused: 'not-authorized' } : { username, resource, method: used };
  }

  /** An error in the style that the options ask for. */
  error(iq: Element, condition: LegacyCondition): Element {
    const code = CODES[condition];
    const answer = errorReply(iq, condition);
    const error = answer.getChild('error') ?? answer;
    if (this.#settings.errors === 'condition') {
      error.setAttribute('code', code);
      return answer;
    }
    answer.removeChild(error);
    answer.appendChild(xml('error', { code }, condition));
    return answer;
  }

  #plain(query: Element, username: string): string | false | null {
    const password = query.getChildText('password');
    if (password === null || !this.#settings.methods.includes('password')) return null;
    const known = this.#accounts.password(username);
    return known !== null && sameText(known, password) && 'password';
  }

  #digest(query: Element, username: string, streamId: string): string | false | null {
    const digest = query.getChildText('digest');
    if (digest === null || !this.#settings.methods.includes('digest')) return null;
    const known = this.#accounts.password(username);
    return known !== null && sameText(sha1(streamId + known), digest) && 'digest';
  }

  /** The password is hashed, then with the token, then as many times as the sequence says. It counts down. */
  #hash(query: Element, username: string): string | false | null {
    const hash = query.getChildText('hash');
    if (hash === null || !this.#settings.methods.includes('0k')) return null;
    const known = this.#accounts.password(username);
    if (known === null) return false;
    const { sequence, token } = this.#sequence(username);
    let wanted = sha1(sha1(known) + token);
    for (let times = 0; times < sequence; times++) wanted = sha1(wanted);
    if (!sameText(wanted, hash)) return false;
    if (sequence > 1) this.#sequences.set(username, { sequence: sequence - 1, token });
    else this.#sequences.delete(username);
    return '0k';
  }

  #sequence(username: string): { sequence: number; token: string } {
    const { sequence, token } = this.#settings;
    const known = this.#sequences.get(username);
    if (known !== undefined) return known;
    const fresh = { sequence, token: token ?? randomBytes(4).toString('hex').toUpperCase() };
    // Nothing is kept for users that do not exist.
    if (this.#accounts.has(username)) this.#sequences.set(username, fresh);
    return fresh;
  }
}

function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}
