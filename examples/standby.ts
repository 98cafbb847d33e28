// One name, several processes: one has the link and the others wait, on as many machines as you like. Whichever goes, another one
// takes over, with everything that was stored. Any process puts stanzas into the queue, such as this one, called `say`.
//
//   NATS_SERVERS=nats://127.0.0.1:4222 XMPP_DOMAIN=echo.localhost XMPP_PASSWORD=secret node standby.js
//   NATS_SERVERS=nats://127.0.0.1:4222 XMPP_DOMAIN=echo.localhost node standby.js say juliet@localhost hello
//
// With XMPP_USER it is an account, else a component. XMPP_HOST and XMPP_PORT say where to connect, TTL_MS how long a holder may
// be silent.
import { Broker, COMPONENT, XMPP, xml, type BrokerOptions } from 'xmpp-broker';
import { natsStore, StanzaPublisher } from 'xmpp-broker/nats';

const { XMPP_USER: username, XMPP_HOST: host = '127.0.0.1', XMPP_PORT: port } = process.env;
const domain = process.env['XMPP_DOMAIN'] ?? 'echo.localhost';
const connection = { servers: process.env['NATS_SERVERS'] ?? 'nats://127.0.0.1:4222' };
const queue = process.env['QUEUE'] ?? (username === undefined ? domain : `${username}@${domain}`);
const ttlMs = Number(process.env['TTL_MS'] ?? 3_000);
const password = (): string => process.env['XMPP_PASSWORD'] ?? 'secret';

/** Who it is. All processes of an account use one resource: the server ends the link of the old one. */
const identity: BrokerOptions =
  username === undefined
    ? { connectionType: COMPONENT, domain, host, port: Number(port ?? 5347), password }
    : { connectionType: XMPP, domain, username, resource: 'standby', host, port: Number(port ?? 5222), password };

async function serve(): Promise<void> {
  const broker = new Broker({
    ...identity,
    reconnect: { initial: true, firstDelayMs: 100, maxDelayMs: 2_000 },
    // What may have arrived already is sent all the same here; a program that cannot have that holds it, and asks a person.
    queue: { name: queue, store: natsStore({ connection, ttlMs }), onReady: 'send' },
  });
  broker.subscribe('PCJ_STANDBY', ({ holder }) => console.log(`waiting for ${holder ?? 'somebody'}`));
  broker.subscribe('PCJ_ACTIVE', ({ epoch, after }) => console.log(`holder ${epoch}, ${after}`));
  broker.subscribe('PCJ_FENCED', ({ message }) => console.log(`fenced: ${message}`));
  broker.subscribe('PCJ_READY', ({ jid, resumed }) =>
    console.log(`ready as ${jid.toString()}${resumed ? ', resumed' : ''}`),
  );
  broker.match('/message[body and not(@type="error" or @type="groupchat")]', ({ node }) => {
    const to = node.getAttribute('from');
    const body = node.getChildText('body') ?? '';
    if (to !== null) broker.output(xml('message', { to, type: 'chat' }, xml('body', {}, body)));
  });
  broker.shutdownOn('SIGTERM', 'SIGINT');
  await broker.connect(); // waits here while another process has the link
  await broker.closed;
}

async function say(to: string, text: string): Promise<void> {
  await using publisher = new StanzaPublisher({ connection, queue });
  const ticket = publisher.output(xml('message', { to, type: 'chat' }, xml('body', {}, text)));
  await ticket.stored;
  console.log('stored');
  await ticket.sent;
  console.log(ticket.state);
}

const [command, to = 'juliet@localhost', text = 'hello'] = process.argv.slice(2);
await (command === 'say' ? say(to, text) : serve());
