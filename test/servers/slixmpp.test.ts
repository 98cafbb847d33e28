import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { SERVERS } from '../../scripts/servers.mjs';
import { describeServer } from './harness/index.js';

/** Signs in, pings the server, and says who it is. */
const SCRIPT = `
import asyncio, sys
import slixmpp
ca, port = sys.argv[1:]
class Client(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__('alice@localhost/desk', 'secret')
        self.ca_certs = ca
        self.register_plugin('xep_0199')
        self.add_event_handler('session_start', self.begun)
        self.add_event_handler('failed_all_auth', lambda _: sys.exit('refused'))
    async def begun(self, _):
        await self['xep_0199'].ping('localhost', timeout=20)
        print(self.boundjid.full)
        self.disconnect()
client = Client()
client.connect(('127.0.0.1', int(port)))
asyncio.get_event_loop().run_until_complete(client.disconnected)
`;

describeServer('slixmpp', 'a client of another library, on the loopback server', () => {
  test.each([
    ['SASL', false, [], 'SCRAM-SHA-512'],
    ['SASL beside SASL2, which it does not know', {}, [], 'SCRAM-SHA-512'],
    ['SASL with the one channel binding that it knows', {}, ['tls-unique'], 'SCRAM-SHA-512-PLUS'],
  ] as const)('modern 1: signs in by %s', { timeout: 60_000 }, async (_, sasl2, channelBindings, mechanism) => {
    await using server = await LoopbackServer.start({
      accounts: { alice: 'secret' },
      sasl2,
      sasl: { channelBindings },
    });
    const signedIn = server.events.once('authenticated');
    const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-slixmpp-'));
    try {
      const ca = join(folder, 'ca.pem');
      writeFileSync(ca, server.ca);
      const { python = 'python3' } = SERVERS.slixmpp.find() ?? {};
      const { stdout } = await promisify(execFile)(python, ['-c', SCRIPT, ca, String(server.ports.client)], {
        timeout: 50_000,
      });
      expect(stdout.trim()).toBe('alice@localhost/desk');
      expect(await signedIn).toMatchObject({ mechanism });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
