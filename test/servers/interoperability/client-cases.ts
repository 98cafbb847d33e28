import { Broker, NS, XMPP, xml, type Element } from 'xmpp-broker';
import { Room } from 'xmpp-broker/muc';
import { LoopbackServer, type LoopbackOptions } from 'xmpp-broker/testing';
import { parse } from '../../../src/xml/tokenizer/parse.js';
import { Collected } from '../support/collected.js';
import { Cells, type Cell } from './cell.js';
import { ForeignProgram, type Destination, type Launch } from './foreign-program.js';

/** A client of others. */
export interface ClientPeer {
  readonly launch: Launch;
  readonly lacks: Readonly<Record<string, string>>;
  /** What the server has to be told for it. */
  readonly server?: Partial<LoopbackOptions>;
}

/** The features, in the order of the table. */
export const CLIENT_FEATURES = [
  ...['STARTTLS', 'SCRAM', 'resource', 'roster', 'presence', 'message to ours', 'message from ours', 'ping'],
  ...['room', 'archive', 'stream management', 'resumption', 'direct TLS', 'PLAIN', 'wrong password'],
] as const;

const ALICE = 'alice@localhost/desk';
const ROOM = 'coven@conference.localhost';
const ACCOUNTS = { alice: 'secret', juliet: 'r0m30' };

type KeepCa = (pem: string) => string;

const destination = (server: LoopbackServer, keepCa: KeepCa, more: Partial<Destination> = {}): Destination => ({
  kind: 'client',
  host: server.host,
  port: server.ports.client,
  tls: 'starttls',
  ca: keepCa(server.ca),
  jid: ALICE,
  password: ACCOUNTS.alice,
  ...more,
});

/** Our own client. */
function own(server: LoopbackServer, username: keyof typeof ACCOUNTS): Broker {
  return new Broker({
    connectionType: XMPP,
    host: server.host,
    port: server.ports.client,
    jid: `${username}@${server.domain}/ours`,
    password: ACCOUNTS[username],
    tls: { ca: server.ca },
  });
}

/** Everything that a client of ours gets, in order. */
function arrivals(broker: Broker): Collected<Element> {
  const collected = new Collected<Element>();
  broker.subscribe('PCJ_NODERECEIVED', (node) => {
    collected.add(node);
  });
  return collected;
}

const presenceOf =
  (type: string | null, from: string) =>
  (node: Element): boolean =>
    node.localName === 'presence' && node.getAttribute('type') === type && node.getAttribute('from') === from;

const bodyIs = (body: string) => (node: Element) => node.getChildText('body') === body;

/** Alice and Juliet see each other's presence from now on. */
async function befriend(server: LoopbackServer, juliet: Broker, toJuliet: Collected<Element>): Promise<void> {
  await using alice = own(server, 'alice');
  const toAlice = arrivals(alice);
  await alice.connect();
  alice.output(xml('presence'));
  juliet.output(xml('presence'));
  const subscribe = async (one: Broker, other: Broker, toOther: Collected<Element>, toOne: Collected<Element>) => {
    const names = [one, other].map((broker) => (broker === alice ? 'alice' : 'juliet') + '@localhost');
    const [name = '', otherName = ''] = names;
    one.output(xml('presence', { to: otherName, type: 'subscribe' }));
    await toOther.until(presenceOf('subscribe', name));
    other.output(xml('presence', { to: name, type: 'subscribed' }));
    await toOne.until(presenceOf(null, `${otherName}/ours`));
  };
  await subscribe(alice, juliet, toJuliet, toAlice);
  await subscribe(juliet, alice, toAlice, toJuliet);
}

