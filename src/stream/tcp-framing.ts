// A stream over TCP is one document: RFC 6120 §4.
import { BrokerError } from '../errors.js';
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { serializeStart } from '../xml/serializer.js';
import { Tokenizer } from '../xml/tokenizer/tokenizer.js';
import type { ExpectedHeader, Framing } from './framing.js';

export const TCP_FRAMING: Framing = Object.freeze<Framing>({
  name: 'tcp',
  separate: false,
  allowsSpace: true,
  end: '</stream:stream>',
  header: ({ xmlns, stream, to, version, attributes }) =>
    xml('stream:stream', { xmlns, 'xmlns:stream': stream, to, version, ...attributes }),
  open: (header) => serializeStart(header),
  headerFault,
  reader: (handler, limits) => new Tokenizer(handler, limits),
  renewed: (old, handler, limits) => {
    const rest = old.take();
    const reader = new Tokenizer(handler, limits);
    reader.skipSpace();
    reader.pause();
    reader.write(rest);
    return reader;
  },
});

function headerFault(element: Element, { xmlns, stream, dialect }: ExpectedHeader): BrokerError | null {
  if (element.localName !== 'stream' || element.namespaceURI !== stream) {
    return fault(
      'STREAM_BAD_ROOT',
      `the server answered with <${element.nodeName}/> instead of a stream header; is it an XMPP server, and the right port?`,
      'invalid-namespace',
    );
  }
  if (element.prefix !== 'stream' && element.prefix !== null) {
    return fault(
      'STREAM_BAD_ROOT',
      `the server's stream header has the prefix ${element.prefix} instead of stream`,
      'bad-namespace-prefix',
    );
  }
  const content = element.getAttribute('xmlns');
  if (content !== xmlns && element.prefix !== null) {
    return fault(
      'STREAM_BAD_NAMESPACE',
      `the server's stream has the content namespace ${content ?? '(none)'} instead of ${xmlns}; is it the right port for ${dialect}?`,
      'invalid-namespace',
    );
  }
  return null;
}

function fault(code: string, message: string, sentCondition: string): BrokerError {
  return new BrokerError(code, message, { layer: 'stream', origin: 'peer', sentCondition });
}
