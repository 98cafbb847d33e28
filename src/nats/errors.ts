// What NATS and its client say, as errors that name the cause and what to do about it.
import { isA, reasonOf } from '../arguments/values.js';
import { BrokerError, printable } from '../errors.js';
import type { NatsClient } from './client.js';

/** Error codes of JetStream's API that are told apart. */
const JS = {
  notEnabled: 10_076,
  notEnabledForAccount: 10_039,
  noResources: 10_023,
  noPeers: 10_005,
  unavailable: 10_008,
  noMessage: 10_037,
  deleteFailed: 10_057,
  wrongLastSequence: 10_071,
  streamNotFound: 10_059,
  consumerNotFound: 10_014,
  streamNameInUse: 10_058,
  storageFull: 10_047,
  accountStorage: 10_002,
  maxConsumers: 10_026,
  tooManyMessages: 10_077,
} as const;

/** What goes along with an error. */
export interface NatsPlace {
  /** Where NATS is, for messages: `127.0.0.1:4222`. */
  readonly server: string;
  /** What was done: `to open the queue "echo.example.org"`. */
  readonly doing: string;
}

/** The code that JetStream's API gave, or 0. */
export function jetStreamCode(error: unknown): number {
  if (!isA(error, Error) || error.name === 'JetStreamStatusError') return 0;
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : 0;
}

/** Whether a compare-and-set lost: somebody else has written meanwhile. */
export function isWrongRevision(error: unknown): boolean {
  return jetStreamCode(error) === JS.wrongLastSequence;
}

export function isStreamMissing(error: unknown): boolean {
  return jetStreamCode(error) === JS.streamNotFound;
}

export function isConsumerMissing(error: unknown): boolean {
  return jetStreamCode(error) === JS.consumerNotFound;
}

/** Whether a message could not be deleted because it is not there. */
export function isMessageMissing(error: unknown): boolean {
  const code = jetStreamCode(error);
  return code === JS.noMessage || (code === JS.deleteFailed && /no message|deleted|EOF/.test(reasonOf(error)));
}

export function isNameInUse(error: unknown): boolean {
  return jetStreamCode(error) === JS.streamNameInUse;
}

/** Whether a stream, or the share of one subject in it, takes no more. */
export function isFull(error: unknown): boolean {
  const code = jetStreamCode(error);
  return code === JS.storageFull || code === JS.tooManyMessages;
}

/** Whether JetStream has no room for a stream that is to be made, or the account may not have so much. */
export function isOutOfRoom(error: unknown): boolean {
  const code = jetStreamCode(error);
  return code === JS.storageFull || code === JS.accountStorage;
}

/** Whether a message is larger than NATS takes: the client looks at that before it sends anything. */
export function isOutsized(error: unknown): boolean {
  return nameOf(error) === 'InvalidArgumentError' && reasonOf(error).includes('max_payload');
}

/** Whether JetStream is not there, or not yet: a cluster without a leader says the same. */
function isWithoutJetStream(error: unknown): boolean {
  const code = jetStreamCode(error);
  return nameOf(error) === 'JetStreamNotEnabled' || code === JS.notEnabled || code === JS.notEnabledForAccount;
}

/** Whether JetStream may be there in a moment: a cluster that starts, or chooses its leader. */
export function isGettingReady(error: unknown): boolean {
  const code = jetStreamCode(error);
  return (
    isWithoutJetStream(error) || nameOf(error) === 'TimeoutError' || code === JS.noPeers || code === JS.unavailable
  );
}

