import { readFileSync } from 'node:fs';

/** The user a private server runs as: its own account on this machine. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Servers refuse to run as root, so root gives them away to `nobody`, or to the user that XMPP_BROKER_SERVER_USER
 * names. Everybody else runs them as himself: null.
 */
export function serverAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  const name = process.env['XMPP_BROKER_SERVER_USER'] ?? 'nobody';
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [user, , uid, gid] = line.split(':');
    if (user === name) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    `the test servers are to run as "${name}", but /etc/passwd has no such user (XMPP_BROKER_SERVER_USER)`,
  );
}
