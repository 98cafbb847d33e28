/** Messages of about 134 bytes, each built as an element, sent and written; the other side counts them. */
import { cpu } from '../spent.mjs';

export const title = 'Outbound, from an element to the socket';
export const note =
  'Messages of about 140 bytes, each built for the occasion, 500 sent before the sender waits until they are written.';
export const columns = [
  { head: 'CPU µs/message', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'reads per 1,000 messages', of: ({ peer }) => (peer.reads * 1000) / peer.messages, digits: 1 },
];
export const ratio = { head: 'times as fast as send()', to: 'xmppjs-send', inverse: true };

/** Messages before the sender waits. */
const BATCH = 500;

const CELLS = [
  {
    key: 'ours',
    candidate: 'ours',
    how: 'element',
    label: 'xmpp-broker, output(element)',
    counts: [200, 1_000],
    short: true,
  },
  { key: 'ours-string', candidate: 'ours', how: 'string', label: 'xmpp-broker, output(string)', counts: [200, 1_000] },
  {
    key: 'ours-relay',
    candidate: 'ours',
    how: 'relay',
    label: 'xmpp-broker, output(received element)',
    counts: [200, 1_000],
  },
  {
    key: 'ours-dom',
    candidate: 'ours',
    how: 'dom',
    label: 'xmpp-broker, output(@xmldom/xmldom element)',
    counts: [100, 400],
  },
  {
    key: 'xmppjs-send',
    candidate: 'xmppjs',
    how: 'send',
    label: '@xmpp/component, send()',
    counts: [100, 500],
    short: true,
  },
  {
    key: 'xmppjs-many',
    candidate: 'xmppjs',
    how: 'sendMany',
    label: '@xmpp/component, sendMany() of 100',
    counts: [100, 500],
  },
  { key: 'raw', candidate: 'raw', how: 'buffer', label: 'bare socket, prebuilt buffers (limit)', counts: [500, 5_000] },
  { key: 'libstrophe', candidate: 'libstrophe', label: 'libstrophe (C)', counts: [50, 1_000] },
  { key: 'slixmpp', candidate: 'slixmpp', label: 'slixmpp (Python)', counts: [10, 50] },
  { key: 'pcj', candidate: 'pcj', label: 'PCJ (Perl)', counts: [5, 30] },
];

/** Counts are in thousands of messages. */
export function cells(short) {
  return CELLS.filter((cell) => !short || cell.short).map(
    ({ key, candidate, how, label, counts: [warm, measured] }) => ({
      key,
      label,
      candidate,
      params: { how, warm: warm * 1000, measured: (short ? measured / 2 : measured) * 1000 },
      order: { order: 'count' },
    }),
  );
}

export const programArguments = ({ port, warm, measured }) => [port, warm, measured];

export const fromProgram = ({ cpu: spent, version }, { measured }) => ({ cpu: spent / measured, version });

/** The other side has to have seen what was sent. */
export function check({ peer }, { warm, measured }) {
  if (peer.messages < warm + measured) {
    throw new Error(`only ${peer.messages} of ${warm + measured} messages arrived`);
  }
}

export async function run(candidate, { port, how, warm, measured }) {
  const link = await candidate.connect({ port });
  const send = candidate.senders[how];
  const [to, text] = ['alice@example.org', 'hello there, how are you doing today?'];
  const all = async (first, count) => {
    for (let i = first; i < first + count; i += BATCH) await send(link, i, BATCH, to, text);
  };
  await all(0, warm);
  const before = cpu();
  await all(warm, measured);
  const spent = cpu() - before;
  link.close();
  return { cpu: spent / measured };
}
