import { randomUUID } from 'node:crypto';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Broker, BrokerError, JABBERD14_COMPONENT, XMPP, type BrokerOptions } from 'xmpp-broker';
import { trace } from '../../support/trace.js';
import { COMPONENT, DOMAIN, handshake, SECRET, SUCCESS } from '../support/component.js';
import { CLIENT } from '../support/client.js';
import { failure, useRig } from '../support/index.js';

const rig = useRig(COMPONENT);
const OPTIONS = { connectionType: JABBERD14_COMPONENT, domain: DOMAIN, password: SECRET, reconnect: false, logger: false } as const; // prettier-ignore

let path: string;
let door: Server;

/** A unix socket with a scripted server behind it. */
async function listen() {
  const peer = await rig.listen('plain');
  door = createServer((socket) => {
    const inner = connect(peer.port, '127.0.0.1');
    for (const [from, to] of [
      [socket, inner],
      [inner, socket],
    ] as const) {
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => door.listen(path, resolve));
  return peer;
}

function subject(options: Partial<BrokerOptions>) {
  const broker = rig.add(new Broker({ ...OPTIONS, ...options }));
  return { broker, recorded: trace(broker) };
}

beforeEach(() => {
  path = join(tmpdir(), `xb-${randomUUID()}.sock`);
  door = createServer();
});
afterEach(() => {
  door.close();
});

describe('modern 10.2: a unix socket', () => {
  it('counts as this machine, and needs no port', async () => {
    const peer = await listen();
    const { broker, recorded } = subject({ host: `unix:${path}` });
    const connected = broker.connect();
    await handshake(await peer.accept());
    await connected;
    expect(recorded.short).toEqual(SUCCESS);
    expect(recorded.last('PCJ_CONNECTING')).toEqual({ host: `unix:${path}`, port: null });
    expect(recorded.last('PCJ_CONNECTED')).toEqual({ host: `unix:${path}`, port: null });
    expect(broker.config).toMatchObject({ host: `unix:${path}`, port: undefined });
  });

  it('is dialled after connect({ host }), too, whatever the port was', async () => {
    const peer = await listen();
    const { broker } = subject({ host: '127.0.0.1', port: 1 });
    const connected = broker.connect({ host: `unix:${path}` });
    await handshake(await peer.accept());
    await connected;
  });

  it('of a client still wants TLS', async () => {
    const peer = await listen();
    const { broker } = subject({ ...CLIENT.options, connectionType: XMPP, host: `unix:${path}` });
    const connected = broker.connect();
    const server = await peer.accept();
    await server.expect('<stream:stream');
    await server.send(
      `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' version='1.0'>` +
        `<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>`,
    );
    const error = await failure(Promise.all([connected, server.expect('<starttls').then(() => server.destroy())]));
    expect(error.layer).not.toBe('sasl');
  });

  it('that is not there is refused, with its name', async () => {
    const { broker, recorded } = subject({ host: `unix:${path}` });
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'TCP_REFUSED', retryable: true });
    expect(error.message).toContain(`unix:${path}: connect ENOENT`);
    expect(error.message).not.toContain(':0');
    expect(recorded.short).toContain('CONNECTFAIL');
  });

  it.each([
    ['a port', { port: 5347 }, 'port has no meaning with a unix socket'],
    ['a connector', { connector: () => connect(1) }, 'connector: a unix socket is dialled without one'],
  ])('goes with no %s', (_, options, said) => {
    expect(() => subject({ host: `unix:${path}`, ...options })).toThrow(said);
  });

  it('goes with no port in connect(), either', async () => {
    const { broker } = subject({ host: '127.0.0.1', port: 1 });
    const error: unknown = await failure(
      (async () => {
        await broker.connect({ host: `unix:${path}`, port: 5 });
      })(),
    );
    expect(error).toBeInstanceOf(BrokerError);
    expect(error).toMatchObject({ code: 'USAGE_CONNECT' });
  });
});

describe('modern 10.1: a connector', () => {
  it.each([
    ['host and port', {}],
    ['port', { host: 'somewhere.example' }],
  ])('needs no %s', async (_, options) => {
    const peer = await rig.listen('plain');
    const { broker, recorded } = subject({ ...options, connector: () => connect(peer.port, '127.0.0.1') });
    const connected = broker.connect();
    await handshake(await peer.accept());
    await connected;
    const host = 'host' in options ? options.host : DOMAIN;
    expect(recorded.last('PCJ_CONNECTED')).toEqual({ host, port: null });
  });

  it('of its own kind of way still needs a policy where that is not this machine', async () => {
    const { Duplex } = await import('node:stream');
    const connector = () => new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const error = await failure(subject({ connector }).broker.connect());
    expect(error).toMatchObject({ code: 'TLS_REQUIRED' });
    expect(error.message).toContain(`${DOMAIN} is not this machine`);
  });
});
