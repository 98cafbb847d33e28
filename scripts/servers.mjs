// The XMPP servers the tests run against: which Debian packages bring them and where their programs are.
// Plain Node without dependencies: `npm test` needs it before anything is installed.
import { accessSync, constants, readdirSync } from 'node:fs';
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

/** All paths of a server, or null when one of them is missing. */
const complete = (paths) => (Object.values(paths).every((path) => path !== undefined) ? paths : null);

export const SERVERS = {
  prosody: {
    packages: ['prosody'],
    find: () => complete({ prosody: program('prosody'), prosodyctl: program('prosodyctl') }),
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
};

/** Names of the servers whose programs are not all here. */
export function missingServers() {
  return Object.keys(SERVERS).filter((name) => SERVERS[name].find() === null);
}
