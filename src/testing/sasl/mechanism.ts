// What a SASL mechanism of the server is: a row of facts, and a function that runs it over any profile.
import type { X509Certificate } from 'node:crypto';
import type { Accounts } from '../accounts.js';

/** A mechanism. The file that exports it, and its place in the list of mechanisms.ts, are all that the server knows of it. */
export interface ServerMechanism {
  readonly name: string;
  /**
   * What must be there for it to be offered: accounts of the server, or else anybody gets in; a client certificate; channel
   * binding of the connection.
   */
  readonly needs: readonly ('account' | 'certificate' | 'channel-binding')[];
  /** Where it is offered when the options name no mechanisms: everywhere, inside TLS, or nowhere. */
  readonly byDefault: 'always' | 'tls' | 'never';
  /** Reads from top to bottom. Throws {@link SaslFailure}. */
  run(exchange: ServerExchange, context: SaslContext): Promise<SaslGrant>;
}

/** An exchange as the mechanism sees it. What is on the wire is the profile's business. */
export interface ServerExchange {
  /** What the client says first; asked for when it did not say it at once. */
  initial(): Promise<Buffer>;
  /** Says something and gives the response. */
  challenge(data: Buffer): Promise<Buffer>;
  /** Says the last data of the server, in the way the settings want, and gives what the mechanism gives back. */
  finish(username: string, data: Buffer): Promise<SaslGrant>;
}

/** What a mechanism may know. */
export interface SaslContext {
  readonly accounts: Accounts;
  /** Realm of DIGEST-MD5. */
  readonly realm: string;
  /** The client's certificate, if it showed one that the server trusts. */
  readonly certificate: X509Certificate | null;
  /** What was offered on this stream. */
  readonly mechanisms: readonly string[];
  /** Types of channel binding that this stream has, and their data. */
  readonly bindings: ReadonlyMap<string, Buffer>;
  /** Whether the types were listed (XEP-0440). */
  readonly bindingsListed: boolean;
  /** Whether SCRAM signs the offer (XEP-0474). */
  readonly signOffer: boolean;
  /** Tokens of the client that signs in; null where there are none. */
  readonly tokens: TokenMatcher | null;
  /** Where the last data of the server goes: with success, or into a challenge of its own (RFC 6120 §6.3.10). */
  readonly finalData: 'success' | 'challenge';
}

/** Knows tokens by what a client has made of them (XEP-0484). */
export interface TokenMatcher {
  /** The token of that user and mechanism that fits. */
  match(
    username: string,
    mechanism: string,
    fits: (secret: string) => boolean,
  ): { readonly secret: string } | 'expired' | null;
}

/** Who signed in. */
export interface SaslGrant {
  readonly username: string;
  /** Additional data with success, or null. */
  readonly data: Buffer | null;
}

/** The exchange fails with this condition (RFC 6120 §6.5). Thrown by mechanisms. */
export class SaslFailure extends Error {
  constructor(
    readonly condition: string,
    readonly text?: string,
  ) {
    super(condition);
  }
}

/** Text of a response. @throws SaslFailure `malformed-request` if it is no UTF-8 */
export function textOf(data: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new SaslFailure('malformed-request', 'it is no UTF-8');
  }
}

/** Nobody may act for another (RFC 6120 §6.3.8). An identity that is empty or undefined is the user's own. */
export function checkIdentity(authzid: string | undefined, username: string, { accounts }: SaslContext): void {
  if (authzid !== undefined && authzid !== '' && authzid !== `${username}@${accounts.domain}`) {
    throw new SaslFailure('invalid-authzid');
  }
}
