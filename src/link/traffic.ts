import type { Logger } from '../logger.js';
import type { BrokerConfig } from '../options/options.js';
import type { Ticket } from '../queue/ticket.js';
import { redacted } from '../stanza/redaction.js';
import type { Element } from '../xml/element.js';
import { serialize } from '../xml/serializer.js';
import type { StatusPublisher } from './status-publisher.js';

/** What {@link Traffic} works with. */
export interface TrafficParts {
  readonly config: BrokerConfig;
  readonly logger: Logger;
  readonly status: StatusPublisher;
}

/** Shows what goes over the wire, without what is secret: as events, and with the option `debug` in the log. */
export class Traffic {
  readonly #parts: TrafficParts;

  constructor(parts: TrafficParts) {
    this.#parts = parts;
  }

  /** An element was handed to the socket: PCJ_NODESENT. With `secret` its content is not shown. */
  sent(element: Element, secret = false): void {
    const { config, logger, status } = this.#parts;
    const shown = redacted(element, secret);
    if (config.debug) {
      const text = element.localName === 'stream' ? `<${element.nodeName}>` : serialize(shown);
      logger.debug({ direction: 'out', xml: text }, 'sent');
    }
    status.publish('PCJ_NODESENT', shown);
  }

  /** A ticket's stanza was handed to the socket. Without its element, what is shown is read back. */
  handedOver(ticket: Ticket, stanza: Element | undefined): void {
    const { config, status } = this.#parts;
    if (config.debug || status.watched('PCJ_NODESENT')) this.sent(stanza ?? ticket.node);
  }

  /** An element arrived. The event of its delivery comes later. */
  received(element: Element): void {
    this.#log('in', 'received', element);
  }

  /** A stanza is held: PCJ_NODEQUEUED. */
  held(stanza: Element): void {
    this.#log('held', 'queued', stanza);
    this.#parts.status.publish('PCJ_NODEQUEUED', stanza);
  }

  #log(direction: 'in' | 'held', text: string, element: Element): void {
    const { config, logger } = this.#parts;
    if (config.debug) logger.debug({ direction, xml: serialize(redacted(element)) }, text);
  }
}
