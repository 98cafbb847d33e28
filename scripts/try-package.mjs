// Tries the package as somebody new does: the tarball in an empty project, with programs as README shows them, as import, as
// require and as TypeScript, on each release of Node that README names and on Bun; and a queue in a file, whose program is
// killed and started again. Run after the build.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { betterSqlite3, bun, nodeRelease } from './runtimes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const RELEASES = [20, 22, 24, 26];

/** A component and an account talk to each other on the server that is part of the package. */
const BODY = `
  const server = await LoopbackServer.start({ components: { 'echo.localhost': 'secret' }, accounts: { juliet: 'r0m30' } });
  const { host, ports, ca: authority } = server;
  const secret = { password: 'secret', logger: false } as const;
  const echo = new Broker({ connectionType: COMPONENT, host, port: ports.component, jid: 'echo.localhost', ...secret });
  echo.match('/message[@type="chat" and body]', ({ node }) => {
    echo.output(reply(node, xml('body', {}, 'You said: ' + node.getChildText('body'))));
  });
  await echo.connect();
  const account = { jid: 'juliet@localhost', password: 'r0m30', tls: { ca: authority }, logger: false } as const;
  const juliet = new Broker({ connectionType: XMPP, host, port: ports.client, ...account });
  const heard = new Promise((resolve) => {
    juliet.match('/message/body', ({ node }) => resolve(node.textContent));
  });
  await juliet.connect();
  const ping = xml('iq', { type: 'get', to: 'localhost' }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
  const answer = await juliet.request(ping);
  juliet.output(xml('message', { to: 'echo.localhost', type: 'chat' }, xml('body', {}, 'good morning')));
  console.log(await heard, answer.getAttribute('type'));
  await juliet.shutdown();
  await echo.shutdown();
  await server.stop();
`;
const SCRIPT = BODY.replaceAll(' as const', '');
const IMPORTS = `
import { Broker, COMPONENT, reply, xml, XMPP } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
`;
const PROGRAMS = {
  'program.mjs': IMPORTS + SCRIPT,
  'program.ts': IMPORTS + BODY,
  'program.cjs': `
const { Broker, COMPONENT, reply, xml, XMPP } = require('xmpp-broker');
const { LoopbackServer } = require('xmpp-broker/testing');
(async () => {${SCRIPT}})();
`,
};
const WANTED = 'You said: good morning result\n';

/** A program with a store. In its first life it is killed as soon as the file has what it said. */
const SENDER = `
import { Broker, COMPONENT, xml } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
const [host, port, life] = process.argv.slice(2);
const broker = new Broker({
  connectionType: COMPONENT, host, port: Number(port), jid: 'alerts.localhost', password: 'secret', logger: false,
  queue: { store: sqliteStore({ file: 'queue-' + process.version + '.db' }), onReady: 'send' },
});
const connected = broker.connect();
if (life === 'first') {
  const alert = (i) => broker.output(xml('message', { to: 'juliet@localhost' }, xml('body', {}, 'alert ' + i)));
  const tickets = Array.from({ length: 100 }, (_, i) => alert(i));
  await tickets.at(-1).stored;
  process.kill(process.pid, 'SIGKILL');
}
await connected;
await broker.shutdown();
`;
/** Starts it twice, and counts what arrives: twice only what may have been sent before. */
const LIVES = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Broker, xml, XMPP } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
const server = await LoopbackServer.start({ components: { 'alerts.localhost': 'secret' }, accounts: { juliet: 'r0m30' } });
const { host, ports, ca } = server;
const juliet = new Broker({
  connectionType: XMPP, host, port: ports.client, jid: 'juliet@localhost', password: 'r0m30', tls: { ca }, logger: false,
});
const heard = new Set();
juliet.match('/message/body', ({ node }) => void heard.add(node.textContent));
await juliet.connect();
juliet.output(xml('presence'));
for (const life of ['first', 'second']) {
  const child = spawn(process.execPath, ['sender.mjs', host, ports.component, life], { stdio: 'inherit' });
  const [code, signal] = await once(child, 'close');
  console.log(life, signal ?? code);
}
for (let tries = 0; heard.size < 100 && tries < 300; tries += 1) await setTimeout(100);
console.log(heard.size, 'alerts');
await juliet.shutdown();
await server.stop();
`;
const LIVED = 'first SIGKILL\nsecond 0\n100 alerts\n';

const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-package-'));
const npm = process.env.npm_execpath;
const [npmProgram, before] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];

function run(program, args, cwd = folder, env = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
  const how = error?.message ?? (signal === null ? `exit code ${status}` : `ended by ${signal}`);
  return { worked: status === 0, stdout, text: `${how}\n${stdout}${stderr}` };
}

function must(outcome, what) {
  if (outcome.worked) return outcome.stdout;
  console.error(`try-package: ${what}: ${outcome.text}`);
  rmSync(folder, { recursive: true });
  process.exit(1);
}

const tarball = must(
  run(npmProgram, [...before, 'pack', '--ignore-scripts', '--pack-destination', folder], root),
  'npm pack',
);
writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
const wanted = [`./${tarball.trim().split('\n').at(-1)}`, '@peculiar/x509'];
must(run(npmProgram, [...before, 'install', '--no-audit', '--no-fund', ...wanted]), 'npm install of the tarball');
for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
writeFileSync(join(folder, 'sender.mjs'), SENDER);
writeFileSync(join(folder, 'lives.mjs'), LIVES);
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
writeFileSync(join(folder, 'types.mts'), PROGRAMS['program.ts']);
const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
const target = ['--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--strict'];
must(run(process.execPath, [compiler, ...target, ...types, 'types.mts']), 'a TypeScript program does not compile');

const problems = [];
function attempt(runtime, program, file, wanted = WANTED, env = {}) {
  const outcome = run(program, [join(folder, file)], folder, env);
  const fine = outcome.worked && outcome.stdout === wanted;
  console.log(`try-package: ${runtime}, ${file}: ${fine ? 'fine' : outcome.text}`);
  if (!fine) problems.push(`${runtime}, ${file}`);
}

/** Node has SQLite from 22.13 on; older ones need better-sqlite3, which can be had for the Node that runs this. */
function attemptLives(release, program) {
  const name = `Node ${release}`;
  if (release > 20) {
    attempt(name, program, 'lives.mjs', LIVED);
    return;
  }
  if (program !== process.execPath) {
    console.log(
      `try-package: ${name}, lives.mjs: left out: better-sqlite3 is brought for Node ${process.version} alone`,
    );
    return;
  }
  const driver = betterSqlite3();
  if ('missing' in driver) problems.push(driver.missing);
  else attempt(name, program, 'lives.mjs', LIVED, { NODE_PATH: driver.path });
}

for (const release of RELEASES) {
  const node = nodeRelease(release);
  if ('missing' in node) {
    problems.push(node.missing);
    continue;
  }
  for (const file of ['program.mjs', 'program.cjs', 'types.mjs']) attempt(`Node ${release}`, node.path, file);
  attemptLives(release, node.path);
}
const runtime = bun();
if ('missing' in runtime) problems.push(runtime.missing);
else for (const file of Object.keys(PROGRAMS)) attempt('Bun', runtime.path, file);

rmSync(folder, { recursive: true });
for (const problem of problems) console.error(`try-package: did not work: ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