/** What a call of the client failed with, as an error of ours. */
export function natsError(cause: unknown, place: NatsPlace, client: NatsClient): BrokerError {
  if (isA(cause, BrokerError)) return cause;
  const { doing, server } = place;
  const at = printable(server, 200);
  const denied = deniedBy(cause, client);
  if (denied !== null) return denied(at, doing);
  if (nameOf(cause) === 'JetStreamNotEnabled') return nobodyThere(at, doing, cause);
  if (isWithoutJetStream(cause)) return noJetStream(at, doing, cause);
  if (isStreamMissing(cause) || isConsumerMissing(cause)) return missing(at, doing, cause);
  const name = nameOf(cause);
  if (name === 'ClosedConnectionError' || name === 'DrainingConnectionError') return closed(at, doing, cause);
  if (isFull(cause)) {
    const text = `JetStream at ${at} takes no more ${doing} (${reasonOf(cause)}): wait until it is sent, or raise the limit of the stream`;
    return new BrokerError('QUEUE_FULL', text, { layer: 'queue', retryable: true, cause });
  }
  if (isOutsized(cause)) {
    const text = `NATS at ${at} takes nothing so large ${doing} (max_payload)`;
    return new BrokerError('NATS_TOO_BIG', text, { layer: 'nats', sent: 'no', cause });
  }
  if (jetStreamCode(cause) !== 0) {
    const text = `JetStream at ${at} refuses ${doing}: ${reasonOf(cause)}`;
    return new BrokerError('NATS_REFUSED', text, { layer: 'nats', origin: 'peer', retryable: true, cause });
  }
  return unreachable(at, doing, cause);
}

/** What is said of a first connection that failed. */
export function connectError(cause: unknown, server: string, client: NatsClient): BrokerError {
  const denied = deniedBy(cause, client);
  if (denied !== null) return denied(printable(server, 200), 'to connect');
  const text = `no NATS answers at ${printable(server, 200)} (${belowOf(cause)}): is nats-server running there, is that its port for clients, and do both sides agree about TLS?`;
  return new BrokerError('NATS_UNREACHABLE', text, { layer: 'nats', origin: 'os', retryable: true, cause });
}

export function unreachable(at: string, doing: string, cause?: unknown): BrokerError {
  const why = cause === undefined ? 'it does not answer' : reasonOf(cause);
  const text = `NATS at ${at} does not answer ${doing} (${why}): it goes on by itself once it does`;
  return new BrokerError('NATS_UNREACHABLE', text, { layer: 'nats', origin: 'peer', retryable: true, cause });
}

export function closed(at: string, doing: string, cause?: unknown): BrokerError {
  const text = `the connection to NATS at ${at} was closed, ${doing} there is none`;
  return new BrokerError('NATS_UNREACHABLE', text, { layer: 'nats', cause });
}

export function noJetStream(at: string, doing: string, cause?: unknown): BrokerError {
  const text = `NATS at ${at} has no JetStream ${doing}: start nats-server with -js, or "jetstream { store_dir: … }" in its configuration, and allow it for this account; a cluster needs more than half of its nodes`;
  return new BrokerError('NATS_NO_STREAM', text, { layer: 'nats', origin: 'peer', retryable: true, cause });
}

/** Nobody answered: of what is published that means no stream for it, or no JetStream at all. */
function nobodyThere(at: string, doing: string, cause: unknown): BrokerError {
  const text = `there is nothing ${doing} at NATS at ${at}: the streams are not made yet, which prepareNats() does, or the first process with natsStore(), fanOut() or a Fleet; or it has no JetStream, which nats-server -js starts`;
  return new BrokerError('NATS_NO_STREAM', text, { layer: 'nats', origin: 'peer', retryable: true, cause });
}

function missing(at: string, doing: string, cause: unknown): BrokerError {
  const text = `the streams are not there ${doing} at ${at} (${reasonOf(cause)}): prepareNats() makes them, once, with a login that may`;
  return new BrokerError('NATS_NO_STREAM', text, { layer: 'nats', origin: 'peer', retryable: true, cause });
}

export function tooOld(server: string, version: string): BrokerError {
  const text = `NATS at ${printable(server, 200)} is nats-server ${printable(version, 40)}: 2.9 or newer is needed`;
  return new BrokerError('NATS_TOO_OLD', text, { layer: 'nats', origin: 'peer' });
}

/** Streams reserve what they may grow to. */
export function noRoom(server: string, doing: string, cause: unknown): BrokerError {
  const text = `JetStream at ${printable(server, 200)} has no room ${doing} (${reasonOf(cause)}): the streams reserve a little more than 1 GiB; raise max_file in "jetstream { … }" of nats-server, or the limit of this account, or give its store_dir a larger disk`;
  return new BrokerError('NATS_SETUP', text, { layer: 'nats', origin: 'peer', cause });
}

