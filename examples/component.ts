// An echo component: answers every chat message with its own text, and says what it is (XEP-0030).
//
//   XMPP_HOST=127.0.0.1 XMPP_PORT=5347 XMPP_DOMAIN=echo.localhost XMPP_SECRET=secret node component.js
import { Broker, COMPONENT, reply, serveDisco, xml } from 'xmpp-broker';

const broker = new Broker({
  connectionType: COMPONENT,
  host: process.env['XMPP_HOST'] ?? '127.0.0.1',
  port: Number(process.env['XMPP_PORT'] ?? 5347),
  jid: process.env['XMPP_DOMAIN'] ?? 'echo.localhost',
  password: () => process.env['XMPP_SECRET'] ?? 'secret',
  // Requests that nothing below answers get an error instead of silence.
  answerRequests: true,
});

broker.match('/message[body and not(@type="error" or @type="groupchat")]', ({ node }) => {
  broker.output(reply(node, xml('body', {}, node.getChildText('body') ?? '')));
});

serveDisco(broker, { identities: [{ category: 'component', type: 'generic', name: 'Echo' }] });

broker.subscribe('PCJ_READY', ({ jid }) => console.log(`ready as ${jid.toString()}`));
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
