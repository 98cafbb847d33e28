// The SASL exchange of XMPP: RFC 6120 §6.4.
import { BrokerError } from '../../errors.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { decodeBase64 } from './base64.js';
import { saslError, type Mechanism } from './mechanism.js';

/** The stream as the exchange needs it. */
export interface SaslStream {
  /** Writes an element; `secret` keeps its content out of events and logs. */
  send(element: Element, options?: { secret?: boolean }): void;
  /** The next element from the server. */
  next(): Promise<Element>;
}

/** Most challenges in one exchange, and most characters of base64 in one of them. */
const CHALLENGE_LIMIT = 10;
const DATA_LIMIT = 64 * 1024;

/** Conditions of RFC 6120 §6.5. */
const CONDITIONS = new Set([
  'aborted',
  'account-disabled',
  'credentials-expired',
  'encryption-required',
  'incorrect-encoding',
  'invalid-authzid',
  'invalid-mechanism',
  'malformed-request',
  'mechanism-too-weak',
  'not-authorized',
  'temporary-auth-failure',
]);

/**
 * Runs one mechanism to its end. It fulfils when the server has accepted us and the mechanism is satisfied; there is no
 * second try, and no other mechanism after a failed one.
 *
 * @throws BrokerError `SASL_FAILURE` with the server's condition, `SASL_UNEXPECTED`, `SASL_BAD_BASE64`, `SASL_LIMIT`, and what the
 * mechanism throws. Nothing may be sent on the stream afterwards but its end.
 */
export async function runExchange(stream: SaslStream, mechanism: Mechanism): Promise<void> {
  const initial = await mechanism.start();
  const text = initial === null ? undefined : encode(initial, '=');
  stream.send(xml('auth', { xmlns: NS.SASL, mechanism: mechanism.name }, text), { secret: true });

  for (let challenges = 0; ; challenges++) {
    const element = await stream.next();
    if (element.namespaceURI !== NS.SASL) throw misplaced(element);
    switch (element.localName) {
      case 'success':
        mechanism.success(readSuccess(element));
        return;
      case 'failure':
        throw failureOf(element, mechanism);
      case 'challenge':
        await answer(stream, mechanism, element, challenges);
        break;
      default:
        throw misplaced(element);
    }
  }
}

async function answer(stream: SaslStream, mechanism: Mechanism, challenge: Element, before: number): Promise<void> {
  try {
    if (before >= CHALLENGE_LIMIT) {
      throw saslError('SASL_LIMIT', `The server sent more than ${CHALLENGE_LIMIT} challenges.`);
    }
    const response = await mechanism.challenge(readData(challenge));
    stream.send(xml('response', { xmlns: NS.SASL }, encode(response, '')), { secret: true });
  } catch (error) {
    if (error instanceof BrokerError && error.layer === 'sasl') stream.send(xml('abort', { xmlns: NS.SASL }));
    throw error;
  }
}

function encode(data: Buffer, empty: string): string {
  return data.length === 0 ? empty : data.toString('base64');
}

/** Additional data with success: none when there is no text, empty for `=`. */
function readSuccess(success: Element): Buffer | null {
  return success.firstChild === null ? null : readData(success);
}

/** @throws BrokerError `SASL_BAD_BASE64`, `SASL_LIMIT`, `SASL_UNEXPECTED` */
function readData(element: Element): Buffer {
  if (element.firstElementChild !== null) throw misplaced(element.firstElementChild);
  const text = element.textContent;
  if (text.length > DATA_LIMIT) {
    throw saslError('SASL_LIMIT', `The server sent ${text.length} characters of SASL data, ${DATA_LIMIT} are allowed.`);
  }
  const data = text === '=' ? Buffer.alloc(0) : decodeBase64(text);
  if (data === null) {
    throw saslError('SASL_BAD_BASE64', `The content of the server's <${element.localName}/> is no proper base64.`);
  }
  return data;
}

/** RFC 6120 §6.5. What is not known means `not-authorized`. */
function failureOf(failure: Element, mechanism: Mechanism): BrokerError {
  const children = failure.children.filter((child) => child.namespaceURI === NS.SASL);
  const named = children.find((child) => CONDITIONS.has(child.localName));
  const condition = named === undefined ? 'not-authorized' : named.localName;
  const text = children.find((child) => child.localName === 'text');
  const detail = mechanism.failure === undefined ? '' : ` (${mechanism.failure})`;
  return saslError(
    'SASL_FAILURE',
    `The server refused the sign-in with ${mechanism.name}: ${condition}${detail}.${adviceFor(condition)}`,
    {
      condition,
      text: text?.textContent,
      lang: text?.getAttribute('xml:lang') ?? undefined,
      retryable: condition === 'temporary-auth-failure',
    },
  );
}

function adviceFor(condition: string): string {
  switch (condition) {
    case 'not-authorized':
      return ' Check user name and password.';
    case 'encryption-required':
      return ' The server wants TLS first.';
    case 'mechanism-too-weak':
    case 'invalid-mechanism':
      return ' The server wants another mechanism.';
    case 'temporary-auth-failure':
      return ' It may work later.';
    default:
      return '';
  }
}

function misplaced(element: Element): BrokerError {
  return saslError(
    'SASL_UNEXPECTED',
    `The server sent <${element.localName.slice(0, 80)}/> in the middle of signing in.`,
  );
}