export function otherSetup(stream: string, differences: readonly string[]): BrokerError {
  const text = `the stream ${stream} is set up otherwise: ${differences.join('; ')}. Edit it (nats stream edit), or ask for what it has`;
  return new BrokerError('NATS_SETUP', text, { layer: 'nats' });
}

/** @param limit what NATS takes, `max_payload`; @param wanted what a stanza may have, with what goes along with it */
export function tooSmall(limit: number, wanted: number, option: string): BrokerError {
  const text = `NATS takes messages of ${limit} bytes (max_payload), and ${wanted} may come (${option} and room for headers): raise max_payload of nats-server, or lower ${option}`;
  return new BrokerError('NATS_TOO_BIG', text, { layer: 'nats' });
}

/** Of one stanza. */
export function tooBig(bytes: number, most: number): BrokerError {
  const text = `the stanza has ${bytes} bytes, and NATS takes ${most} of them (max_payload without room for headers)`;
  return new BrokerError('NATS_TOO_BIG', text, { layer: 'nats', sent: 'no' });
}

/** Nobody keeps what became of stanzas. */
export function noReports(stream: string, cause?: unknown): BrokerError {
  const text = `NATS does not keep what became of stanzas, there is no stream ${stream}: prepareNats() makes it with keepReportsMs`;
  return new BrokerError('NATS_NO_STREAM', text, { layer: 'nats', cause });
}

/** Nobody listens for commands and requests. */
export function noHolder(queue: string, cause?: unknown): BrokerError {
  const text = `no process holds the queue "${printable(queue, 100)}" now: none is connected, or takes over in this moment`;
  return new BrokerError('NATS_NO_HOLDER', text, { layer: 'nats', retryable: true, sent: 'no', cause });
}

function nameOf(error: unknown): string {
  return isA(error, Error) ? error.name : '';
}

/** The refusal in an error, or below it. */
function deniedBy(cause: unknown, { transport }: NatsClient): ((at: string, doing: string) => BrokerError) | null {
  for (const error of chainOf(cause)) {
    if (isA(error, transport.PermissionViolationError)) {
      const { operation, subject } = error;
      const may = operation === 'publish' ? 'publish on' : 'subscribe to';
      return (at, doing) => {
        const text = `NATS at ${at} does not let this login ${may} "${printable(subject, 200)}" ${doing}: ${wayOut(subject)}`;
        return new BrokerError('NATS_DENIED', text, { layer: 'nats', origin: 'peer', cause });
      };
    }
    if (isA(error, transport.AuthorizationError) || isA(error, transport.UserAuthenticationExpiredError)) {
      return (at, doing) => {
        const text = `NATS at ${at} refuses the login ${doing} (${reasonOf(cause)}): check user, password, token or credentials of the connection`;
        return new BrokerError('NATS_DENIED', text, { layer: 'nats', origin: 'peer', cause });
      };
    }
  }
  return null;
}

/** What to do about a subject that is refused. Two of them depend on what the program gives, and not on the login alone. */
function wayOut(subject: string): string {
  const table = 'see the table of permissions in docs/scaling-out.md';
  if (subject.startsWith('_INBOX')) {
    return `answers come there; give inboxPrefix beside user and pass, as the permissions of this login have it, such as '_INBOX_holder'; ${table}`;
  }
  if (/^[^.]+\.ticket\./.test(subject)) {
    return `the last part is the name of the publisher; give it the option name that the permissions have; ${table}`;
  }
  return table;
}

/** The innermost reason: the client wraps what the system says. */
function belowOf(cause: unknown): string {
  const said = chainOf(cause).filter((error) => isA(error, Error) && error.message !== '');
  return reasonOf(said.at(-1) ?? cause);
}

/** An error, and those below it. */
function chainOf(cause: unknown): unknown[] {
  const chain: unknown[] = [];
  for (
    let error = cause;
    error !== undefined && chain.length < 5;
    error = isA(error, Error) ? error.cause : undefined
  ) {
    chain.push(error);
  }
  return chain;
}
