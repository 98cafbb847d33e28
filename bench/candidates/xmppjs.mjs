/** @xmpp/component with its parser. It runs no filters, and answers an iq that nobody handles. */
import { component, xml } from '@xmpp/component';
import Parser from '@xmpp/xml/lib/Parser.js';
import { probeTime } from '../traffic.mjs';

/** What a program imports that is a client; a component needs less. */
export const imports = ['@xmpp/client'];

/** Its connection decodes each chunk by itself; here as there. */
export function parser(onStanza) {
  const parse = new Parser();
  parse.on('element', onStanza);
  parse.on('error', (error) => {
    throw error;
  });
  return { write: (bytes) => parse.write(bytes.toString('utf8')) };
}

export async function connect({ port, received = () => undefined }) {
  const entity = component({ service: `xmpp://127.0.0.1:${port}`, domain: 'echo.example.org', password: 'secret' });
  entity.reconnect.stop();
  entity.on('error', () => undefined);
  entity.on('stanza', (stanza) => {
    received(1, stanza);
  });
  await entity.start();
  return { entity, matches: () => 0, close: () => entity.socket?.destroy() };
}

export const probeOf = (stanza) => probeTime(stanza.attrs.id);

const message = (number, to, text) =>
  xml('message', { from: 'echo.example.org', to, id: `m${number}`, type: 'chat' }, xml('body', {}, text));

export const senders = {
  /** Many calls of send(), and one wait for all of them. */
  send: ({ entity }, first, count, to, text) =>
    Promise.all(Array.from({ length: count }, (_, i) => entity.send(message(first + i, to, text)))),
  /** A hundred elements in each call of sendMany(). */
  sendMany: async ({ entity }, first, count, to, text) => {
    for (let i = 0; i < count; i += 100) {
      await entity.sendMany(Array.from({ length: 100 }, (_, j) => message(first + i + j, to, text)));
    }
  },
};
