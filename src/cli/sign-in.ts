import { Broker } from '../broker/broker.js';
import EVENTS, { type StatusEvent } from '../events.js';
import type { BrokerOptions } from '../options/options.js';
import { JABBERD20_COMPONENT } from '../protocols/jabberd2.js';
import { LEGACY } from '../protocols/legacy.js';
import { XMPP } from '../protocols/xmpp.js';
import { LoopbackServer } from '../testing/index.js';
import { xml } from '../xml/builder.js';
import { shown } from './shown.js';

/** Signs in once with each of the dialects that are not about XEP-0114, and lets each send a message to itself. */
export async function signIns(say: (text: string) => void): Promise<void> {
  // In clear, and on this machine only: certificates need a package that not everybody has installed.
  await using server = await LoopbackServer.start({
    domain: 'localhost',
    accounts: { juliet: 'r0m30' },
    routerUsers: { router: 'router-secret' },
    tls: false,
  });
  const { client, router } = server.ports;
  const juliet = { domain: 'localhost', port: client, username: 'juliet', password: 'r0m30' };
  await signIn(say, 'XMPP: a client with SCRAM, binding and stream management', { connectionType: XMPP, ...juliet });
  // The server has SASL as well, where the dialect of old is not used unless one insists.
  const legacy = LEGACY.with({ insist: true });
  await signIn(say, 'LEGACY: a client of before XMPP 1.0', { connectionType: legacy, ...juliet, resource: 'old' });
  await signIn(say, "JABBERD20_COMPONENT: a service at jabberd2's router", {
    connectionType: JABBERD20_COMPONENT,
    domain: 'service.localhost',
    port: router,
    username: 'router',
    password: 'router-secret',
  });
}

async function signIn(
  say: (text: string) => void,
  title: string,
  options: Pick<BrokerOptions, 'connectionType' | 'domain'> & Partial<BrokerOptions>,
): Promise<void> {
  say(`--- ${title}`);
  await using broker = new Broker({ host: '127.0.0.1', reconnect: false, tls: { policy: 'disabled' }, ...options });
  for (const name of Object.keys(EVENTS) as StatusEvent[]) {
    broker.subscribe(name, (payload) => {
      say(`${name}${shown(payload)}`);
    });
  }
  await broker.connect();
  const own = broker.jid?.toString() ?? '';
  const stanzas = broker.events.iterate('PCJ_NODERECEIVED', { signal: AbortSignal.timeout(5_000) });
  broker.output(xml('message', { to: own, from: own }, xml('body', {}, 'to myself')));
  // A router's session manager asks who we are, too.
  for await (const { localName } of stanzas) if (localName === 'message') break;
  await broker.shutdown();
}
