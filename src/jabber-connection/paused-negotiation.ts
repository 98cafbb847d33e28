// A dialect whose negotiation pauses between the opening of the stream and signing in.
import { Deferred } from '../deferred.js';
import { BrokerError } from '../errors.js';
import type { NegotiationEvent, StatusEvents } from '../events.js';
import type { TlsFacts } from '../tls/facts.js';
import type { Secret } from '../options/options.js';
import type { Dialect, DialectConfig, Negotiation, StreamHeader } from '../protocols/dialect.js';
import { readPassword } from '../protocols/sasl/password.js';
import type { Element } from '../xml/element.js';
import { isStanza } from '../stanza/kinds.js';

/** Who signs in, and how he proves it. */
export interface Credentials {
  readonly username: string | undefined;
  readonly password: Secret;
  readonly resource: string | undefined;
}

/** Where one attempt waits for its credentials. */
export class Gate {
  /** The stream is open. */
  readonly reached = new Deferred<void>();
  readonly credentials = new Deferred<Credentials>();
}

/** The same dialect, which opens the stream and then waits at the gate. What it needs to sign in comes through there. */
export function inTwoSteps(dialect: Dialect, gate: () => Gate): Dialect {
  const needs = (dialect.needs ?? []).filter((option) => option === 'port');
  const negotiate: Dialect['negotiate'] = async (session) => {
    const paused = new PausedNegotiation(session);
    await paused.pauseAt(gate());
    return dialect.negotiate(paused);
  };
  // Everything else is the dialect's own, whether it is an object or an instance of a class.
  return Object.create(dialect, {
    needs: { value: needs, enumerable: true },
    negotiate: { value: negotiate },
  }) as Dialect;
}

/** Most elements that a server may send while it waits for us to sign in; features are one. */
const EARLY_LIMIT = 16;

/**
 * A negotiation whose stream is open already. While it pauses it reads on, so that a server that closes the stream or
 * reports an error is not overheard.
 */
class PausedNegotiation implements Negotiation {
  readonly #session: Negotiation;
  #header: StreamHeader | null = null;
  #credentials: Credentials | null = null;
  /** What arrived during the pause. */
  readonly #early: Element[] = [];
  /** The read that was running when the pause ended. */
  #reading: Promise<Element> | null = null;
  /** What that read may take. */
  #wanted: (element: Element) => boolean = isNoStanza;

  constructor(session: Negotiation) {
    this.#session = session;
  }

  async pauseAt(gate: Gate): Promise<void> {
    this.#header = await this.#session.open();
    let failed = false;
    // What came in the same read as the header, such as a stream error, comes first.
    setImmediate(() => {
      if (!failed) gate.reached.resolve();
    });
    const passed = gate.credentials.promise.then((credentials) => {
      this.#credentials = credentials;
      return null;
    });
    try {
      while (this.#credentials === null) {
        this.#reading = this.#session.next((element) => this.#wanted(element));
        const read = await Promise.race([passed, this.#reading.catch(timeoutAsNull)]);
        if (read === null) continue;
        this.#reading = null;
        if (this.#early.push(read) > EARLY_LIMIT) {
          throw new BrokerError('STREAM_UNEXPECTED', 'the server sends elements without end before we sign in', {
            layer: 'stream',
            origin: 'peer',
            sentCondition: 'policy-violation',
          });
        }
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  }

  get config(): DialectConfig {
    const { username, resource } = this.#credentials ?? {};
    return { ...this.#session.config, username, resource };
  }

  get tls(): TlsFacts | null {
    return this.#session.tls;
  }

  get certificate(): Negotiation['certificate'] {
    return this.#session.certificate;
  }

  get channelBindings(): Negotiation['channelBindings'] {
    return this.#session.channelBindings;
  }

  get userAgentId(): string {
    return this.#session.userAgentId;
  }

  get refusedTokens(): Set<string> {
    return this.#session.refusedTokens;
  }

  get resumable(): Negotiation['resumable'] {
    return this.#session.resumable;
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  async password(): Promise<string> {
    return readPassword(this.#credentials?.password ?? '');
  }

  async open(attributes?: Readonly<Record<string, string>>): Promise<StreamHeader> {
    const header = this.#header;
    this.#header = null;
    return header ?? (await this.#session.open(attributes));
  }

  restart(attributes?: Readonly<Record<string, string>>): Promise<StreamHeader> {
    return this.#session.restart(attributes);
  }

  async next(match?: (element: Element) => boolean): Promise<Element> {
    for (let element = this.#early.shift(); element !== undefined; element = this.#early.shift()) {
      if (match === undefined || match(element)) return element;
    }
    const reading = this.#reading;
    this.#reading = null;
    if (reading === null) return this.#session.next(match);
    this.#wanted = match ?? isNoStanza;
    // Its time began with the pause.
    return (await reading.catch(timeoutAsNull)) ?? this.#session.next(match);
  }

  send(element: Element, options?: { secret?: boolean | undefined }): void {
    this.#session.send(element, options);
  }

  async request(request: Element, isAnswer?: (element: Element) => boolean): Promise<Element> {
    if (this.#early.length === 0 && this.#reading === null) return this.#session.request(request, isAnswer);
    const id = request.getAttribute('id');
    this.send(request);
    return this.next(isAnswer ?? ((element) => element.localName === 'iq' && element.getAttribute('id') === id));
  }

  publish<N extends NegotiationEvent>(
    event: N,
    ...payload: StatusEvents[N] extends undefined ? [] : [StatusEvents[N]]
  ): void {
    this.#session.publish(event, ...payload);
  }

  startTls(): Promise<TlsFacts> {
    return this.#session.startTls();
  }
}

/** Nothing but stanzas can be too early (RFC 6120 §4.3.5); the negotiation below refuses them. */
function isNoStanza(element: Element): boolean {
  return !isStanza(element);
}

/** A read that began in the pause ends with the time limit of the phase that it ends in. */
const PHASE_TIMEOUTS = new Set(['STREAM_TIMEOUT', 'SASL_TIMEOUT', 'BIND_TIMEOUT']);

function timeoutAsNull(error: unknown): null {
  if (error instanceof BrokerError && PHASE_TIMEOUTS.has(error.code)) return null;
  throw error;
}
