import type { Broker } from '../broker/broker.js';
import { silence } from '../logger.js';
import type { BrokerOptions } from '../options/options.js';
import { redacted } from '../stanza/redaction.js';
import type { Element } from '../xml/element.js';

/** What the option `debug` tells the logger of. */
interface Facts {
  readonly direction?: string;
  readonly xml?: string;
}

/**
 * Writes down both directions of a broker's stream as JSON lines, as they are shown in events and logs: without what is
 * secret. The first line says whose stream it is; then there is one for each element, with milliseconds since the start.
 */
export class Recorder {
  readonly #write: (line: string) => void;
  readonly #start = performance.now();
  /** Elements so far. */
  elements = 0;

  /** @param write called with each line, without its end; must not throw */
  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  /** The options a broker is made with, so that this hears what arrives. */
  options(given: BrokerOptions): BrokerOptions {
    const debug = (facts: object): void => {
      const { direction, xml } = facts as Facts;
      if (direction === 'in' && xml !== undefined) this.#element('server', xml);
    };
    return { ...given, debug: true, logger: { ...silence, debug } };
  }

  /** Begins, before the broker connects. */
  follow(broker: Broker): void {
    const { connectionType, domain, username } = broker.config;
    this.#line({ version: 1, dialect: connectionType.name, domain, ...(username === undefined ? {} : { username }) });
    broker.subscribe('PCJ_NODESENT', (element) => this.#element('client', textOf(element)));
    broker.subscribe('PCJ_READY', ({ jid, resumed }) => this.#line({ at: this.#at, ready: jid.toString(), resumed }));
    broker.subscribe('PCJ_SOCKETDISCONNECT', ({ clean }) => {
      this.#line({ at: this.#at, closed: clean ? 'in order' : 'lost' });
    });
  }

  get #at(): number {
    return Math.round(performance.now() - this.#start);
  }

  #element(from: 'client' | 'server', text: string): void {
    this.elements += 1;
    this.#line({ at: this.#at, from, text });
  }

  #line(entry: object): void {
    this.#write(JSON.stringify(entry));
  }
}

function textOf(element: Element): string {
  return redacted(element).toString();
}
