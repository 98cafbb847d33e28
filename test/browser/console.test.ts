import { afterEach, beforeEach, test } from 'vitest';
import { Broker, COMPONENT, XMPP, type BrokerOptions } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { expectText, useBrowser } from './support/browser.js';
import { useConsoles } from './support/console.js';

const browser = useBrowser();
const openConsole = useConsoles();

let server: LoopbackServer;
const brokers: Broker[] = [];

beforeEach(async () => {
  server = await LoopbackServer.start({
    domain: 'example.org',
    accounts: { juliet: 'r0m30', romeo: 'j0l13t' },
    components: { 'echo.example.org': 'secret', 'peer.example.org': 'secret' },
  });
});
afterEach(async () => {
  for (const broker of brokers.splice(0)) broker.halt();
  await server.stop({ abrupt: true });
});

function add(options: BrokerOptions): Broker {
  const broker = new Broker({ logger: false, ...options });
  brokers.push(broker);
  return broker;
}
const component = (name: string, options: Partial<BrokerOptions> = {}): Broker =>
  add({
    connectionType: COMPONENT,
    jid: `${name}.example.org`,
    host: '127.0.0.1',
    port: server.ports.component,
    password: 'secret',
    ...options,
  });
const account = (name: string, password: string): Broker =>
  add({
    connectionType: XMPP,
    jid: `${name}@example.org/desk`,
    host: '127.0.0.1',
    port: server.ports.client,
    password,
    tls: { ca: server.ca },
  });

test('shows each broker, and how it became ready', async () => {
  const echo = component('echo');
  const juliet = account('juliet', 'r0m30');
  const page = await browser.page();
  await page.goto((await openConsole({ echo, juliet })).url);
  const state = page.getByTestId('state');
  await expectText(state, 'idle');
  await Promise.all([echo.connect(), juliet.connect()]);
  await expectText(state, 'ready');
  await expectText(
    page.getByRole('list', { name: 'Steps' }),
    /CONNECT.*AUTHSUCCESS mechanism handshake.*READY jid echo/,
  );
  await page.getByRole('button', { name: 'juliet ready' }).click();
  await expectText(
    page.getByRole('list', { name: 'Steps' }),
    /SSLSUCCESS.*TLSv1.3.*BINDSUCCESS.*READY jid juliet@example.org/,
  );
  await expectText(page.getByRole('list', { name: 'What the time went into' }), /TLS.*sign-in.*binding/);
});
