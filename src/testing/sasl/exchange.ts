// The server's side of a SASL exchange, over any profile: RFC 6120 §6.4, XEP-0388.
import { BrokerError } from '../../errors.js';
import { decodeBase64 } from '../../protocols/sasl/base64.js';
import type { Element } from '../../xml/element.js';
import type { PeerStream } from '../peer-stream.js';
import { StreamFault } from '../stream-fault.js';
import {
  SaslFailure,
  type SaslContext,
  type SaslGrant,
  type ServerExchange,
  type ServerMechanism,
} from './mechanism.js';
import { MECHANISMS } from './mechanisms.js';
import type { ServerProfile } from './profile.js';

/** Longest response, in characters of base64. */
const RESPONSE_LIMIT = 64 * 1024;

/**
 * Runs the mechanism that an element asks for, and answers success or failure.
 * @returns who signed in, or null after a failure: the stream stays open for another try (RFC 6120 §6.4.5)
 */
export async function authenticate(
  stream: PeerStream,
  profile: ServerProfile,
  request: Element,
  context: SaslContext & { readonly rows?: readonly ServerMechanism[] },
): Promise<(SaslGrant & { mechanism: string }) | null> {
  const { mechanism, initial } = profile.begin(request);
  try {
    const row = (context.rows ?? MECHANISMS).find(({ name }) => name === mechanism);
    if (row === undefined || !context.mechanisms.includes(mechanism)) throw new SaslFailure('invalid-mechanism');
    const grant = await row.run(new Exchange(stream, profile, initial, context.finalData), context);
    stream.send(profile.success(grant));
    return { ...grant, mechanism };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === null) throw error;
    stream.send(profile.failure(failure));
    return null;
  }
}

/** The messages of one exchange. */
class Exchange implements ServerExchange {
  constructor(
    private readonly stream: PeerStream,
    private readonly profile: ServerProfile,
    private readonly first: string | null,
    private readonly finalData: SaslContext['finalData'],
  ) {}

  async initial(): Promise<Buffer> {
    return this.first === null ? this.ask(null) : decode(this.first);
  }

  challenge(data: Buffer): Promise<Buffer> {
    return this.ask(data);
  }

  async finish(username: string, data: Buffer): Promise<SaslGrant> {
    if (this.finalData === 'success') return { username, data };
    const answer = await this.challenge(data);
    if (answer.length > 0) throw new SaslFailure('malformed-request');
    return { username, data: null };
  }

  private async ask(data: Buffer | null): Promise<Buffer> {
    this.stream.send(this.profile.challenge(data));
    const answer = this.profile.read(await this.stream.next());
    if (answer === null) throw new StreamFault('not-authorized', { text: 'a <response/> was due' });
    if (answer.type === 'abort') throw new SaslFailure('aborted');
    return decode(answer.data);
  }
}

/** A name or password that cannot be prepared (RFC 4013) is a wrong one. */
function failureOf(error: unknown): SaslFailure | null {
  if (error instanceof SaslFailure) return error;
  return error instanceof BrokerError && error.layer === 'sasl' ? new SaslFailure('not-authorized') : null;
}

function decode(text: string): Buffer {
  if (text === '=') return Buffer.alloc(0);
  const data = text.length > RESPONSE_LIMIT ? null : decodeBase64(text);
  if (data === null) throw new SaslFailure('incorrect-encoding');
  return data;
}
