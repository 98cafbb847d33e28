/** Who is measured: how to run each on this machine, or what is missing and how to get it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SERVERS } from '../scripts/servers.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Modules of this folder, and the packages they stand for. */
const modules = {
  ours: { name: 'xmpp-broker', packages: ['.'] },
  xmppjs: { name: '@xmpp/component', packages: ['@xmpp/component', '@xmpp/xml'] },
  'xmppjs-client': { name: '@xmpp/client', packages: ['@xmpp/client'] },
  obvious: { name: 'the obvious design', packages: ['saxes', '@xmldom/xmldom', 'xpath'] },
  raw: { name: 'bare socket', packages: [] },
  'fan-out': { name: 'xmpp-broker with NATS', packages: ['.', '@nats-io/jetstream'], missing: noNats },
  nats: { name: 'xmpp-broker with NATS', packages: ['.', '@nats-io/jetstream'], missing: noNats },
  'sign-in': { name: 'xmpp-broker with Prosody', packages: ['.'], missing: noProsody },
  store: { name: 'xmpp-broker with SQLite', packages: ['.'], missing: noSqlite },
};

/** Programs in other languages, and where a Debian or Ubuntu has them. */
const programs = {
  expat: {
    name: 'expat in C',
    get: 'apt-get install gcc libc6-dev libexpat1-dev',
    locate: (scratch) => compile(scratch, 'expat', '-lexpat'),
  },
  libstrophe: {
    name: 'libstrophe in C',
    get: 'apt-get install gcc libc6-dev libstrophe-dev pkg-config',
    locate: (scratch) => compile(scratch, 'libstrophe', '-lstrophe'),
    version: () => output('pkg-config', '--modversion', 'libstrophe'),
  },
  slixmpp: {
    name: 'slixmpp in Python',
    get: 'apt-get install python3-slixmpp',
    locate: () => {
      // The system's Python has the packages of the system, whatever comes first on the path.
      const python = ['/usr/bin/python3', 'python3'].find((one) => works(one, '-c', 'import slixmpp'));
      return python === undefined ? null : [python, '-W', 'ignore', here('peers/slixmpp_component.py')];
    },
  },
  pcj: {
    name: 'PCJ in Perl',
    get: 'apt-get install libpoe-component-jabber-perl',
    locate: () => (works('perl', '-MPOE::Component::Jabber', '-e', '1') ? ['perl', here('peers/pcj.pl')] : null),
  },
};

const run = (command, ...args) => spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
const works = (command, ...args) => run(command, ...args).status === 0;
const output = (command, ...args) => run(command, ...args).stdout?.trim() ?? '';

/** The command of a C program, compiled now; null without compiler or library. */
function compile(scratch, name, library) {
  const binary = join(scratch, name);
  return works('cc', '-O2', '-o', binary, here(`peers/${name}.c`), library) ? [binary] : null;
}

function noNats() {
  return SERVERS.nats.find() === null ? 'apt-get install --no-install-recommends nats-server' : undefined;
}

function noProsody() {
  return SERVERS.prosody.find() === null
    ? 'apt-get install --no-install-recommends prosody prosody-modules'
    : undefined;
}

/** What a Node without SQLite lacks. */
function noSqlite() {
  if (isBuiltin('node:sqlite')) return undefined;
  try {
    createRequire(import.meta.url).resolve('better-sqlite3');
    return undefined;
  } catch {
    return 'Node 22.13, or NODE_PATH=$(node scripts/runtimes.mjs better-sqlite3)';
  }
}

function packageVersion(name) {
  const path = name === '.' ? here('../package.json') : here(`../node_modules/${name}/package.json`);
  const { name: full, version } = JSON.parse(readFileSync(path, 'utf8'));
  return `${full} ${version}`;
}

/**
 * Looks for a candidate.
 * @returns `{ name, command: null }` for a module, `{ name, command }` for a program, or `{ name, missing }` with the way to get it
 */
export function locate(key, scratch) {
  if (key in modules) {
    const { name, packages, missing } = modules[key];
    const lacks = missing?.();
    if (lacks !== undefined) return { name, missing: lacks };
    try {
      return { name, command: null, version: packages.map(packageVersion).join(', ') };
    } catch {
      return { name, missing: 'npm ci' };
    }
  }
  const { name, get, locate: find, version } = programs[key];
  const command = find(scratch);
  return command === null ? { name, missing: get } : { name, command, version: version?.() };
}
