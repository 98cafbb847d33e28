// Checks that the npm package holds what users need and nothing else, and that a program compiles against its types. Run
// after the build.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { shippedInternals } from './shipped-internals.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports, bin, dependencies, peerDependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

/** What may be in it: compiled code with its types, the pages, the examples and the papers. */
const ALLOWED =
  /^(package\.json|LICENSE|(README|CHANGELOG|SECURITY)\.md|docs\/.+\.(md|svg|png|json)|docs\/deploy\/[^/]+|examples\/.+\.ts|dist\/.+\.(js|js\.map|d\.ts)|dist\/console\/page\/\w+\.(html|css|svg)|dist\/xmpp-broker\.1)$/;
/** Tests and tools must not slip in through dist. */
const FORBIDDEN = /(^|\/)(test|tests|bench|scripts)\/|\.test\.|\.tsbuildinfo$/;

/** Files of code that importing the package reads, at most. */
const MOST_FILES = 12;
/** Packages that few programs need: loaded with the first filter, DOM node or password outside of ASCII. */
const LATE = ['@xmldom/xmldom', 'xpath', '@mongodb-js/saslprep', 'better-sqlite3', '@nats-io'];

/** Those that importing the package loads. */
function loadedTooEarly() {
  const program = `
    await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url))});
    const { default: { _cache: loaded } } = await import('node:module');
    console.log(JSON.stringify(Object.keys(loaded)));
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`dist/index.js cannot be imported\n${stderr}`);
  const files = JSON.parse(stdout);
  return LATE.filter((name) => files.some((file) => file.includes(`${sep}${join('node_modules', name)}${sep}`)));
}

/** A file of the package and all that it imports at once. */
function loadedBy(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  const code = readFileSync(join(root, path), 'utf8');
  for (const [, target] of code.matchAll(/^(?:import|export) (?:[^'"]*from )?["'](\.[^"']+)["']/gm)) {
    loadedBy(posix.join(posix.dirname(path), target), found);
  }
  return found;
}

const packed = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' });
if (packed.status !== 0) {
  console.error(`package: npm pack failed\n${packed.stderr}`);
  process.exit(1);
}
const [{ files, size }] = JSON.parse(packed.stdout);
const paths = files.map((file) => file.path);

const targets = Object.values(exports).flatMap((target) =>
  typeof target === 'string' ? [target] : Object.values(target),
);
const needed = [...targets, ...Object.values(bin ?? {})].map((path) => path.replace(/^\.\//, ''));
const problems = [
  ...[
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'SECURITY.md',
    'docs/getting-started.md',
    'examples/component.ts',
    'dist/xmpp-broker.1',
    'dist/console/page/index.html',
    'dist/console/page/page.js',
    'dist/console/page/page.css',
    'dist/console/page/icon.svg',
    ...needed,
  ]
    .filter((path) => !paths.includes(path))
    .map((path) => `${path} is missing`),
  ...paths
    .filter((path) => !ALLOWED.test(path) || FORBIDDEN.test(path.replace(/^dist\/testing\//, 'dist/')))
    .map((path) => `${path} does not belong in it`),
];

/** As strict as programs may be; the declarations are looked at as well, without the DOM. */
const STRICT = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false'];
const PROGRAM = `
import { Room } from 'xmpp-broker/muc';
import { openConsole } from 'xmpp-broker/console';
import { Broker, JABBERD14_COMPONENT, JID, xml, type Dialect } from 'xmpp-broker';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { LoopbackServer } from 'xmpp-broker/testing';
const domain: string = JID.parse('echo.example.org').domain;
const dialect: Dialect = JABBERD14_COMPONENT.with({ names: [domain] });
await using server = await LoopbackServer.start({ components: { [domain]: 'secret' } });
const store = domain === '' ? sqliteStore({ file: 'queue.db', sync: domain === '' ? 'full' : undefined }) : undefined;
const queue = { maxStanzas: domain === '' ? 1 : undefined, store };
const port = domain === '' ? undefined : server.ports.component;
await using broker = new Broker({ connectionType: dialect, domain, port, password: 'secret', queue });
broker.subscribe('PCJ_NODERECEIVED', (node) => broker.output(xml('message', { to: node.getAttribute('from') ?? domain })));
await broker.connect();
await openConsole(broker);
new Room(broker, 'lobby@rooms.example.org', { nick: 'echo' });
`;

/** Everything that can be imported. */
const EVERYTHING = Object.keys(exports)
  .filter((path) => path !== './package.json')
  .map((path, index) => `export * as part${index} from ${JSON.stringify(posix.join('xmpp-broker', path))};`)
  .join('\n');

/** What the compilers say of a program that has installed nothing but what the package depends on, and `more`. */
function compiled(program, more = []) {
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-program-'));
  try {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules', 'xmpp-broker'));
    for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types', ...more]) {
      if (!existsSync(join(root, 'node_modules', name))) continue;
      mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
      symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
    }
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'program.ts'), program);
    return ['typescript', 'typescript-7'].flatMap((name) => {
      const compiler = join(root, 'node_modules', name, 'bin', 'tsc');
      const target = ['--noEmit', '--module', 'nodenext', '--target', 'es2023', '--lib', 'es2023,esnext.disposable'];
      const args = [compiler, ...target, '--types', 'node', '--preserveSymlinks', ...STRICT, 'program.ts'];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      // What is wrong in the declarations of others is not for us to mend.
      const isOurs = /^(program\.ts|node_modules\/xmpp-broker\/dist\/)/m.test(stdout) || stdout === '';
      return status === 0 || !isOurs ? [] : [`a program does not compile against it with ${name}:\n${stdout}${stderr}`];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What goes wrong when a CommonJS program loads it, as README says it can. */
function required() {
  const program = `
    const { Broker, COMPONENT } = require(${JSON.stringify(root)});
    const { LoopbackServer } = require(${JSON.stringify(join(root, 'dist', 'testing', 'index.js'))});
    if (typeof Broker !== 'function' || COMPONENT === undefined || typeof LoopbackServer.start !== 'function') process.exit(1);
  `;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=commonjs', '--eval', program], {
    encoding: 'utf8',
  });
  return status === 0 ? [] : [`require() does not load it\n${stderr}`];
}

/** What goes wrong when the thread of a store is started. A Node without SQLite says so, and it is the thread that does. */
function stored() {
  const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-store-'));
  const program = `
    import { sqliteStore } from ${JSON.stringify(new URL('../dist/stores/sqlite.js', import.meta.url))};
    const owner = { queue: 'q', xmlns: 'jabber:client' };
    try {
      const queue = await sqliteStore({ file: ${JSON.stringify(join(folder, 'queue.db'))} }).open(owner, AbortSignal.timeout(30_000));
      await queue.close();
    } catch (error) {
      if (error.code !== 'QUEUE_NO_DRIVER') throw error;
    }
  `;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  rmSync(folder, { recursive: true });
  return status === 0 ? [] : [`the thread of a store does not work\n${stderr}`];
}

/** The optional packages, with what their own declarations need. */
const optional = [...Object.keys(peerDependencies), '@nats-io/nats-core', '@nats-io/nkeys', '@nats-io/nuid'];
problems.push(
  ...shippedInternals(root),
  ...compiled(PROGRAM),
  ...compiled(EVERYTHING, optional),
  ...required(),
  ...stored(),
);
const started = loadedBy('dist/index.js');
if (started.size > MOST_FILES)
  problems.push(`a program that starts reads ${started.size} files of code: ${[...started].join(', ')}`);
problems.push(...loadedTooEarly().map((name) => `${name} is loaded before it is needed`));

for (const problem of problems) console.error(`package: ${problem}`);
console.log(`package: ${paths.length} files, ${Math.round(size / 1024)} KiB packed`);
process.exitCode = problems.length > 0 ? 1 : 0;
