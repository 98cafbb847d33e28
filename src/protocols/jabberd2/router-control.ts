// Names and throttling at run time: the jabberd2 router's component protocol.
import { readOptions } from '../../arguments/options.js';
import { Deferred } from '../../deferred.js';
import { BrokerError, usageError } from '../../errors.js';
import type { StatusEvents } from '../../events.js';
import type { Handler } from '../../pubsub/pubsub.js';
import type { Ticket } from '../../queue/ticket.js';
import type { Element } from '../../xml/element.js';
import { xml } from '../../xml/builder.js';
import { NS } from '../../xml/namespaces.js';
import { newId } from '../../stanza/id.js';
import { bindElement, bindError, NAME_OPTIONS, preparedName, unbindElement, type NameOptions } from './bind.js';

/** What {@link RouterControl} needs of a broker. */
export interface RouterBroker {
  readonly state: string;
  readonly config: { readonly domain: string; readonly timeouts: { readonly bind: number } };
  readonly queue: { drop(select: (ticket: Ticket) => boolean): unknown };
  output(node: Element): Ticket;
  subscribe<Name extends 'PCJ_READY' | 'PCJ_NAME' | 'PCJ_THROTTLE' | 'PCJ_SOCKETDISCONNECT'>(
    event: Name,
    handler: Handler<StatusEvents[Name]>,
  ): unknown;
}

/** What the router was asked and did not answer yet. */
interface Waiting {
  readonly answer: Deferred<void>;
  readonly timer: NodeJS.Timeout;
}

/**
 * Binds and unbinds further names on the link of a broker whose dialect is JABBERD20_COMPONENT, and throttles what the router
 * sends. Names that were bound here are bound again after each reconnect, ahead of what is purged then and of what
 * handlers send that subscribed to PCJ_READY later than this; PCJ_NAME tells what came of it.
 */
export class RouterControl {
  readonly #broker: RouterBroker;
  readonly #wanted = new Map<string, NameOptions>();
  readonly #bound = new Set<string>();
  readonly #waiting = new Map<string, Waiting>();
  /** What was output on this link and not written: it means nothing on the next one. */
  #unwritten = new Set<Ticket>();
  #throttled = false;

  constructor(broker: RouterBroker) {
    this.#broker = broker;
    broker.subscribe('PCJ_READY', () => {
      this.#bindAgain();
    });
    broker.subscribe('PCJ_NAME', ({ name, bound, error }) => {
      this.#onName(name, bound, error);
    });
    broker.subscribe('PCJ_THROTTLE', ({ throttled, side }) => {
      if (side !== 'inbound') return;
      this.#throttled = throttled;
      this.#settle('throttle', null);
    });
    broker.subscribe('PCJ_SOCKETDISCONNECT', () => {
      this.#onDisconnect();
    });
  }

  /** The further names that are bound now. */
  get names(): ReadonlySet<string> {
    return new Set(this.#bound);
  }

  /** Whether the router holds what is for us. */
  get throttled(): boolean {
    return this.#throttled;
  }

  /**
   * Binds a further name. Resolves when the router has bound it.
   * @returns a promise that rejects with a BrokerError: `BIND_FAILED` with the condition, `BIND_TIMEOUT`, `ROUTER_NOT_READY`, `USAGE_NAME`
   */
  bind(name: string, options: NameOptions = {}): Promise<void> {
    return observed(this.#bind(name, options));
  }

  async #bind(name: string, options: NameOptions): Promise<void> {
    const prepared = preparedName('RouterControl.bind()', name);
    const how = readOptions('USAGE_NAME', 'RouterControl.bind()', options, NAME_OPTIONS);
    if (this.#bound.has(prepared)) throw bindError('bind', prepared, '409').with({ origin: 'local', retryable: false });
    await this.#ask(`name ${prepared}`, bindElement(prepared, newId(), how));
    this.#wanted.set(prepared, how);
  }

  /**
   * Gives a name back. It is not bound again after a reconnect, even if this fails.
   * @returns a promise that rejects as that of {@link bind}
   */
  unbind(name: string): Promise<void> {
    return observed(this.#unbind(name));
  }

  async #unbind(name: string): Promise<void> {
    const prepared = preparedName('RouterControl.unbind()', name);
    this.#wanted.delete(prepared);
    await this.#ask(`name ${prepared}`, unbindElement(prepared, newId()));
  }

  /**
   * Asks the router to hold what is for us, or to send it again. Resolves when it does; at once if it does already.
   * A new link is never held.
   * @returns a promise that rejects with a BrokerError: `BIND_TIMEOUT`, `ROUTER_NOT_READY`
   */
  throttle(held: boolean): Promise<void> {
    return observed(this.#throttle(held));
  }

  async #throttle(held: boolean): Promise<void> {
    if (held !== this.#throttled || this.#waiting.has('throttle')) {
      await this.#ask('throttle', xml('throttle', { xmlns: NS.JABBERD2_COMPONENT }));
    }
  }

  #ask(what: string, element: Element): Promise<void> {
    const { state, config } = this.#broker;
    if (state !== 'ready') return Promise.reject(notReady('the broker is not ready'));
    if (this.#waiting.has(what)) {
      return Promise.reject(usageError('USAGE_NAME', `the router was asked about the ${what} and did not answer yet`));
    }
    const answer = new Deferred<void>();
    const timer = setTimeout(() => {
      const limit = String(config.timeouts.bind);
      const message = `the router did not answer within ${limit} ms (timeouts.bind)`;
      this.#settle(what, new BrokerError('BIND_TIMEOUT', message, { layer: 'bind', origin: 'peer', retryable: true }));
    }, config.timeouts.bind);
    this.#waiting.set(what, { answer, timer });
    try {
      this.#send(element);
    } catch (error) {
      this.#settle(what, error as BrokerError);
    }
    return answer.promise;
  }

  #send(element: Element): void {
    const ticket = this.#broker.output(element);
    const unwritten = this.#unwritten.add(ticket);
    const done = (): void => void unwritten.delete(ticket);
    ticket.sent.then(done, done);
  }

  /** A name that cannot be asked for now, such as when the queue is full, is no reason to leave the others out. */
  #bindAgain(): void {
    const errors: unknown[] = [];
    for (const [name, options] of this.#wanted) {
      try {
        this.#send(bindElement(name, newId(), options));
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  #settle(what: string, error: BrokerError | null): void {
    const waiting = this.#waiting.get(what);
    if (waiting === undefined) return;
    this.#waiting.delete(what);
    clearTimeout(waiting.timer);
    if (error === null) waiting.answer.resolve();
    else waiting.answer.reject(error);
  }

  #onName(name: string, bound: boolean, error: BrokerError | undefined): void {
    if (error === undefined && bound) this.#bound.add(name);
    if (error === undefined && !bound) this.#bound.delete(name);
    this.#settle(`name ${name}`, error ?? null);
  }

  #onDisconnect(): void {
    const unwritten = this.#unwritten;
    this.#unwritten = new Set();
    if (unwritten.size > 0) this.#broker.queue.drop((ticket) => unwritten.has(ticket));
    this.#bound.clear();
    this.#throttled = false;
    for (const what of [...this.#waiting.keys()]) this.#settle(what, notReady('the link was lost'));
  }
}

/** A promise whose rejection is no unhandled one, as everywhere in this library: PCJ_NAME and the end of the link tell, too. */
function observed(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}

function notReady(why: string): BrokerError {
  return new BrokerError('ROUTER_NOT_READY', `${why}: names are bound and unbound on a ready link`, {
    layer: 'bind',
    retryable: true,
  });
}
