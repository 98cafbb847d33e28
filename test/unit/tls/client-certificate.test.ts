import { describe, expect, test } from 'vitest';
import { clientCertificate, clientCertificateWarning } from '../../../src/tls/client-certificate.js';
import { TestAuthority, otherName, string } from '../../support/certificates.js';

const DAY = 24 * 3_600_000;
const authority = await TestAuthority.create();

describe('modern 10.4: our own certificate', () => {
  test('the addresses it names, and no others', async () => {
    const names = [
      { xmpp: 'alice@broker.test' },
      { email: 'alice@mail.test' },
      { dns: 'broker.test' },
      { xmpp: 'bob@broker.test, XmppAddr:eve@broker.test' },
      { raw: otherName('1.3.6.1.5.5.7.8.5', string(0x16, 'eve@broker.test')) },
    ];
    const own = await authority.issue({ names });
    const addresses = ['alice@broker.test', 'bob@broker.test, XmppAddr:eve@broker.test'];
    expect(clientCertificate(own.cert)).toEqual({ addresses });
    // The chain behind it names nobody of ours.
    const chain = await (await authority.intermediate({ names: [{ xmpp: 'eve@broker.test' }] })).issue({ names });
    expect(clientCertificate(Buffer.from(chain.cert))).toEqual({ addresses });
    expect(clientCertificate((await authority.issue({ names: [] })).cert)).toEqual({ addresses: [] });
  });

  test('names that cannot be read are none', async () => {
    const own = await authority.issue({ names: [{ raw: Buffer.of(0xa0, 0) }] });
    expect(clientCertificate(own.cert)).toEqual({ addresses: [] });
  });

  test('its time', async () => {
    const [begin, end] = [Date.now() - DAY, Date.now() + DAY];
    const own = await authority.issue({ notBefore: new Date(begin), notAfter: new Date(end) });
    expect(clientCertificateWarning(own.cert)).toBeNull();
    const late = clientCertificateWarning(own.cert, end + 1_000);
    expect(late).toMatchObject({ code: 'TLS_CLIENT_CERT_EXPIRED', layer: 'tls', origin: 'local' });
    expect(late?.message).toMatch(/^our own certificate has expired on /);
    expect(clientCertificateWarning(own.cert, begin - 1_000)?.message).toContain('is not valid before');
  });

  test('the time of its chain', async () => {
    const expired = { notBefore: new Date(Date.now() - 2 * DAY), notAfter: new Date(Date.now() - DAY) };
    const own = await (await authority.intermediate(expired)).issue();
    expect(clientCertificateWarning(own.cert)?.message).toMatch(/^certificate 2 in tls\.cert has expired on /);
  });
});
