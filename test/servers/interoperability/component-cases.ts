import { Broker, NS, StanzaError, XMPP, xml } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { Cells, type Cell } from './cell.js';
import { ForeignProgram, type Destination, type Launch } from './foreign-program.js';

/** A component of others. */
export interface ComponentPeer {
  readonly launch: Launch;
  readonly lacks: Readonly<Record<string, string>>;
}

/** The features, in the order of the table. */
export const COMPONENT_FEATURES = [
  ...['handshake', 'message to ours', 'message from ours', 'ping', 'asked by ours', 'wrong secret'],
] as const;

const NAME = 'echo.localhost';

const destination = (server: LoopbackServer, password: string): Destination => ({
  kind: 'component',
  host: server.host,
  port: server.ports.component,
  tls: 'none',
  ca: '',
  jid: NAME,
  password,
});

async function atWork(cells: Cells, peer: ComponentPeer): Promise<void> {
  await using server = await LoopbackServer.start({
    accounts: { juliet: 'r0m30' },
    components: { [NAME]: 'secret' },
  });
  await using juliet = new Broker({
    connectionType: XMPP,
    host: server.host,
    port: server.ports.client,
    jid: 'juliet@localhost/ours',
    password: 'r0m30',
    tls: { ca: server.ca },
  });
  juliet.answer('get', { name: 'ping', namespace: NS.PING }, () => undefined);
  await juliet.connect();
  const session = server.events.once('session');
  await using program = new ForeignProgram(peer.launch, destination(server, 'secret'));
  await cells.attempt(
    'handshake',
    async () => {
      await program.heard('online');
      const { jid } = await session;
      if (jid.toString() !== NAME) throw new Error(jid.toString());
    },
    'needed',
  );
  await cells.attempt('message to ours', async () => {
    const received = juliet.events.once('PCJ_NODERECEIVED');
    program.order('message', 'juliet@localhost/ours', 'wherefore <art> & thou');
    const body = (await received).getChildText('body');
    if (body !== 'wherefore <art> & thou') throw new Error(String(body));
  });
  await cells.attempt('message from ours', async () => {
    juliet.output(xml('message', { to: NAME, type: 'chat' }, xml('body', {}, 'tea & <sugar> ☕')));
    await program.heard('message', 'juliet@localhost/ours', 'tea & <sugar> ☕');
  });
  await cells.attempt('ping', async () => {
    program.order('ping', 'juliet@localhost/ours');
    await program.heard('pong');
  });
  await cells.attempt('asked by ours', async () => {
    const asked = juliet.request(xml('iq', { type: 'get', to: NAME }, xml('query', { xmlns: NS.DISCO_INFO })));
    return asked.then(
      () => 'a result',
      (error: unknown) => {
        if (error instanceof StanzaError) return `the error ${error.condition}`;
        throw error;
      },
    );
  });
}

async function refused(cells: Cells, peer: ComponentPeer): Promise<void> {
  await using server = await LoopbackServer.start({ components: { [NAME]: 'secret' } });
  let sessions = 0;
  server.subscribe('session', () => (sessions += 1));
  const closed = server.events.once('closed');
  await using program = new ForeignProgram(peer.launch, destination(server, 'wrong'));
  await cells.attempt('wrong secret', async () => {
    const [, ...why] = await program.heard('failed');
    const { fault } = await closed;
    if (fault !== 'not-authorized' || sessions > 0) throw new Error(`the server said ${String(fault)}`);
    return why.join(', ').slice(0, 60);
  });
}

/** Everything that a component can do. */
export async function componentCases(peer: ComponentPeer): Promise<readonly Cell[]> {
  const parts = [new Cells(peer.lacks), new Cells(peer.lacks)] as const;
  await Promise.all([atWork(parts[0], peer), refused(parts[1], peer)]);
  return parts.flatMap(({ all }) => all);
}
