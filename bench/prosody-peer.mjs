/**
 * A Prosody on free ports, with one account.
 *
 *   node bench/prosody-peer.mjs
 *
 * It prints its ports and whom to trust as one line of JSON, and when it is told to end (its stdin closes) an empty one.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SERVERS } from '../scripts/servers.mjs';
import { identity } from './identity.mjs';

const DOMAIN = 'example.org';
const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-bench-prosody-'));
const path = (name) => join(folder, name);

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

const [port, directPort] = [await freePort(), await freePort()];
const { ca, key, cert } = await identity([DOMAIN]);
writeFileSync(path('server.key'), key);
writeFileSync(path('server.crt'), cert);
mkdirSync(path('data/example%2eorg/accounts'), { recursive: true });
writeFileSync(path('data/example%2eorg/accounts/echo.dat'), `return { ["password"] = "secret" };`);
writeFileSync(
  path('prosody.cfg.lua'),
  `
daemonize = false
run_as_root = true
pidfile = "${path('prosody.pid')}"
data_path = "${path('data')}"
log = { { levels = { min = "error" }; to = "console" } }
certificates = "${folder}"
interfaces = { "127.0.0.1" }
c2s_ports = { ${port} }
c2s_direct_tls_ports = { ${directPort} }
modules_enabled = { "saslauth"; "tls"; "smacks"; "disco"; "roster"; "posix" }
modules_disabled = { "s2s"; "offline"; "c2s_limits" }
-- Passwords in clear are the only store that offers SCRAM-SHA-1 and SCRAM-SHA-256 together.
authentication = "internal_plain"
c2s_require_encryption = true
ssl = { certificate = "${path('server.crt')}"; key = "${path('server.key')}" }
c2s_direct_tls_ssl = { certificate = "${path('server.crt')}"; key = "${path('server.key')}" }
VirtualHost "${DOMAIN}"
`,
);
const prosody = spawn(SERVERS.prosody.find().prosody, ['-F', '--config', path('prosody.cfg.lua')], {
  stdio: ['ignore', 'ignore', 2],
});
process.once('exit', () => {
  prosody.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));
prosody.once('exit', (code) => {
  console.error(`prosody ended with ${code}`);
  process.exit(1);
});
while (!((await answers(port)) && (await answers(directPort)))) await pause(50);
console.log(JSON.stringify({ port, directPort, ca }));

process.stdin.on('end', () => {
  console.log('{}');
  process.exit();
});
process.stdin.resume();
