import type { StatusEvents } from '../events.js';
import type { DialectLink } from '../protocols/dialect.js';
import { checkReport } from '../protocols/reports.js';
import type { SendBuffer } from '../queue/send-buffer.js';
import { serialize, type SerializeScope } from '../xml/serializer.js';
import type { LinkParts, Negotiated } from './contract.js';

/** What a dialect gets of a link: the same object each time, so that it may keep what it knows of the link by it. */
export function dialectLink(
  { established, dialectConfig }: Negotiated,
  { status, traffic }: LinkParts,
  buffer: SendBuffer,
  scope: SerializeScope,
): DialectLink {
  return Object.freeze<DialectLink>({
    jid: established.jid,
    config: dialectConfig,
    publish: (event, ...payload) => {
      checkReport(event);
      status.publish(event, payload[0] as StatusEvents[typeof event]);
    },
    send: (element) => {
      buffer.push(null, serialize(element, scope));
      traffic.sent(element);
    },
    hold: (held) => {
      buffer.hold(held);
    },
  });
}
