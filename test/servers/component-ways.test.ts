import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { JABBERD14_COMPONENT, xml, type BrokerOptions } from 'xmpp-broker';
import { trace } from '../support/trace.js';
import { describeServer, Ejabberd, Prosody, type TestServer } from './harness/index.js';
import { Brokers } from './support/component-site.js';

/** A ready component sends itself a message, and gets it. */
async function works(brokers: Brokers, options: Partial<BrokerOptions> & { domain: string }) {
  const broker = brokers.component(0, { port: undefined, ...options });
  const recorded = trace(broker);
  await broker.connect();
  const message = broker.events.once('PCJ_NODERECEIVED');
  broker.output(xml('message', { to: options.domain, id: 'm' }));
  expect((await message).getAttribute('id')).toBe('m');
  return recorded;
}

describeServer('ejabberd', 'modern 10: ways to a component', () => {
  let server: TestServer<'tlsComponent'>;
  const brokers = new Brokers();

  beforeAll(async () => {
    server = await Ejabberd.start();
  });
  afterEach(() => brokers[Symbol.asyncDispose]());
  afterAll(() => server.dispose());

  test('modern 10.3: direct TLS', async () => {
    const recorded = await works(brokers, {
      domain: 'tls.broker.test',
      port: server.ports.tlsComponent,
      tls: { policy: 'direct', ca: server.ca },
    });
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
  });

  test('modern 10.2: a unix socket', async () => {
    const host = `unix:${join(server.directory, 'comp.sock')}`;
    const recorded = await works(brokers, { domain: 'unix.localhost', host });
    expect(recorded.last('PCJ_CONNECTED')).toEqual({ host, port: null });
    expect(recorded.short).not.toContain('SSLSUCCESS');
  });
});

describeServer('prosody', 'modern 10: ways to a component', () => {
  let server: TestServer<'tls'>;
  const brokers = new Brokers();

  beforeAll(async () => {
    server = await Prosody.start();
  });
  afterEach(() => brokers[Symbol.asyncDispose]());
  afterAll(() => server.dispose());

  test.each([
    ['whose domain the certificate names', 'comp.broker.test', {}],
    ['of another domain, with tls.servername', 'comp.localhost', { servername: 'broker.test' }],
  ])('modern 10.3: direct TLS, for a component %s', async (_, domain, tls) => {
    const recorded = await works(brokers, {
      connectionType: JABBERD14_COMPONENT,
      domain,
      port: server.ports.tls,
      tls: { policy: 'direct', ca: server.ca, ...tls },
    });
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verified: true });
  });
});
