// A bot: it says that it is there, lets everybody see that, answers chat messages with their own text and "ping" with
// the time that the server takes to answer. It goes on when the link is lost or the server is restarted.
//
//   XMPP_DOMAIN=example.org XMPP_USER=juliet XMPP_PASSWORD=secret node client.js
//
// XMPP_HOST and XMPP_PORT say where to connect, if not to where the domain's DNS records lead.
import { Broker, BrokerError, NS, reply, StanzaError, XMPP, xml } from 'xmpp-broker';

const { XMPP_HOST: host, XMPP_PORT: port, XMPP_PASSWORD: password = 'secret' } = process.env;
const { XMPP_USER: user = 'juliet', XMPP_DOMAIN: domain = 'example.org' } = process.env;

const broker = new Broker({
  connectionType: XMPP,
  jid: `${user}@${domain}`,
  ...(host === undefined ? {} : { host, port: Number(port ?? 5222) }),
  password: () => password,
  // Also waits for a server that is not there yet. A wrong password is not tried twice.
  reconnect: { initial: true, firstDelayMs: 2_000, maxDelayMs: 60_000 },
});

/** How long the server takes to answer, in words. */
async function pinged(): Promise<string> {
  const start = performance.now();
  const ping = xml('iq', { type: 'get', to: broker.config.domain }, xml('ping', { xmlns: NS.PING }));
  try {
    await broker.request(ping, { timeout: 10_000 });
  } catch (error) {
    // An error of the server's is an answer, too.
    if (!(error instanceof StanzaError)) return error instanceof BrokerError ? error.code : 'no answer';
  }
  return `pong after ${(performance.now() - start).toFixed(0)} ms`;
}

broker.match('/message[body and not(@type="error" or @type="groupchat")]', async ({ node }) => {
  const said = node.getChildText('body') ?? '';
  // Without a link the answer is held, and goes out below.
  broker.output(reply(node, xml('body', {}, said === 'ping' ? await pinged() : `you said: ${said}`)));
});

broker.match('/presence[@type="subscribe"]', ({ node }) => {
  broker.output(xml('presence', { to: node.getAttribute('from'), type: 'subscribed' }));
});

broker.answer('get', { namespace: NS.IQ_VERSION, name: 'query' }, () =>
  xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, 'client example')),
);
// Pings of others and requests that nothing here knows are answered by the broker.

broker.subscribe('PCJ_READY', ({ jid, resumed }) => {
  console.log(`${resumed ? 'resumed' : 'ready'} as ${jid.toString()}`);
  if (resumed) return; // The server still knows us, and nothing was lost.
  broker.output(xml('presence'));
  // What was held, or may not have arrived in the old session: answers are worth a duplicate, the rest is out of date.
  broker.queue.drop(({ node }) => node.localName !== 'message');
  broker.queue.send();
});
broker.subscribe('PCJ_RECONNECTING', ({ delayMs, error }) =>
  console.log(`lost (${error.code}), trying again in ${delayMs} ms`),
);

broker.shutdownOn('SIGTERM', 'SIGINT');

try {
  await broker.connect();
  const { clean } = await broker.closed;
  console.log(clean ? 'closed' : 'the link was lost');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
