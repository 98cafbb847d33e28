// The events of something that has no broker of its own.
import { reasonOf, shown } from '../arguments/values.js';
import { usageError } from '../errors.js';
import { PubSub, type Rights, type SubscribeOptions, type Subscription, type Handler } from '../pubsub/pubsub.js';

/**
 * A few named events that only their owner fires. What nobody hears is a warning of the process, if it tells of a fault: no
 * error goes unseen.
 */
export class Announcements<Events extends object> {
  readonly #bus: PubSub;
  readonly #whose: string;
  readonly #names: readonly string[];
  #rights!: Rights<Record<string, unknown>>;

  /** @param whose for messages, such as `a Worker` @param names all names, so that a misspelt one is told */
  constructor(whose: string, names: readonly (keyof Events & string)[]) {
    this.#whose = whose;
    this.#names = names;
    this.#bus = new PubSub({
      reserved: () => true,
      owner: (rights) => {
        this.#rights = rights;
      },
      onHandlerError: (error, event) => {
        warn(`a handler of "${event}" of ${whose} failed: ${reasonOf(error)}`);
      },
    });
  }

  /** @throws BrokerError `USAGE_EVENT`, `USAGE_HANDLER`, `USAGE_EVENT_OPTIONS`, `USAGE_SIGNAL` */
  subscribe<Name extends keyof Events & string>(
    event: Name,
    handler: Handler<Events[Name]>,
    options: SubscribeOptions = {},
  ): Subscription {
    if (!this.#names.includes(event)) {
      throw usageError('USAGE_EVENT', `${this.#whose} has the events ${this.#names.join(', ')}, not ${shown(event)}`);
    }
    return this.#bus.subscribe(event, handler, options);
  }

  tell<Name extends keyof Events & string>(event: Name, payload: Events[Name]): void {
    this.#rights.fire(event, payload);
  }

  /** Tells of a fault. @param text said by a warning when nobody is subscribed */
  tellFault<Name extends keyof Events & string>(event: Name, payload: Events[Name], text: string): void {
    if (this.#rights.fire(event, payload) === 0) warn(text);
  }
}

function warn(text: string): void {
  process.emitWarning(text, 'XmppBrokerWarning');
}
