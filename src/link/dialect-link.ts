import type { StatusEvents } from '../events.js';
import type { DialectLink } from '../protocols/dialect.js';
import { checkReport } from '../protocols/reports.js';
import type { SendBuffer } from '../queue/send-buffer.js';
import { serialize, type SerializeScope } from '../xml/serializer.js';
import type { LinkParts } from './contract.js';

/** What the link of a dialect is made of. */
export interface DialectLinkParts extends Pick<LinkParts, 'status' | 'traffic'> {
  readonly jid: DialectLink['jid'];
  readonly config: DialectLink['config'];
  readonly buffer: SendBuffer;
  readonly scope: SerializeScope;
}

/** What a dialect gets of a link. */
export function dialectLink({ jid, config, status, traffic, buffer, scope }: DialectLinkParts): DialectLink {
  return Object.freeze<DialectLink>({
    jid,
    config,
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
