// A stream over WebSocket: each element is a message, and a document of its own: RFC 7395 §3.
import { BrokerError } from '../errors.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import { serialize } from '../xml/serializer.js';
import type { Framing } from './framing.js';
import { MessageReader } from './message-reader.js';

export const WEBSOCKET_FRAMING: Framing = Object.freeze<Framing>({
  name: 'websocket',
  separate: true,
  // RFC 7395 §3.8; servers close the WebSocket for it.
  allowsSpace: false,
  end: `<close xmlns='${NS.FRAMING}'/>`,
  // The version is needed here (RFC 7395 §3.4), also by who speaks of before XMPP 1.0.
  header: ({ to, version = '1.0', attributes }) => xml('open', { xmlns: NS.FRAMING, to, version, ...attributes }),
  open: (header) => serialize(header),
  headerFault: (header: Element) =>
    header.is('open', NS.FRAMING)
      ? null
      : new BrokerError('STREAM_BAD_ROOT', `the server answered with <${header.nodeName}/> instead of <open/>`, {
          layer: 'stream',
          origin: 'peer',
          sentCondition: 'invalid-namespace',
        }),
  reader: (handler, limits) => new MessageReader(handler, limits),
  renewed: (old, handler, limits) => {
    const reader = new MessageReader(handler, limits);
    reader.pause();
    if (old instanceof MessageReader) for (const message of old.takeMessages()) reader.write(message);
    return reader;
  },
});
