// Brings the servers and programs that the tests need: Debian packages, installed only as root on Debian or Ubuntu.
// It never starts or enables a daemon, and `XMPP_BROKER_NO_INSTALL=1` forbids it to install anything.
// Runs by itself (`node scripts/provision.mjs`) and as the first step of `npm test`.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingServers, SERVERS } from './servers.mjs';

const LOCK = '/run/lock/xmpp-broker-provision';
const POLICY = '/usr/sbin/policy-rc.d';
const SAVED_POLICY = `${POLICY}.before-xmpp-broker`;
const POLICY_MARK = 'xmpp-broker: no service is started while its test servers are installed';

const say = (text) => console.log(`provision: ${text}`);

/** Runs a command to its end with its output shown; true when it succeeded. */
function run(command, ...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  return spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0;
}

/** The lines a command prints, none when it fails. */
function lines(command, ...args) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    maxBuffer: 64 << 20,
  });
  return status === 0 ? stdout.split('\n').filter((line) => line !== '') : [];
}

/** Why nothing may be installed here, or null when it may. */
function obstacle() {
  if (process.env.XMPP_BROKER_NO_INSTALL === '1') return 'XMPP_BROKER_NO_INSTALL=1 forbids installing packages';
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release)) return 'this is neither Debian nor Ubuntu';
  if (process.getuid?.() !== 0) return 'only root may install packages';
  return null;
}

/** Until `restore` is called, invoke-rc.d may start nothing. A policy that was there comes back. */
function forbidDaemons() {
  if (existsSync(POLICY)) renameSync(POLICY, SAVED_POLICY);
  writeFileSync(POLICY, `#!/bin/sh\n# ${POLICY_MARK}\nexit 101\n`);
  chmodSync(POLICY, 0o755);
}

const policyIsOurs = () => existsSync(POLICY) && readFileSync(POLICY, 'utf8').includes(POLICY_MARK);

function restorePolicy() {
  if (existsSync(SAVED_POLICY)) renameSync(SAVED_POLICY, POLICY);
  else if (policyIsOurs()) rmSync(POLICY);
}

const installedPackages = () => lines('dpkg-query', '-W', '-f', '${Package}:${Architecture} ${db:Status-Status}\n');

/** Takes back what the packages' scripts enabled for the next boot. */
function disableServices(packages) {
  const files = packages.length === 0 ? [] : lines('dpkg', '-L', ...packages);
  const units = files.filter((path) => /\/systemd\/system\/[^/@]+\.(service|socket|timer)$/.test(path));
  const scripts = files.filter((path) => /^\/etc\/init\.d\/[^/]+$/.test(path));
  // Offline: only the links are taken away, whether systemd runs here or not. Without systemctl there is no systemd.
  const env = { ...process.env, SYSTEMD_OFFLINE: '1' };
  if (units.length > 0)
    spawnSync('systemctl', ['disable', ...units.map((path) => basename(path))], { stdio: 'ignore', env });
  for (const script of scripts) spawnSync('update-rc.d', [basename(script), 'disable'], { stdio: 'ignore' });
}

function aptInstall(packages) {
  const install = () =>
    run('apt-get', 'install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...packages);
  const update = () => run('apt-get', 'update', '-q', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=2');
  const candidates = lines('apt-cache', 'policy', ...packages).filter((line) =>
    /^\s+Candidate: (?!\(none\))/.test(line),
  );
  if (candidates.length === packages.length && install()) return true;
  say('the package lists are missing or old: apt-get update, then once more');
  return update() && install();
}

/** Installs what is missing. Waits for another run that does the same. */
function install(missing) {
  const packages = [...new Set(missing.flatMap((name) => SERVERS[name].packages))];
  say(`installing the Debian packages ${packages.join(' ')} for the tests (no daemon is started or enabled;`);
  say('XMPP_BROKER_NO_INSTALL=1 forbids this)');
  const before = new Set(installedPackages());
  const stop = () => process.exit(1);
  process.once('exit', restorePolicy).once('SIGINT', stop).once('SIGTERM', stop);
  try {
    forbidDaemons();
    if (!aptInstall(packages)) say('apt-get failed, see above');
    const fresh = installedPackages().filter((line) => line.endsWith(' installed') && !before.has(line));
    disableServices(fresh.map((line) => line.split(' ')[0]));
  } catch (error) {
    say(error.message);
  } finally {
    restorePolicy();
    process.off('exit', restorePolicy).off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function announceMissing(missing, reason) {
  const packages = [...new Set(missing.flatMap((name) => SERVERS[name].packages))];
  const line = '!'.repeat(100);
  console.warn(
    [
      line,
      `!! The tests against ${missing.join(', ')} are LEFT OUT: ${reason}.`,
      '!! On Debian or Ubuntu this brings them (stop or mask their services if you do not want them running):',
      `!!   sudo apt-get install --no-install-recommends ${packages.join(' ')}`,
      line,
    ].join('\n'),
  );
}

/**
 * Makes sure the servers and programs are installed, as far as that is allowed here.
 * Returns the names of those that are still missing, after saying so loudly.
 */
export function provision() {
  const missing = missingServers();
  const reason = obstacle();
  const leftBehind = reason === null && (existsSync(SAVED_POLICY) || policyIsOurs()); // by a run that was killed
  if (missing.length === 0 && !leftBehind) {
    say(`${Object.keys(SERVERS).join(', ')} are here`);
    return missing;
  }
  // One run at a time: the policy file is shared by the whole system.
  if (reason === null) run('flock', LOCK, process.execPath, fileURLToPath(import.meta.url), '--install');
  const left = missingServers();
  if (left.length > 0) announceMissing(left, reason ?? 'the installation failed');
  else say(`${Object.keys(SERVERS).join(', ')} are here now`);
  return left;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes('--install')) {
    restorePolicy(); // nobody else is at it: this is what a run that was killed left behind
    const missing = missingServers();
    if (missing.length > 0) install(missing);
  } else if (provision().length > 0 && process.env.CI === 'true') {
    say('in CI all of them must be there');
    process.exitCode = 1;
  }
}
