/**
 * The obvious design from packages of the registry: saxes reads, a @xmldom/xmldom document is built for each stanza,
 * and the xpath package evaluates every filter. The stream's content namespace counts as none, as in xmpp-broker.
 */
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { connect as dial } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { DOMImplementation } from '@xmldom/xmldom';
import { SaxesParser } from 'saxes';
import xpath from 'xpath';
import { probeTime } from '../traffic.mjs';

const CONTENT = 'jabber:component:accept';
const dom = new DOMImplementation();

export function parser(onStanza, onHeader = () => undefined) {
  const sax = new SaxesParser({ xmlns: true, fragment: false });
  const decoder = new StringDecoder('utf8');
  let document = null;
  let node = null;
  let depth = 0;
  sax.on('opentag', ({ name, uri, attributes }) => {
    depth += 1;
    if (depth === 1) {
      onHeader(attributes);
      return;
    }
    if (depth === 2) node = document = dom.createDocument(null, null, null);
    const element = document.createElementNS(uri === CONTENT ? null : uri, name);
    for (const { name: qname, uri: space, value } of Object.values(attributes)) {
      element.setAttributeNS(space === '' ? null : space, qname, value);
    }
    node = node.appendChild(element);
  });
  sax.on('closetag', () => {
    depth -= 1;
    if (depth === 1) onStanza(document);
    else node = node?.parentNode;
  });
  const onText = (text) => {
    if (depth > 1) node.appendChild(document.createTextNode(text));
  };
  sax.on('text', onText);
  sax.on('cdata', onText);
  sax.on('error', (error) => {
    throw error;
  });
  return { write: (bytes) => sax.write(decoder.write(bytes)) };
}

export function connect({ port, received = () => undefined, filters = [] }) {
  const events = new EventEmitter();
  let matches = 0;
  const compiled = filters.map(([event, expression, { namespaces = {} } = {}]) => {
    events.on(event, () => {
      matches += 1;
    });
    return { event, expression: xpath.parse(expression), namespaces };
  });
  return new Promise((resolve, reject) => {
    const socket = dial(port, '127.0.0.1');
    const onStanza = (document) => {
      if (document.documentElement.localName === 'handshake') {
        resolve({ matches: () => matches, close: () => socket.destroy() });
        return;
      }
      for (const { event, expression, namespaces } of compiled) {
        if (expression.evaluateBoolean({ node: document, namespaces })) events.emit(event, document);
      }
      received(1, document);
    };
    const onHeader = ({ id }) => {
      const digest = createHash('sha1').update(`${id.value}secret`).digest('hex');
      socket.write(`<handshake>${digest}</handshake>`);
    };
    const parse = parser(onStanza, onHeader);
    socket.on('data', (chunk) => parse.write(chunk)).on('error', reject);
    socket.write(
      `<stream:stream xmlns='${CONTENT}' xmlns:stream='http://etherx.jabber.org/streams' to='echo.example.org'>`,
    );
  });
}

export const probeOf = (document) => probeTime(document.documentElement.getAttribute('id'));
