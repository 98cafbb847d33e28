// A client of a server of before XMPP 1.0, which knows jabber:iq:auth only. It says that it is there, shows its contact
// list, and answers chat messages with their own text.
//
//   XMPP_DOMAIN=example.org XMPP_USER=juliet XMPP_PASSWORD=secret node legacy.js
//
// XMPP_HOST and XMPP_PORT say where to connect, if not to where the domain's DNS records lead. A server that offers SASL
// is refused, because the dialect XMPP is better there; XMPP_INSIST=yes signs in all the same.
import { Broker, LEGACY, NS, reply, xml, type FilterMatch } from 'xmpp-broker';

const { XMPP_HOST: host, XMPP_PORT: port, XMPP_PASSWORD: password = 'secret' } = process.env;

const broker = new Broker<{ chat: FilterMatch; version: FilterMatch }>({
  connectionType: LEGACY.with({ insist: process.env['XMPP_INSIST'] === 'yes' }),
  domain: process.env['XMPP_DOMAIN'] ?? 'example.org',
  ...(host === undefined ? {} : { host, port: Number(port ?? 5222) }),
  username: process.env['XMPP_USER'] ?? 'juliet',
  password: () => password,
  resource: 'legacy-example',
  answerRequests: true,
});

broker.filters.add('chat', '/message[@type="chat" and body]');
broker.subscribe('chat', ({ node }) => {
  broker.output(reply(node, xml('body', {}, `you said: ${node.getChildText('body') ?? ''}`)));
});

broker.filters.add('version', '/iq[@type="get"]/v:query', { namespaces: { v: NS.IQ_VERSION } });
broker.subscribe('version', ({ node }) => {
  broker.output(reply(node, xml('query', { xmlns: NS.IQ_VERSION }, xml('name', {}, 'legacy example'))));
});

broker.subscribe('PCJ_AUTHSUCCESS', ({ mechanism }) => console.log(`signed in with ${mechanism}`));
broker.subscribe('PCJ_READY', async ({ jid }) => {
  broker.output(xml('presence'));
  // Stanzas of before a lost link are still wanted: they are chat answers.
  broker.queue.send();
  const roster = await broker.request(xml('iq', { type: 'get' }, xml('query', { xmlns: NS.IQ_ROSTER })));
  const contacts = roster.getChild('query', NS.IQ_ROSTER)?.children.map((item) => item.getAttribute('jid')) ?? [];
  console.log(`ready as ${jid.toString()}, contacts: ${contacts.join(', ') || 'none'}`);
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
