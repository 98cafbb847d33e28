// An archive service on delegation (XEP-0355, XEP-0356): users send this component what they want to keep, and ask their
// own account for it (XEP-0313). The server forwards the question; the results go out in the user's name.
//
// The server has to delegate urn:xmpp:mam:2 to the component, and to grant it outgoing messages.
//
//   XMPP_HOST=127.0.0.1 XMPP_PORT=5347 XMPP_DOMAIN=archive.localhost XMPP_SECRET=secret node privileged.js
import {
  Broker,
  Delegation,
  errorReply,
  COMPONENT,
  JID,
  NS,
  Privileges,
  StanzaError,
  xml,
  type Element,
  type FilterMatch,
} from 'xmpp-broker';

const RSM = 'http://jabber.org/protocol/rsm';

interface Kept {
  readonly id: string;
  readonly at: Date;
  readonly message: Element;
}

/** What each account has kept, oldest first. A service for real would use a database. */
const archive = new Map<string, Kept[]>();

const broker = new Broker<{ keep: FilterMatch }>({
  connectionType: COMPONENT,
  host: process.env['XMPP_HOST'] ?? '127.0.0.1',
  port: Number(process.env['XMPP_PORT'] ?? 5347),
  jid: process.env['XMPP_DOMAIN'] ?? 'archive.localhost',
  password: () => process.env['XMPP_SECRET'] ?? 'secret',
  answerRequests: true,
});

broker.filters.add('keep', '/message[body and not(@type="error")]');
broker.subscribe('keep', ({ node }) => {
  const owner = JID.parse(node.getAttribute('from') ?? '')
    .bare()
    .toString();
  const kept = archive.get(owner) ?? [];
  archive.set(owner, kept);
  kept.push({ id: String(kept.length + 1), at: new Date(), message: node.clone() });
});

const privileges = new Privileges(broker, {
  onGrants: (server, grants) => console.log(`${server} grants messages: ${grants?.message ?? false}`),
});

new Delegation(broker, {
  handlers: {
    [NS.MAM]: (iq, { from, to }) => {
      // Nobody reads another account's archive.
      if (from.bare().toString() !== to.toString()) throw new StanzaError(errorReply(iq, 'forbidden'));
      const query = iq.getChild('query', NS.MAM);
      if (query === null) throw new StanzaError(errorReply(iq, 'feature-not-implemented'));
      const set = query.getChild('set', RSM);
      const after = Number(set?.getChildText('after') ?? 0);
      const max = Math.min(50, Number(set?.getChildText('max') ?? 50));
      const all = archive.get(to.toString()) ?? [];
      const page = all.slice(after, after + max);
      for (const { id, at, message } of page) {
        const forwarded = xml(
          'forwarded',
          { xmlns: NS.FORWARD },
          xml('delay', { xmlns: NS.DELAY, stamp: at.toISOString() }),
          xml(
            'message',
            { xmlns: NS.CLIENT, from: message.getAttribute('from'), to: message.getAttribute('to') },
            xml('body', {}, message.getChildText('body') ?? ''),
          ),
        );
        const result = xml('result', { xmlns: NS.MAM, id, queryid: query.getAttribute('queryid') }, forwarded);
        privileges.send(xml('message', { from: to.toString(), to: from.toString() }, result));
      }
      return xml(
        'fin',
        { xmlns: NS.MAM, complete: after + page.length >= all.length },
        xml('set', { xmlns: RSM }, xml('last', {}, page.at(-1)?.id ?? ''), xml('count', {}, all.length)),
      );
    },
  },
});

broker.subscribe('PCJ_READY', ({ jid }) => console.log(`ready as ${jid.toString()}`));

broker.shutdownOn('SIGTERM', 'SIGINT');

try {
  await broker.connect();
  const { clean } = await broker.closed;
  console.log(clean ? 'closed' : 'the link was lost');
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
