// A small bot in the manner of Jabber::Connection: connect, sign in, register handlers, let it run.
//
//   XMPP_SERVER=127.0.0.1:5222 XMPP_DOMAIN=example.org XMPP_USER=juliet XMPP_PASSWORD=secret node connection.js
//
// Without XMPP_USER it is a component: XMPP_SERVER=127.0.0.1:5347 XMPP_DOMAIN=bot.example.org XMPP_PASSWORD=secret
// XMPP_SASL=yes signs in with SASL instead of jabber:iq:auth.
import { Connection, HANDLED, JABBER_NS, NodeFactory, XMPP, type JabberNode } from 'xmpp-broker';

const { NS_ACCEPT, NS_CLIENT } = JABBER_NS.stream;
const { IQ_GET, IQ_RESULT } = JABBER_NS.misc;
const { NS_VERSION } = JABBER_NS.iq;

const { XMPP_SERVER = '127.0.0.1:5222', XMPP_DOMAIN = 'example.org', XMPP_USER, XMPP_SASL } = process.env;
const password = () => process.env['XMPP_PASSWORD'] ?? 'secret';

const connection = new Connection({
  server: XMPP_SERVER,
  localname: XMPP_DOMAIN,
  ns: XMPP_USER === undefined ? NS_ACCEPT : NS_CLIENT,
  ...(XMPP_SASL === 'yes' ? { dialect: XMPP } : {}),
});
const nodes = new NodeFactory();

function answer(to: JabberNode, type?: string): JabberNode {
  const node = nodes.newNode(to.name());
  node.attr('to', to.attr('from') ?? '');
  node.attr('from', to.attr('to') ?? '');
  node.attr('id', to.attr('id') ?? '');
  node.attr('type', type ?? to.attr('type') ?? '');
  return node;
}

// The first handler finds out what is wanted. What it returns is the parcel of the next one.
connection.registerHandler('message', (node) => {
  const text = node.getTag('body')?.data();
  if (text === undefined || node.attr('type') === 'error') return HANDLED;
  return text.trim().toLowerCase().split(/\s+/);
});
connection.registerHandler('message', (node, words) => {
  const [command, ...rest] = words as string[];
  if (command !== 'add') return undefined;
  const said = answer(node);
  said.insertTag('body').data(String(rest.reduce((sum, word) => sum + Number(word), 0)));
  connection.send(said);
  return HANDLED;
});
connection.registerHandler('message', (node) => {
  const said = answer(node);
  said.insertTag('body').data('I can: add 1 2 3');
  connection.send(said);
});

connection.registerHandler('iq', (node) => {
  if (node.attr('type') !== IQ_GET || node.getTag('query', NS_VERSION) === undefined) return undefined;
  const result = answer(node, IQ_RESULT);
  result.insertTag('query', NS_VERSION).insertTag('name').data('connection example');
  connection.send(result);
  return HANDLED;
});

connection.registerBeat(60, () => console.log('still here'));

connection.broker.shutdownOn('SIGTERM', 'SIGINT');

try {
  await connection.connect();
  if (XMPP_USER === undefined) await connection.auth(password);
  else await connection.auth(XMPP_USER, password, 'connection-example');
  if (XMPP_USER !== undefined) connection.send('<presence/>');

  console.log(`ready as ${connection.broker.jid?.toString() ?? ''}`);
  await connection.start();
  console.log(connection.lastError === null ? 'closed' : `the link was lost: ${connection.lastError.message}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
  await connection.disconnect();
}
