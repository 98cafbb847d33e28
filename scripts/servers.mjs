// The programs the tests run against, servers and others: which Debian packages bring them and where they are.
// Plain Node without dependencies: `npm test` needs it before anything is installed.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian keeps daemons in sbin, which is not on every user's path. */
const folders = [...new Set([...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/usr/local/bin'])];

function program(name) {
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function entries(folder) {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Paths `/usr/lib/ENTRY` and `/usr/lib/TRIPLET/ENTRY` whose last part matches. */
function libraries(pattern) {
  const roots = ['/usr/lib', ...entries('/usr/lib').map((name) => join('/usr/lib', name))];
  return roots.flatMap((root) =>
    entries(root)
      .filter((name) => pattern.test(name))
      .map((name) => join(root, name)),
  );
}

const existing = (path) => (existsSync(path) ? path : undefined);

/** All paths of a program, or null when one of them is missing. */
const complete = (paths) => (Object.values(paths).every((path) => path !== undefined) ? paths : null);

export const SERVERS = {
  prosody: {
    packages: ['prosody', 'prosody-modules'],
    find: () =>
      complete({
        prosody: program('prosody'),
        prosodyctl: program('prosodyctl'),
        modules: existing('/usr/lib/prosody/modules/mod_sasl2'),
      }),
  },
  ejabberd: {
    packages: ['ejabberd'],
    find: () => complete({ erl: program('erl'), application: libraries(/^ejabberd-\d/).at(-1) }),
  },
  jabberd2: {
    packages: ['jabberd2', 'sqlite3'],
    find: () =>
      complete({
        router: program('jabberd2-router'),
        sm: program('jabberd2-sm'),
        c2s: program('jabberd2-c2s'),
        modules: libraries(/^jabberd2$/).find((path) => entries(path).includes('mod_session.so')),
        sqlite: program('sqlite3') ?? program('python3'),
      }),
  },
  nats: {
    packages: ['nats-server'],
    find: () => complete({ server: program('nats-server') }),
  },
  slixmpp: {
    packages: ['python3-slixmpp'],
    // Debian's modules are for Debian's interpreter, whatever other one comes first on the path.
    find: () =>
      complete({ python: existing('/usr/bin/python3'), module: existing('/usr/lib/python3/dist-packages/slixmpp') }),
  },
  proxies: {
    packages: ['tinyproxy-bin', 'microsocks'],
    find: () => complete({ http: program('tinyproxy'), socks: program('microsocks') }),
  },
  chromium: {
    packages: ['chromium'],
    find: () => complete({ chromium: program('chromium') }),
  },
};

/** Names of those that are not all here. */
export function missingServers() {
  return Object.keys(SERVERS).filter((name) => SERVERS[name].find() === null);
}
