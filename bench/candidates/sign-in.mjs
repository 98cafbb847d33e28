/** A sign-in by SCRAM over TLS, and what it cannot do without. */
import { pbkdf2, randomBytes } from 'node:crypto';
import { connect } from 'node:tls';
import { promisify } from 'node:util';

export { signIn as ours } from './ours.mjs';

const derive = promisify(pbkdf2);

/** A TLS handshake, and a key derived in as many rounds as Prosody asks for. */
export async function raw({ directPort, ca }) {
  const socket = connect({ port: directPort, host: '127.0.0.1', servername: 'example.org', ca });
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  await derive('secret', randomBytes(16), 10_000, 32, 'sha256');
  return { close: () => socket.destroy() };
}