/** A stranger's client at work, beside ours. */
async function atWork(cells: Cells, peer: ClientPeer, keepCa: KeepCa): Promise<void> {
  await using server = await LoopbackServer.start({
    accounts: ACCOUNTS,
    services: { archive: true },
    ...peer.server,
    tls: { starttls: 'required' },
  });
  const mechanisms: string[] = [];
  await using juliet = own(server, 'juliet');
  const received = arrivals(juliet);
  juliet.answer('get', { name: 'ping', namespace: NS.PING }, () => undefined);
  await juliet.connect();
  await befriend(server, juliet, received);
  const managed = new Promise<void>((resolve) => {
    server.subscribe('received', ({ connection, element }) => {
      if (element.localName === 'enable' && connection.addresses.some(({ local }) => local === 'alice')) resolve();
    });
  });
  server.subscribe('authenticated', ({ username, mechanism }) => {
    if (username === 'alice') mechanisms.push(mechanism);
  });
  const session = server.events.once('session');
  let alice = ALICE;
  await using program = new ForeignProgram(peer.launch, destination(server, keepCa));
  await cells.attempt(
    'STARTTLS',
    async () => {
      await program.heard('online');
      const { connection, jid } = await session;
      alice = jid.toString();
      if (!connection.secure) throw new Error('the session is not encrypted');
    },
    'needed',
  );
  await cells.attempt('SCRAM', async () => {
    const [mechanism = 'none'] = mechanisms;
    if (!mechanism.startsWith('SCRAM-')) throw new Error(mechanism);
    return Promise.resolve(mechanism);
  });
  await cells.attempt('resource', () =>
    alice === ALICE ? Promise.resolve() : Promise.reject(new Error(`it is ${alice}`)),
  );
  await cells.attempt('roster', async () => {
    program.order('roster');
    const [, ...jids] = await program.heard('roster');
    if (!jids.includes('juliet@localhost')) throw new Error(jids.join(' '));
  });
  await cells.attempt('presence', async () => {
    await received.until(presenceOf(null, alice));
    await program.heard('presence', 'juliet@localhost/ours', 'available');
  });
  await cells.attempt('message to ours', async () => {
    program.order('message', 'juliet@localhost/ours', 'wherefore <art> & thou');
    await received.until(bodyIs('wherefore <art> & thou'));
  });
  await cells.attempt('message from ours', async () => {
    juliet.output(xml('message', { to: alice, type: 'chat' }, xml('body', {}, 'tea & <sugar> ☕')));
    await program.heard('message', 'juliet@localhost/ours', 'tea & <sugar> ☕');
  });
  await cells.attempt('ping', async () => {
    program.order('ping', 'juliet@localhost/ours');
    await program.heard('pong');
  });
  await cells.attempt('room', async () => {
    await using room = new Room(juliet, ROOM, { nick: 'Juliet' });
    await room.join();
    const said = new Promise<string>((resolve) => {
      room.subscribe('message', ({ nick, body }) => {
        if (nick === 'Alice') resolve(String(body));
      });
    });
    program.order('join', ROOM, 'Alice');
    await program.heard('joined', ROOM);
    room.send('who is there?');
    await program.heard('groupchat', `${ROOM}/Juliet`, 'who is there?');
    program.order('groupchat', ROOM, 'me');
    const body = await said;
    if (body !== 'me') throw new Error(body);
  });
  await cells.attempt('archive', async () => {
    program.order('archive');
    const [, ...bodies] = await program.heard('archive');
    for (const body of ['wherefore <art> & thou', 'tea & <sugar> ☕'])
      if (!bodies.includes(body)) throw new Error(`not in it: ${body}; but ${bodies.join(', ')}`);
  });
  await cells.attempt('stream management', async () => {
    await managed;
  });
  await cells.attempt('resumption', async () => {
    const closed = server.events.once('closed');
    const again = server.events.once('session');
    server.cut(alice);
    await closed;
    server.route(parse(`<message from='juliet@localhost/ours' to='${alice}'><body>missed</body></message>`));
    const { resumed } = await again;
    if (!resumed) throw new Error('a new session');
    await program.heard('message', 'juliet@localhost/ours', 'missed');
    program.order('message', 'juliet@localhost/ours', 'still here');
    await received.until(bodyIs('still here'));
  });
}

/** It signs in another way: inside TLS from the first byte, where the password itself is what is asked for. */
async function otherwise(cells: Cells, peer: ClientPeer, keepCa: KeepCa): Promise<void> {
  await using server = await LoopbackServer.start({ accounts: ACCOUNTS, ...peer.server, mechanisms: ['PLAIN'] });
  const isDirect = peer.lacks['direct TLS'] === undefined;
  const session = server.events.once('session');
  const signedIn = server.events.once('authenticated');
  const way = isDirect ? ({ port: server.ports.clientDirectTls, tls: 'direct' } as const) : {};
  await using program = new ForeignProgram(peer.launch, destination(server, keepCa, way));
  await cells.attempt(
    'direct TLS',
    async () => {
      await program.heard('online');
      const { connection } = await session;
      if (!connection.secure) throw new Error('the session is not encrypted');
    },
    'needed',
  );
  await cells.attempt('PLAIN', async () => {
    await program.heard('online');
    const { mechanism } = await signedIn;
    if (mechanism !== 'PLAIN') throw new Error(mechanism);
  });
}

async function refused(cells: Cells, peer: ClientPeer, keepCa: KeepCa): Promise<void> {
  await using server = await LoopbackServer.start({ accounts: ACCOUNTS, ...peer.server });
  let sessions = 0;
  server.subscribe('session', () => (sessions += 1));
  const told = new Collected<Element>();
  server.subscribe('sent', ({ xml: sent }) => {
    if (typeof sent !== 'string' && sent.localName === 'failure') told.add(sent);
  });
  await using program = new ForeignProgram(peer.launch, destination(server, keepCa, { password: 'wrong' }));
  await cells.attempt('wrong password', async () => {
    const [, ...why] = await program.heard('failed');
    if (sessions > 0) throw new Error('it was let in');
    if (told.all[0]?.getChild('not-authorized') == null) throw new Error(`not told why: ${why.join(' ')}`);
    return why.join(', ').slice(0, 60);
  });
}

/** Everything that a client can do. */
export async function clientCases(peer: ClientPeer, keepCa: KeepCa): Promise<readonly Cell[]> {
  const parts = [new Cells(peer.lacks), new Cells(peer.lacks), new Cells(peer.lacks)] as const;
  await Promise.all([
    atWork(parts[0], peer, keepCa),
    otherwise(parts[1], peer, keepCa),
    refused(parts[2], peer, keepCa),
  ]);
  return parts.flatMap(({ all }) => all);
}
