// What a SASL mechanism is, RFC 4422 §5: a row of facts, and a function that runs it over any profile.
import type { Optional } from '../../arguments/optional.js';
import type { BrokerError } from '../../errors.js';
import type { ClientCertificate } from '../../tls/client-certificate.js';
import type { BindingPlan } from './binding-plan.js';
import type { SaslOffer } from './offer.js';
import type { Password } from './password.js';
import type { IterationLimits } from './scram-message.js';

/** What must be there before a mechanism can be used. */
export type Need = 'password' | 'username' | 'tls' | 'channel-binding';

/** A mechanism. The file that exports it, and its place in the list of mechanisms.ts, are all that the library knows of it. */
export interface Mechanism {
  /** Registered name, for example `SCRAM-SHA-256-PLUS`. */
  readonly name: string;
  /** What must be there; the first that is not is named in the error. */
  readonly needs: readonly Need[];
  /** Whether the server, or who plays it, gets to see the password or token. Such a one is used over verified TLS only. */
  readonly showsPassword: boolean;
  /**
   * What it has to do with the floor below which an account is not signed in again (XEP-0474 §6): it `sets` the floor; it
   * `obeys`, which is to say it is not used where one that sets the floor is there or was there before; or `neither`.
   */
  readonly floor: 'sets' | 'obeys' | 'neither';
  /** When a client uses it that was told of no mechanisms. */
  readonly byDefault: 'always' | 'with-certificate' | 'never';
  /** What to look at when the server refuses with one of these conditions (RFC 6120 §6.5), in place of user name and password. */
  readonly advice?: Readonly<Record<string, string>> | undefined;
  /** What the program should know before it is tried, or null. */
  warning?(settings: MechanismSettings): BrokerError | null;
  /**
   * Signs in, from the first message to the last, and fulfils when the mechanism is satisfied: where it makes the server prove
   * itself, that is done. A last response that is empty, and waiting for success, are left to who runs it.
   *
   * Whatever the server says, it throws nothing but BrokerErrors of the layer `sasl`, without secrets.
   */
  run(exchange: SaslExchange, settings: MechanismSettings): Promise<void>;
}

/**
 * An exchange as the mechanism sees it. What is on the wire is the profile's business (RFC 6120 §6.4, XEP-0388).
 *
 * The first message is the initial response, the others answer a challenge. A failure that the server reports is thrown.
 */
export interface SaslExchange {
  /** Says something, and gives what the server says to it. `null`, as the first message, leaves the first word to the server. */
  say(message: Buffer | null): Promise<SaslAnswer>;
  /** Says something that needs a challenge. @throws BrokerError `SASL_SERVER_NOT_AUTHENTICATED` on success */
  challenge(message: Buffer | null): Promise<Buffer>;
  /** Says something that needs success, without data. @throws BrokerError `SASL_UNEXPECTED` on anything else */
  success(message: Buffer): Promise<void>;
  /** Says the last word to a challenge that reported a failure, and throws the failure that has to follow, with this detail. */
  failure(message: Buffer, detail: string): Promise<never>;
}

/** What the server says. Success has data, or null: where none are and where they are empty. */
export type SaslAnswer =
  { readonly type: 'challenge'; readonly data: Buffer } | { readonly type: 'success'; readonly data: Buffer | null };

/** Whose account it is. */
export interface Account {
  /** XMPP domain that was dialled. */
  readonly domain: string;
  readonly username?: string | undefined;
}

/** What a mechanism works with. */
export interface MechanismSettings extends Account {
  /** Empty where there is none. */
  readonly username: string;
  /** Password or token; empty where there is none. */
  readonly password: Password;
  /** Whom to act for, when it is not the user (RFC 6120 §6.3.8). */
  readonly authzid?: string | undefined;
  /** Our own certificate in TLS, or null. */
  readonly certificate: ClientCertificate | null;
  readonly iterations?: Optional<IterationLimits> | undefined;
  /** What the server offered, to be compared with what it signs (XEP-0474). */
  readonly offer: SaslOffer;
  readonly binding: BindingPlan;
  /** Version of TLS as Node calls it, to be compared with what the server signs (XEP-0515); null without TLS. Default null. */
  readonly tlsVersion?: string | null | undefined;
  /** Abandons the exchange while something is computed. */
  readonly signal?: AbortSignal | undefined;
}

/** The name of an account in memories and caches. */
export function accountOf({ username = '', domain }: Account): string {
  return JSON.stringify([username, domain]);
}
