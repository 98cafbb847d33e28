// The running of an exchange, over any profile: RFC 4422 §5, RFC 6120 §6.4, XEP-0388.
import { BrokerError, printable } from '../../errors.js';
import type { Element } from '../../xml/element.js';
import { decodeBase64 } from './base64.js';
import { notAuthenticated, saslError, unexpected } from './errors.js';
import { failureOf } from './failure.js';
import type { Mechanism, MechanismSettings, SaslAnswer, SaslExchange } from './mechanism.js';
import type { SaslProfile } from './profile.js';

/** The stream as the exchange needs it. */
export interface SaslStream {
  /** Writes an element; `secret` keeps its content out of events and logs. */
  send(element: Element, options?: { secret?: boolean | undefined }): void;
  /** The next element from the server. */
  next(): Promise<Element>;
}

/** Most challenges in one exchange, and most characters of base64 in one of them. */
const CHALLENGE_LIMIT = 10;
const DATA_LIMIT = 64 * 1024;

/** Most tasks that an error names. */
const SHOWN_TASKS = 8;

/**
 * Runs one mechanism to its end. It fulfils, with the element that reported success, when the server has accepted us and the
 * mechanism is satisfied; there is no second try, and no other mechanism after a failed one. Nothing is read behind success.
 *
 * @throws BrokerError `SASL_FAILURE` with the server's condition, `SASL_UNEXPECTED`, `SASL_BAD_BASE64`, `SASL_LIMIT`,
 * `SASL2_TASK_UNSUPPORTED`, and what the mechanism throws. Nothing may be sent on the stream afterwards but its end.
 */
export async function runExchange(
  stream: SaslStream,
  profile: SaslProfile,
  mechanism: Mechanism,
  settings: MechanismSettings,
): Promise<Element> {
  const exchange = new Exchange(stream, profile, mechanism);
  try {
    await mechanism.run(exchange, settings);
    return await exchange.complete();
  } catch (error) {
    if (exchange.challenged && error instanceof BrokerError && error.layer === 'sasl') stream.send(profile.abort());
    throw error;
  }
}

/** What the server says, with the element that reported success. */
type Answer =
  | Extract<SaslAnswer, { type: 'challenge' }>
  | (Extract<SaslAnswer, { type: 'success' }> & { readonly element: Element });

class Exchange implements SaslExchange {
  readonly #stream: SaslStream;
  readonly #profile: SaslProfile;
  readonly #mechanism: Mechanism;
  #begun = false;
  #challenges = 0;
  #challenged = false;
  #success: Element | null = null;
  #detail: string | null = null;

  constructor(stream: SaslStream, profile: SaslProfile, mechanism: Mechanism) {
    this.#stream = stream;
    this.#profile = profile;
    this.#mechanism = mechanism;
  }

  /** Whether the server waits for us: the exchange can be aborted then. */
  get challenged(): boolean {
    return this.#challenged;
  }

  async say(message: Buffer | null): Promise<Answer> {
    if (this.#success !== null) throw notAuthenticated(this.#mechanism.name);
    this.#send(message);
    const element = await this.#stream.next();
    const step = this.#profile.read(element);
    switch (step?.type) {
      case 'challenge':
        return { type: 'challenge', data: this.#challenge(step.data) };
      case 'success': {
        this.#success = element;
        const data = step.data === null ? null : readData(step.data);
        return { type: 'success', data: data?.length === 0 ? null : data, element };
      }
      case 'failure':
        throw failureOf(element, this.#mechanism, this.#detail);
      case 'continue':
        this.#challenged = true;
        throw taskUnsupported(step.tasks);
      case undefined:
        throw misplaced(element);
    }
  }

  async challenge(message: Buffer | null): Promise<Buffer> {
    const answer = await this.say(message);
    if (answer.type === 'success') throw notAuthenticated(this.#mechanism.name);
    return answer.data;
  }

  async success(message: Buffer): Promise<void> {
    await this.#succeeded(message);
  }

  async failure(message: Buffer, detail: string): Promise<never> {
    this.#detail = detail;
    const { type } = await this.say(message);
    throw type === 'success' ? notAuthenticated(this.#mechanism.name) : unexpected(this.#mechanism.name, 'challenge');
  }

  /**
   * The mechanism is satisfied. Where the server's last data came in a challenge, an empty response is due, and success after
   * it (RFC 6120 §6.3.10).
   */
  async complete(): Promise<Element> {
    return this.#success ?? (await this.#succeeded(Buffer.alloc(0)));
  }

  /** Says something that needs success, without data: what reports it. */
  async #succeeded(message: Buffer): Promise<Element> {
    const answer = await this.say(message);
    if (answer.type === 'challenge') throw unexpected(this.#mechanism.name, 'challenge');
    if (answer.data !== null) throw unexpected(this.#mechanism.name, 'data');
    return answer.element;
  }

  #send(message: Buffer | null): void {
    const element = this.#begun
      ? this.#profile.response(message ?? Buffer.alloc(0))
      : this.#profile.begin(this.#mechanism.name, message);
    this.#begun = true;
    this.#challenged = false;
    this.#stream.send(element, { secret: true });
  }

  #challenge(carrier: Element): Buffer {
    this.#challenged = true;
    if (++this.#challenges > CHALLENGE_LIMIT) {
      throw saslError('SASL_LIMIT', `the server sent more than ${CHALLENGE_LIMIT} challenges`);
    }
    return readData(carrier);
  }
}

/** @throws BrokerError `SASL_BAD_BASE64`, `SASL_LIMIT`, `SASL_UNEXPECTED` */
function readData(carrier: Element): Buffer {
  if (carrier.firstElementChild !== null) throw misplaced(carrier.firstElementChild);
  const text = carrier.textContent;
  if (text.length > DATA_LIMIT) {
    throw saslError('SASL_LIMIT', `the server sent ${text.length} characters of SASL data, ${DATA_LIMIT} are allowed`);
  }
  const data = text === '=' ? Buffer.alloc(0) : decodeBase64(text);
  if (data === null) {
    throw saslError('SASL_BAD_BASE64', `the content of the server's <${carrier.localName}/> is no proper base64`);
  }
  return data;
}

function taskUnsupported(tasks: readonly string[]): BrokerError {
  const named = printable(tasks.slice(0, SHOWN_TASKS).join(', '), 300) || 'a task without a name';
  return saslError(
    'SASL2_TASK_UNSUPPORTED',
    `the server wants more than the sign-in, which is not possible here: ${named}. Change that at the server, or for the account`,
  );
}

function misplaced(element: Element): BrokerError {
  return saslError(
    'SASL_UNEXPECTED',
    `the server sent <${element.localName.slice(0, 80)}/> in the middle of signing in`,
  );
}
