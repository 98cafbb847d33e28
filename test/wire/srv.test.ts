import { promises as dns } from 'node:dns';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BrokerOptions } from 'xmpp-broker';
import type { Identity } from '../support/certificates.js';
import { CLIENT } from './support/client.js';
import { failure, OPENING, useRig } from './support/index.js';

const DOMAIN = 'chat.example';
const XMPPS = `_xmpps-client._tcp.${DOMAIN}`;
const XMPP = `_xmpp-client._tcp.${DOMAIN}`;

const rig = useRig(CLIENT);
let identity: Identity;

beforeAll(async () => {
  identity = await rig.authority.issue({ names: [{ dns: DOMAIN }] });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What DNS says: port and priority of the records of a service, all at this machine; a null denies the service. */
function records(answers: Readonly<Record<string, readonly (readonly [port: number, priority: number])[] | null>>) {
  vi.spyOn(dns.Resolver.prototype, 'resolveSrv').mockImplementation((query) => {
    const found = answers[query];
    if (found === undefined) return Promise.reject(Object.assign(new Error('no such record'), { code: 'ENOTFOUND' }));
    if (found === null) return Promise.resolve([{ name: '', port: 0, priority: 0, weight: 0 }]);
    return Promise.resolve(found.map(([port, priority]) => ({ name: 'localhost', port, priority, weight: 0 })));
  });
}

const client = (options: Partial<BrokerOptions> = {}) =>
  rig.broker({ port: 1 }, { domain: DOMAIN, host: undefined, port: undefined, ...options });

/** A port of this machine where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a server that is found by SRV records', () => {
  it('S-CONN-4 S-CONN-5 S-STREAM-1: xmpps first: TLS at once, for the domain and not for the target', async () => {
    const [direct, plain] = [await rig.listen('direct', identity), await rig.listen('plain')];
    records({ [XMPPS]: [[direct.port, 1]], [XMPP]: [[plain.port, 2]] });
    const { broker, recorded } = client();
    const connected = failure(broker.connect());
    const server = await direct.accept();
    expect(server.tls).toMatchObject({ servername: DOMAIN });
    expect(await server.expect(OPENING)).toContain(`to='${DOMAIN}'`);
    expect(recorded.last('PCJ_SSLSUCCESS')).toMatchObject({ verifiedBy: `DNS:${DOMAIN}` });
    expect(plain.conversations).toHaveLength(0);
    broker.halt();
    await connected;
  });

  it('S-CONN-4: xmpp first: no TLS before the stream', async () => {
    const [direct, plain] = [await rig.listen('direct', identity), await rig.listen('plain')];
    records({ [XMPPS]: [[direct.port, 2]], [XMPP]: [[plain.port, 1]] });
    const { broker } = client();
    const connected = failure(broker.connect());
    await (await plain.accept()).expect(OPENING);
    expect(direct.conversations).toHaveLength(0);
    broker.halt();
    await connected;
  });

  it('S-CONN-4: where nobody listens at the first, the next is dialled in its own way', async () => {
    const direct = await rig.listen('direct', identity);
    records({ [XMPPS]: [[direct.port, 2]], [XMPP]: [[await closedPort(), 1]] });
    const { broker } = client();
    const connected = failure(broker.connect());
    await (await direct.accept()).expect(OPENING);
    broker.halt();
    await connected;
  });

  it('S-CONN-1 S-CONN-6: a denied service is not dialled, and not asked for again', async () => {
    records({ [XMPPS]: null, [XMPP]: null });
    const { broker, recorded } = client({ reconnect: { initial: true, firstDelayMs: 1 } });
    expect(await failure(broker.connect())).toMatchObject({ code: 'DNS_SERVICE_DENIED', retryable: false });
    expect(recorded.short).toEqual(['CONNECT', 'CONNECTFAIL']);
  });

  it('S-CONN-2: where no target can be reached, the error names them all, and the domain is not dialled', async () => {
    const ports = [await closedPort(), await closedPort()] as const;
    records({ [XMPPS]: [[ports[0], 1]], [XMPP]: [[ports[1], 2]] });
    const { broker } = client();
    const error = await failure(broker.connect());
    expect(error).toMatchObject({ code: 'TCP_REFUSED', retryable: true });
    for (const port of ports) expect(error.message).toContain(`localhost:${String(port)}`);
    expect(error.message).not.toContain(`${DOMAIN}:5222`);
  });

  it('S-CERT-1: a certificate for the target is not one for the domain', async () => {
    const direct = await rig.listen('direct');
    records({ [XMPPS]: [[direct.port, 1]] });
    const { broker, recorded } = client();
    expect(await failure(broker.connect())).toMatchObject({
      code: 'TLS_CERT_HOST_MISMATCH',
      text: expect.stringMatching(/^DNS:localhost,/) as string,
    });
    expect(recorded.short).not.toContain('STREAMSTART');
  });

  it.each([
    ['direct', 'direct'],
    ['disabled', 'plain'],
  ] as const)('tls.policy %s takes only the records that fit', async (policy, how) => {
    const [direct, plain] = [await rig.listen('direct', identity), await rig.listen('plain')];
    records({
      [XMPPS]: [[direct.port, how === 'direct' ? 2 : 1]],
      [XMPP]: [[plain.port, how === 'direct' ? 1 : 2]],
    });
    const { broker } = client({ tls: { policy } });
    const connected = failure(broker.connect());
    await (await (how === 'direct' ? direct : plain).accept()).expect(OPENING);
    expect((how === 'direct' ? plain : direct).conversations).toHaveLength(0);
    broker.halt();
    await connected;
  });

  it('a port of the options is dialled without asking for records', async () => {
    const asked = vi.spyOn(dns.Resolver.prototype, 'resolveSrv');
    const plain = await rig.listen('plain');
    const { broker } = client({ domain: 'localhost', port: plain.port });
    const connected = failure(broker.connect());
    await (await plain.accept()).expect(OPENING);
    expect(asked).not.toHaveBeenCalled();
    broker.halt();
    await connected;
  });
});
