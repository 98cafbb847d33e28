import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { command } from '../unit/cli/terminal.js';
import { describeServer, type TestServer } from './harness/index.js';
import { CLIENT_SITES, type ClientPort } from './support/client-site.js';
import { SITES } from './support/component-site.js';

const SECRET = { XMPP_PASSWORD: 'secret' };
const WRONG = { XMPP_PASSWORD: 'not the secret' };

for (const site of CLIENT_SITES) {
  describeServer(site.name, 'doctor', () => {
    let server: TestServer<ClientPort>;
    let folder: string;

    beforeAll(async () => {
      server = await site.start();
      folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-doctor-'));
      writeFileSync(join(folder, 'ca.pem'), server.ca);
    });
    afterAll(async () => {
      rmSync(folder, { recursive: true });
      await server.dispose();
    });

    const doctor = (port: number, env: Record<string, string>, ...more: string[]) =>
      command(['doctor', server.domain, '--host', server.host, '--port', String(port), ...more], env);
    const ca = () => ['--ca', join(folder, 'ca.pem')];
    const alice = () => ['--jid', `alice@${server.domain}`];

    test('an account, by STARTTLS and by TLS from the start', async () => {
      const { starttls, directTls } = server.ports;
      for (const [port, ...more] of [[starttls], [directTls, '--direct-tls']] as const) {
        const { code, out, err } = await doctor(port, SECRET, ...ca(), ...alice(), ...more);
        expect({ out, err, code }).toMatchObject({ code: 0, err: '' });
        expect(out).toContain('certificate 1: ');
        expect(out).toMatch(/trusted by \w+:/);
        expect(out).toContain(`a program uses ${site.mechanisms[0] ?? ''}`);
        expect(out).toContain(`signed in as alice@${server.domain}/`);
        expect(out).toContain(`stream management is ${site.managed ? 'resumable' : 'off'}`);
        expect(out).toContain('the server answers');
      }
    });

    test('what is wrong is named', async () => {
      const { starttls, directTls } = server.ports;
      const verdict = async (...args: Parameters<typeof doctor>) => {
        const { out } = await doctor(...args);
        expect(out).not.toContain(WRONG.XMPP_PASSWORD);
        return out.slice(out.indexOf('Verdict'));
      };
      expect(await verdict(starttls, WRONG, ...ca(), ...alice())).toContain('wrong password (SASL_FAILURE');
      expect(await verdict(starttls, SECRET, ...alice())).toContain('(TLS_CERT_');
      expect(await verdict(directTls, SECRET, ...ca())).toContain('(tls-at-once)');
      expect(await verdict(starttls, SECRET, ...ca(), '--direct-tls')).toContain('(starttls-only)');
    });
  });
}

for (const site of SITES) {
  describeServer(site.name, 'doctor --component', () => {
    let server: TestServer<'starttls'>;

    beforeAll(async () => {
      server = await site.start();
    });
    afterAll(async () => {
      await server.dispose();
    });

    const doctor = (name: string, env: Record<string, string>) =>
      command(['doctor', name, '--component', '--host', server.host, '--port', String(site.port(server))], env);

    test('a component, its secret wrong, and a name that is not known', async () => {
      const right = await doctor('comp.localhost', SECRET);
      expect(right).toMatchObject({ code: 0, err: '' });
      expect(right.out).toContain('signed in as comp.localhost');
      const wrong = await doctor('comp.localhost', WRONG);
      expect(wrong.code).toBe(1);
      expect(wrong.out).toContain('wrong secret (STREAM_ERROR not-authorized)');
      if (site.unknownName === null) return;
      expect((await doctor('unknown.localhost', SECRET)).out).toContain(`STREAM_ERROR ${site.unknownName.condition}`);
    });
  });
}
