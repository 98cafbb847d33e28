/** xmpp-broker as it is published; its parser and filters alone from the modules it is made of. */
import { DOMImplementation } from '@xmldom/xmldom';
import { built, dist } from '../dist.mjs';
import { probeTime } from '../traffic.mjs';

const { Broker, JABBERD14_COMPONENT, xml, XMPP } = await import(dist('index.js'));
const { FilterSet } = await import(built('filters/filter-set.js'));
const { parse } = await import(built('xml/tokenizer/parse.js'));
const { Tokenizer } = await import(built('xml/tokenizer/tokenizer.js'));

/** What a program imports. */
export const imports = [dist('index.js')];

/** A parser fed with bytes; calls back with the tree of each stanza. */
export function parser(onStanza) {
  return new Tokenizer({
    onStreamStart: () => undefined,
    onStreamEnd: () => undefined,
    onElement: onStanza,
    onError: (error) => {
      throw error;
    },
  });
}

const broker = (options) =>
  new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    domain: 'echo.example.org',
    password: 'secret',
    reconnect: false,
    logger: false,
    ...options,
  });

/** A broker that is not connected. */
export const idle = () => broker({ port: 5347 });

/** Prepares to match a stanza against one new filter. What comes back does that once, and tells whether it was over its budget. */
export function matcher(text, expression) {
  const stanza = parse(text);
  const set = new FilterSet();
  set.add('costly', expression);
  return () => {
    let over = false;
    set.match(
      stanza,
      () => undefined,
      () => {
        over = true;
      },
    );
    return over;
  };
}

/** A ready broker that hands each stanza to `received`, and each match to a subscriber of its filter's event. */
export async function connect({ port, received = () => undefined, filters = [], answer = false }) {
  let matches = 0;
  const one = broker({ port, answerRequests: answer });
  const onMatch = () => {
    matches += 1;
  };
  for (const [event, expression, options] of filters) {
    one.filters.add(event, expression, options);
    one.subscribe(event, onMatch);
  }
  one.subscribe('PCJ_NODERECEIVED', (stanza) => {
    received(1, stanza);
  });
  await one.connect();
  return {
    broker: one,
    matches: () => matches,
    close: () => {
      one.halt();
    },
  };
}

/** A client that is ready, and hands each stanza to `received`: by STARTTLS, or over direct TLS where there is no other port. */
export async function signIn({ port, directPort, ca, received = () => undefined }) {
  const one = new Broker({
    connectionType: XMPP,
    host: '127.0.0.1',
    port: port ?? directPort,
    domain: 'example.org',
    username: 'echo',
    password: 'secret',
    tls: { ca, policy: port === undefined ? 'direct' : 'required' },
    reconnect: false,
    logger: false,
  });
  one.subscribe('PCJ_NODERECEIVED', (stanza) => {
    received(1, stanza);
  });
  await one.connect();
  return {
    broker: one,
    matches: () => 0,
    close: () => {
      one.halt();
    },
  };
}

/** A page in the browser that shows what the broker does; nobody opens it. */
export async function openConsole(one) {
  const { openConsole: open } = await import(dist('console/index.js'));
  return open(one);
}

export const probeOf = (stanza) => probeTime(stanza.getAttribute('id'));

const message = (number, to, text) =>
  xml('message', { from: 'echo.example.org', to, id: `m${number}`, type: 'chat' }, xml('body', {}, text));

const dom = new DOMImplementation();

function domMessage(number, to, text) {
  const document = dom.createDocument(null, 'message', null);
  const { documentElement } = document;
  documentElement.setAttribute('from', 'echo.example.org');
  documentElement.setAttribute('to', to);
  documentElement.setAttribute('id', `m${number}`);
  documentElement.setAttribute('type', 'chat');
  documentElement.appendChild(document.createElementNS(null, 'body')).appendChild(document.createTextNode(text));
  return documentElement;
}

let received = null;

/** Ways to send `count` messages, each made for the occasion; the promise settles when they are written. */
export const senders = {
  element: ({ broker }, first, count, to, text) => {
    let ticket;
    for (let i = 0; i < count; i += 1) ticket = broker.output(message(first + i, to, text));
    return ticket.sent;
  },
  string: ({ broker }, first, count, to, text) => {
    let ticket;
    for (let i = 0; i < count; i += 1) {
      ticket = broker.output(
        `<message from='echo.example.org' to='${to}' id='m${first + i}' type='chat'><body>${text}</body></message>`,
      );
    }
    return ticket.sent;
  },
  /** What was received, sent on as it is. */
  relay: ({ broker }, first, count, to, text) => {
    received ??= Array.from({ length: count }, (_, i) =>
      parse(
        `<message xmlns='jabber:component:accept' from='echo.example.org' to='${to}' id='m${i}' type='chat'><body>${text}</body></message>`,
      ),
    );
    let ticket;
    for (const stanza of received) ticket = broker.output(stanza);
    return ticket.sent;
  },
  dom: ({ broker }, first, count, to, text) => {
    let ticket;
    for (let i = 0; i < count; i += 1) ticket = broker.output(domMessage(first + i, to, text));
    return ticket.sent;
  },
};
