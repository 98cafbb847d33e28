import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bring, type Brought } from '../../../scripts/peers.mjs';
import { SERVERS } from '../../../scripts/servers.mjs';
import type { ClientPeer } from './client-cases.js';
import type { ComponentPeer } from './component-cases.js';
import type { Launch } from './foreign-program.js';

/** A library or program that nobody here wrote. */
export interface Peer {
  /** As the table has it. */
  readonly title: string;
  /** How to get it. */
  readonly from: string;
  /** Whether it is tried in `npm test`. */
  readonly quick: boolean;
  /** Null when it cannot be had here. */
  find(): { readonly version: string; readonly launch: Launch } | null;
  readonly client?: Omit<ClientPeer, 'launch'>;
  readonly component?: Omit<ComponentPeer, 'launch'>;
}

const here = (path: string) => fileURLToPath(new URL(`programs/${path}`, import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));

/** For those who bind to TLS in a way that TLS 1.3 does not have. */
const NO_BINDING = { mechanisms: ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1'] };

type Make = (brought: Brought) => boolean;

/** A package that was brought, with its program. `make` does what it takes to have one. */
function fromDebian(name: string, command: (brought: Brought) => readonly string[], make: Make = () => true) {
  const brought = bring(name);
  if (brought === null || !make(brought)) return null;
  return { version: brought.version, launch: { command: command(brought), env: brought.env } };
}

const compiled =
  (source: string, ...libraries: readonly string[]): Make =>
  ({ folder, env }) => {
    const compiler = source.endsWith('.c') ? 'gcc' : 'g++';
    const output = join(folder, 'peer');
    const args = ['-O1', '-o', output, here(source), ...libraries, '-Wl,--allow-shlib-undefined'];
    return spawnSync(compiler, args, { env: { ...process.env, ...env, PATH: process.env['PATH'] } }).status === 0;
  };

export const PEERS: Readonly<Record<string, Peer>> = {
  slixmpp: {
    title: 'slixmpp (Python)',
    from: 'Debian: python3-slixmpp',
    quick: true,
    find: () => {
      const paths = SERVERS.slixmpp.find();
      if (paths === null) return null;
      const asked = spawnSync(paths.python, ['-c', 'import slixmpp; print(slixmpp.__version__)'], { encoding: 'utf8' });
      return { version: asked.stdout.trim(), launch: { command: [paths.python, here('slixmpp-peer.py')], env: {} } };
    },
    client: { lacks: {}, server: NO_BINDING },
    component: { lacks: {} },
  },
  'xmpp.js': {
    title: '@xmpp/client, @xmpp/component (JavaScript)',
    from: 'npm: @xmpp/client, @xmpp/component',
    quick: false,
    find: () => {
      const manifest = join(root, 'node_modules/@xmpp/client/package.json');
      if (!existsSync(manifest)) return null;
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
      return { version, launch: { command: [process.execPath, here('xmpp-js.mjs')], env: {} } };
    },
    client: { lacks: {} },
    component: { lacks: {} },
  },
  libstrophe: {
    title: 'libstrophe (C)',
    from: 'Debian: libstrophe-dev, gcc',
    quick: false,
    find: () =>
      fromDebian('libstrophe-dev', ({ folder }) => [join(folder, 'peer')], compiled('strophe.c', '-lstrophe')),
    client: { lacks: {} },
    component: { lacks: { 'asked by ours': 'it answers nothing by itself' } },
  },
  aioxmpp: {
    title: 'aioxmpp (Python)',
    from: 'Debian: python3-aioxmpp',
    quick: false,
    find: () => fromDebian('python3-aioxmpp', () => ['/usr/bin/python3', here('aioxmpp-peer.py')]),
    client: { lacks: { archive: 'it does not know XEP-0313' } },
  },
  anyevent: {
    title: 'AnyEvent::XMPP (Perl)',
    from: 'Debian: libanyevent-xmpp-perl',
    quick: false,
    find: () => fromDebian('libanyevent-xmpp-perl', () => ['/usr/bin/perl', here('anyevent.pl')]),
    client: {
      lacks: {
        archive: 'it does not know XEP-0313',
        SCRAM: 'it does not know SCRAM',
        'stream management': 'it does not know XEP-0198',
        resumption: 'it does not know XEP-0198',
      },
    },
  },
  gloox: {
    title: 'gloox (C++)',
    from: 'Debian: libgloox-dev, g++',
    quick: false,
    find: () => fromDebian('libgloox-dev', ({ folder }) => [join(folder, 'peer')], compiled('gloox.cc', '-lgloox')),
    client: { lacks: { archive: 'it does not know XEP-0313' }, server: NO_BINDING },
    component: { lacks: {} },
  },
  poe: {
    title: 'POE::Component::Jabber (Perl)',
    from: 'Debian: libpoe-component-jabber-perl',
    quick: false,
    find: () => fromDebian('libpoe-component-jabber-perl', () => ['/usr/bin/perl', here('poe.pl')]),
    component: { lacks: { 'asked by ours': 'it answers nothing by itself' } },
  },
  mcabber: {
    title: 'mcabber, with loudmouth (C)',
    from: 'Debian: mcabber',
    quick: false,
    find: () => fromDebian('mcabber', () => ['/usr/bin/python3', here('terminal-peer.py'), 'mcabber']),
    client: {
      lacks: {
        resource: 'it adds something of its own to the name',
        SCRAM: 'loudmouth takes PLAIN where it is offered',
        archive: 'it does not know XEP-0313',
        'stream management': 'it does not know XEP-0198',
        resumption: 'it does not know XEP-0198',
      },
    },
  },
  profanity: {
    title: 'profanity, with libstrophe (C)',
    from: 'Debian: profanity-light',
    quick: false,
    find: () => fromDebian('profanity-light', () => ['/usr/bin/python3', here('terminal-peer.py'), 'profanity']),
    client: {
      lacks: {
        archive: 'it looks into the archive only when it wants to',
        ping: 'it pings only whom it knows to answer',
        resumption: 'it resumes, and gets what it missed, but does not send what is typed then',
      },
    },
  },
};
