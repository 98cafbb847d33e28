// A member of a fleet: bots that answer, very many of them, spread over as many of these processes as are started. Each bot is
// on one of them. When a process dies or is stopped, the others take its bots over.
//
// It wants a file with a line for each bot, its address and its password, and takes the rest from the environment. SIGHUP reads
// the file again.
import { open } from 'node:fs/promises';
import { reply, xml, XMPP } from 'xmpp-broker';
import { Fleet } from 'xmpp-broker/nats';

const { BOTS = 'bots.txt', FLEET = 'bots', NATS_SERVERS = 'nats://127.0.0.1:4222' } = process.env;
const { NATS_USER, NATS_PASSWORD, XMPP_HOST, XMPP_PORT, TTL_MS = '3000', MAX_CONNECTING = '50' } = process.env;

const passwords = new Map<string, string>();

/** The addresses of all bots. In earnest they would come out of a database. */
async function* list(): AsyncIterable<string> {
  const file = await open(BOTS);
  for await (const line of file.readLines()) {
    const [address, password] = line.split(' ');
    if (address === undefined || password === undefined) continue;
    passwords.set(address, password);
    yield address;
  }
}

const fleet = new Fleet({
  connection: {
    servers: NATS_SERVERS,
    ...(NATS_USER !== undefined && { user: NATS_USER, pass: NATS_PASSWORD ?? '', inboxPrefix: `_INBOX_${NATS_USER}` }),
  },
  name: FLEET,
  shards: 16,
  // More time, and fewer links at a time, where members have little of a processor for themselves.
  ttlMs: Number(TTL_MS),
  maxConnecting: Number(MAX_CONNECTING),
  list,
  broker: (address) => ({
    connectionType: XMPP,
    jid: `${address}/bot`,
    password: () => passwords.get(address) ?? '',
    ...(XMPP_HOST !== undefined && { host: XMPP_HOST }),
    ...(XMPP_PORT !== undefined && { port: Number(XMPP_PORT) }),
    // What may have been sent by a process that died is looked at by a person; everything else goes out.
    queue: { onReady: ({ possibleDuplicate }) => (possibleDuplicate ? 'hold' : 'send') },
  }),
});

fleet.subscribe('gained', ({ shard }) => console.log(`gained shard ${shard}`));
fleet.subscribe('lost', ({ shard, error }) => console.log(`lost shard ${shard}`, error?.message ?? ''));
fleet.subscribe('fail', (error) => console.error(`${error.code}: ${error.message}`));

fleet.subscribe('account', ({ account, broker }) => {
  broker.subscribe('PCJ_READY', () => {
    console.log(`ready: ${account}`);
    broker.output(xml('presence'));
  });
  broker.match('/message[@type="chat" and body]', ({ node }) => {
    broker.output(reply(node, xml('body', {}, `you said: ${node.getChildText('body') ?? ''}`)));
  });
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void fleet.close().then(() => console.log('closed')));
}
process.on('SIGHUP', () => void fleet.refresh());

try {
  await fleet.start();
  console.log(`a member of ${FLEET}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
