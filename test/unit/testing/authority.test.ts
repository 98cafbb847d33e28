import { afterEach, expect, test, vi } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';

const reflect = Reflect as { getMetadata?: unknown };

afterEach(() => {
  vi.doUnmock('@peculiar/x509');
  vi.resetModules();
});

test('a server says what it lacks when it cannot make its certificate', async () => {
  vi.doMock('@peculiar/x509', () => {
    throw new Error('Cannot find package');
  });
  await expect(LoopbackServer.start({ accounts: {} })).rejects.toMatchObject({
    code: 'USAGE_LOOPBACK_TLS',
    message: expect.stringMatching(
      /@peculiar\/x509.*install it, or give tls.cert and tls.key, or say tls: false/,
    ) as string,
  });
  // Nothing else needs it.
  await using components = await LoopbackServer.start({ components: {} });
  await using clear = await LoopbackServer.start({ accounts: {}, tls: false });
  expect([components.ports.component, clear.ports.client]).not.toContain(0);
});

test('what the certificate package wants of the environment is taken back', async () => {
  expect(reflect.getMetadata).toBeUndefined();
  await using server = await LoopbackServer.start({ accounts: {} });
  expect(server.ca).toContain('BEGIN CERTIFICATE');
  expect(reflect.getMetadata).toBeUndefined();
  await expect(server.issueClientCertificate('alice')).resolves.toMatchObject({
    key: expect.stringContaining('PRIVATE KEY') as string,
  });
});
