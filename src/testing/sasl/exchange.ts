// The server's side of a SASL exchange: RFC 6120 §6.4.
import type { X509Certificate } from 'node:crypto';
import { BrokerError } from '../../errors.js';
import { decodeBase64 } from '../../protocols/sasl/base64.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import type { Accounts } from '../accounts.js';
import type { PeerStream } from '../peer-stream.js';
import { StreamFault } from '../stream-fault.js';

/** The exchange fails with this condition (RFC 6120 §6.5). Thrown by mechanisms. */
export class SaslFailure extends Error {
  constructor(
    readonly condition: string,
    readonly text?: string,
  ) {
    super(condition);
  }
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
  /** Where the last data of the server goes: into `<success/>`, or into a challenge of its own (RFC 6120 §6.3.10). */
  readonly finalData: 'success' | 'challenge';
}

/** Who signed in. */
export interface SaslGrant {
  readonly username: string;
  /** Additional data with success, or null. */
  readonly data: Buffer | null;
}

/** One mechanism, read from top to bottom. Throws {@link SaslFailure}. */
export type ServerMechanism = (exchange: SaslExchange, context: SaslContext) => Promise<SaslGrant>;

/** Longest response, in characters of base64. */
const RESPONSE_LIMIT = 64 * 1024;

/** The messages of one exchange. */
export class SaslExchange {
  constructor(
    private readonly stream: PeerStream,
    private readonly auth: Element,
  ) {}

  /** What the client says first; asked for when it did not say it with `<auth/>`. */
  initial(): Promise<Buffer> {
    const text = this.auth.textContent;
    return text === '' ? this.challenge(null) : Promise.resolve(decode(text === '=' ? '' : text));
  }

  /** Sends a challenge and reads the response. */
  async challenge(data: Buffer | null): Promise<Buffer> {
    this.stream.send(xml('challenge', { xmlns: NS.SASL }, data === null ? null : encode(data)));
    const element = await this.stream.next();
    if (element.is('response', NS.SASL)) return decode(element.textContent);
    if (element.is('abort', NS.SASL)) throw new SaslFailure('aborted');
    throw new StreamFault('not-authorized', { text: 'a <response/> was due' });
  }

  /** The last data of the server, in the way the settings say. */
  async finish(username: string, data: Buffer, context: SaslContext): Promise<SaslGrant> {
    if (context.finalData === 'success') return { username, data };
    const answer = await this.challenge(data);
    if (answer.length > 0) throw new SaslFailure('malformed-request');
    return { username, data: null };
  }
}

/**
 * Runs the mechanism an `<auth/>` asks for and answers `<success/>` or `<failure/>`.
 * @returns who signed in, or null after a failure: the stream stays open for another try (RFC 6120 §6.4.5)
 */
export async function authenticate(
  stream: PeerStream,
  auth: Element,
  known: Readonly<Record<string, ServerMechanism>>,
  context: SaslContext,
): Promise<(SaslGrant & { mechanism: string }) | null> {
  const mechanism = auth.getAttribute('mechanism') ?? '';
  try {
    const run =
      context.mechanisms.includes(mechanism) && Object.hasOwn(known, mechanism) ? known[mechanism] : undefined;
    if (run === undefined) throw new SaslFailure('invalid-mechanism');
    const grant = await run(new SaslExchange(stream, auth), context);
    stream.send(xml('success', { xmlns: NS.SASL }, grant.data === null ? null : encode(grant.data)));
    return { ...grant, mechanism };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === null) throw error;
    const text = failure.text === undefined ? null : xml('text', {}, failure.text);
    stream.send(xml('failure', { xmlns: NS.SASL }, xml(failure.condition), text));
    return null;
  }
}

/** A name or password that cannot be prepared (RFC 4013) is a wrong one. */
function failureOf(error: unknown): SaslFailure | null {
  if (error instanceof SaslFailure) return error;
  return error instanceof BrokerError && error.layer === 'sasl' ? new SaslFailure('not-authorized') : null;
}

/** Text of a response. @throws SaslFailure `malformed-request` if it is no UTF-8 */
export function textOf(data: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new SaslFailure('malformed-request', 'it is no UTF-8');
  }
}

function encode(data: Buffer): string {
  return data.length === 0 ? '=' : data.toString('base64');
}

function decode(text: string): Buffer {
  if (text === '=') return Buffer.alloc(0);
  const data = text.length > RESPONSE_LIMIT ? null : decodeBase64(text);
  if (data === null) throw new SaslFailure('incorrect-encoding');
  return data;
}
