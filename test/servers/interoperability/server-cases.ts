import { spawnSync } from 'node:child_process';
import { JABBERD20_COMPONENT, NS, XMPP, xml, type BrokerOptions, type MechanismName } from 'xmpp-broker';
import { Room } from 'xmpp-broker/muc';
import { Proxy } from '../harness/index.js';
import { CLIENT_SITES, Clients, type ClientSite } from '../support/client-site.js';
import { SITES as COMPONENT_SITES, Brokers } from '../support/component-site.js';
import { Client as Stranger, foreign } from '../support/foreign-client.js';
import { Collected } from '../support/collected.js';
import { Cells, type Cell } from './cell.js';

type ServerName = ClientSite['name'];

const NO_SM = 'it does not know XEP-0198';

/** What a server does not have. */
const LACKS: Readonly<Record<ServerName, Readonly<Record<string, string>>>> = {
  prosody: { router: 'it has no router' },
  ejabberd: { router: 'it has no router' },
  jabberd2: { room: 'rooms are a component of others', 'stream management': NO_SM, resumption: NO_SM },
};

export const serverNames: readonly ServerName[] = ['prosody', 'ejabberd', 'jabberd2'];

/** Of Debian's package. */
export const serverVersion = (name: ServerName): string =>
  spawnSync('dpkg-query', ['-W', '-f', '${Version}', name], { encoding: 'utf8' }).stdout.trim();

const using = (...mechanisms: readonly MechanismName[]) => ({ connectionType: XMPP.with({ mechanisms }) });
const refusal = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => {
      throw new Error('it was let in');
    },
    (error: unknown) => (error as { condition?: string }).condition ?? String(error),
  );

/** Our client and component on a server of others, beside a client of others. */
export async function serverCases(name: ServerName): Promise<readonly Cell[]> {
  const site = CLIENT_SITES.find((one) => one.name === name);
  const components = COMPONENT_SITES.find((one) => one.name === name);
  if (site === undefined || components === undefined) throw new Error(`no server is called ${name}`);
  await using server = await site.start();
  await using clients = new Clients();
  await using brokers = new Brokers();
  const cells = new Cells(LACKS[name]);
  const sign = (options: Partial<BrokerOptions> = {}) => clients.ready(server, { resource: 'ours', ...options });
  const mechanismOf = async (options: Partial<BrokerOptions>): Promise<string> => {
    const { broker, recorded } = await sign(options);
    const { mechanism } = recorded.last('PCJ_AUTHSUCCESS') as { mechanism: string };
    await broker.shutdown();
    return mechanism;
  };

  await cells.attempt('STARTTLS', () => mechanismOf(using('SCRAM-SHA-256', 'SCRAM-SHA-1')), 'needed');
  await cells.attempt('direct TLS', () =>
    mechanismOf({ port: server.ports.directTls, tls: { ca: server.ca, policy: 'direct' } }),
  );
  await cells.attempt('SCRAM', () => mechanismOf(using('SCRAM-SHA-1')));
  await cells.attempt('PLAIN', () => mechanismOf(using('PLAIN')));
  await cells.attempt('wrong password', () =>
    refusal(clients.client(server, { password: 'wrong', reconnect: false }).broker.connect()),
  );

  const proxy = await Proxy.listen(server.ports.starttls);
  const { broker, recorded } = await sign({ port: proxy.port, reconnect: { firstDelayMs: 1, resumeDelayMs: 1 } });
  await using stranger = await Stranger.online(server, 'bob', 'others');
  await stranger.send(foreign('presence'));
  broker.output(xml('presence'));
  await cells.attempt('roster', () =>
    broker.request(xml('iq', { type: 'get' }, xml('query', { xmlns: NS.IQ_ROSTER }))),
  );
  await cells.attempt('message to others', async () => {
    broker.output(xml('message', { to: stranger.jid, type: 'chat' }, xml('body', {}, 'wherefore <art> & thou')));
    await stranger.received((stanza) => stanza.getChildText('body') === 'wherefore <art> & thou');
  });
  await cells.attempt('message from others', async () => {
    const received = new Collected<string>();
    broker.match('/message[body]', ({ node }) => {
      received.add(node.getChildText('body') ?? '');
    });
    const body = foreign('body', {}, 'tea & <sugar>');
    await stranger.send(foreign('message', { to: String(broker.jid), type: 'chat' }, body));
    await received.until((text) => text === 'tea & <sugar>');
  });
  await cells.attempt('ping', () =>
    broker.request(xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: NS.PING }))),
  );
  await cells.attempt('room', async () => {
    await using room = new Room(broker, 'coven@rooms.localhost', { nick: 'Alice' });
    await room.join();
  });
  await cells.attempt('stream management', () =>
    recorded.short.includes('SM_ENABLED') ? Promise.resolve() : Promise.reject(new Error('it is not enabled')),
  );
  await cells.attempt('resumption', async () => {
    const ready = broker.events.once('PCJ_READY');
    for (const link of proxy.links) link.cut();
    if (!(await ready).resumed) throw new Error('a new session');
  });
  await proxy.close();

  const port = components.port(server);
  await cells.attempt('component', () => brokers.ready(port));
  await cells.attempt('wrong secret', () =>
    refusal(brokers.component(port, { password: 'wrong', domain: 'comp2.localhost' }).connect()),
  );
  const router = { connectionType: JABBERD20_COMPONENT, username: 'jabberd', domain: 'svc.localhost' };
  await cells.attempt('router', () =>
    brokers.ready(port, { ...router, tls: { ca: server.ca, servername: 'localhost' } }),
  );
  return cells.all;
}
