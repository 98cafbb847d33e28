// A process that is killed: a holder of the queue, or a producer for it.
import { setTimeout as pause } from 'node:timers/promises';
import { Broker, COMPONENT, XMPP, type BrokerOptions } from 'xmpp-broker';
import { natsStore, StanzaPublisher } from 'xmpp-broker/nats';

const { ROLE, NATS_SERVERS = '', XMPP_PORT = '', MANAGED, QUEUE = '', FIRST = '1' } = process.env;
const connection = { servers: NATS_SERVERS, reconnectTimeWait: 50 };
const [username = '', domain = ''] = QUEUE.split('@');
const at = { host: '127.0.0.1', port: Number(XMPP_PORT), password: 'secret', logger: false } as const;

const identity: BrokerOptions =
  MANAGED === '1'
    ? { connectionType: XMPP, domain, username, resource: 'holder', tls: { policy: 'disabled' }, ...at }
    : { connectionType: COMPONENT, domain: QUEUE, ...at };

/** Says which stanzas may arrive a second time, before they can. */
async function hold(): Promise<void> {
  const broker = new Broker({
    ...identity,
    reconnect: { initial: true, firstDelayMs: 50, maxDelayMs: 500 },
    queue: {
      name: QUEUE,
      store: natsStore({ connection, ttlMs: 1_500 }),
      onReady: ({ key, possibleDuplicate }) => {
        if (possibleDuplicate) console.log(`again ${key}`);
        return 'send';
      },
    },
  });
  for (const event of ['PCJ_STOREFAIL', 'PCJ_FENCED'] as const) broker.subscribe(event, () => undefined);
  // Why links ended, for whoever reads what it said.
  for (const event of ['PCJ_READY', 'PCJ_SOCKETDISCONNECT', 'PCJ_PROTOCOLERROR', 'PCJ_SM_FAILED'] as const) {
    broker.subscribe(event, (what: unknown) => {
      console.log(`note ${event} ${what instanceof Error ? what.message : JSON.stringify(what)}`);
    });
  }
  broker.subscribe('PCJ_STANDBY', () => console.log('waiting'));
  broker.subscribe('PCJ_ACTIVE', ({ epoch }) => console.log(`holder ${epoch}`));
  await broker.connect();
  console.log('ready');
  await broker.closed;
}

/** Outputs numbered stanzas from the first one on that the one before it did not see stored. */
async function produce(): Promise<void> {
  const publisher = new StanzaPublisher({ connection, queue: QUEUE, name: 'numbers' });
  publisher.subscribe('fail', () => undefined);
  let waiting = 0;
  for (let number = Number(FIRST); ; number += 1) {
    while (waiting >= 200) await pause(5);
    waiting += 1;
    const body = String(number);
    const ticket = publisher.output(`<message to='x@sink.localhost'><body>${body}</body></message>`, { key: body });
    void ticket.stored.then(() => {
      waiting -= 1;
      console.log(`${ticket.possibleDuplicate ? `again ${body}\n` : ''}stored ${body}`);
    });
    if (number % 5 === 0) await pause(20);
  }
}

await (ROLE === 'producer' ? produce() : hold());
