// Clients and components of others that the evidence of interoperability runs against the loopback server. Debian's packages
// are downloaded and unpacked into .cache/peers, which takes no root and installs nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../.cache/peers', import.meta.url));

const command = (program, args, options = {}) => spawnSync(program, args, { encoding: 'utf8', ...options });
const entries = (folder) => (existsSync(folder) ? readdirSync(folder).sort() : []);
const present = (paths) => paths.filter((path) => existsSync(path)).join(':');

/** The packages that would have to be installed for one, as names with versions; null when that cannot be found out. */
function missingFor(name) {
  const options = ['--simulate', '--quiet', '--no-install-recommends', '-o', 'Debug::NoLocking=1'];
  const { status, stdout } = command('apt-get', ['install', ...options, name]);
  if (status !== 0) return null;
  return [...stdout.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+) /gm)].map(([, one, version]) => `${one}=${version}`);
}

/** Unpacks a package with everything that it needs and that is not installed here. */
function unpack(name) {
  const folder = join(CACHE, name);
  if (existsSync(folder)) return folder;
  const missing = missingFor(name);
  if (missing === null) return null;
  const fresh = `${folder}.${process.pid}`;
  const root = join(fresh, 'root');
  mkdirSync(root, { recursive: true });
  const done =
    missing.length === 0 ||
    (command('apt-get', ['download', '-qq', ...missing], { cwd: fresh }).status === 0 &&
      entries(fresh)
        .filter((file) => file.endsWith('.deb'))
        .every((file) => command('dpkg-deb', ['-x', join(fresh, file), root]).status === 0));
  if (done && !existsSync(folder)) renameSync(fresh, folder);
  rmSync(fresh, { recursive: true, force: true });
  return done ? folder : null;
}

/** Version of a package: of the unpacked one, or of the installed one. */
function versionOf(name, folder) {
  const unpacked = entries(folder).find((file) => file.startsWith(`${name}_`));
  if (unpacked !== undefined) return decodeURIComponent(unpacked.split('_')[1]);
  return command('dpkg-query', ['-W', '-f', '${Version}', name]).stdout.trim();
}

/** Where programs, compilers and interpreters look for what was unpacked. */
function environment(root) {
  const triplets = entries(join(root, 'usr', 'lib')).filter((entry) => entry.includes('-linux-'));
  const libraries = triplets.map((triplet) => join(root, 'usr', 'lib', triplet));
  const perl = libraries.flatMap((folder) =>
    entries(join(folder, 'perl5')).map((entry) => join(folder, 'perl5', entry)),
  );
  return {
    PATH: present([join(root, 'usr', 'bin'), '/usr/bin', '/bin']),
    LD_LIBRARY_PATH: present(libraries),
    LIBRARY_PATH: present(libraries),
    CPATH: present([join(root, 'usr', 'include')]),
    PYTHONPATH: present([join(root, 'usr', 'lib', 'python3', 'dist-packages')]),
    PERL5LIB: present([join(root, 'usr', 'share', 'perl5'), ...perl]),
  };
}

/**
 * Brings a Debian package.
 * @returns its version, its folder, and the environment that lets it be found; null when it cannot be had here
 */
export function bring(name) {
  const folder = unpack(name);
  if (folder === null) return null;
  const root = join(folder, 'root');
  return { version: versionOf(name, folder), folder, root, env: environment(root) };
}
