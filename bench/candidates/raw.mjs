/** The limit: a bare socket that says what the protocol wants and reads nothing into the bytes. */
import { createHash } from 'node:crypto';
import { connect as dial } from 'node:net';
import { MEAN_BYTES, probeTime } from '../traffic.mjs';

/** What a program imports that speaks TLS. */
export const imports = ['node:crypto', 'node:dns', 'node:net', 'node:tls'];

export function connect({ port, received = () => undefined }) {
  return new Promise((resolve, reject) => {
    const socket = dial(port, '127.0.0.1');
    let text = '';
    const negotiate = (chunk) => {
      text += chunk.toString('latin1');
      const id = / id='([^']*)'/.exec(text)?.[1];
      const ready = text.indexOf('<handshake/>');
      if (ready >= 0) {
        socket.off('data', negotiate).on('data', (bytes) => received(bytes.length / MEAN_BYTES, bytes));
        resolve({ socket, matches: () => 0, close: () => socket.destroy() });
        const rest = text.length - ready - '<handshake/>'.length;
        text = '';
        if (rest > 0) received(rest / MEAN_BYTES, chunk.subarray(chunk.length - rest));
      } else if (id !== undefined) {
        text = '';
        socket.write(`<handshake>${createHash('sha1').update(`${id}secret`).digest('hex')}</handshake>`);
      }
    };
    socket.on('data', negotiate).on('error', reject);
    socket.write(
      `<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='echo.example.org'>`,
    );
  });
}

/** The last probe in a chunk, if there is one: enough for a limit. */
export function probeOf(chunk) {
  const at = chunk.lastIndexOf(` id='t`);
  return at < 0 ? null : probeTime(chunk.toString('latin1', at + 5, chunk.indexOf(`'`, at + 5)));
}

let prebuilt = null;

export const senders = {
  /** One buffer with all messages, made once. */
  buffer: ({ socket }, first, count, to, text) => {
    prebuilt ??= Buffer.from(
      Array.from(
        { length: count },
        (_, i) =>
          `<message from='echo.example.org' to='${to}' id='m${first + i}' type='chat'><body>${text}</body></message>`,
      ).join(''),
    );
    return new Promise((resolve) => socket.write(prebuilt, resolve));
  },
};
