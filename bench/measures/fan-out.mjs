/** Stanzas that arrive, handed to workers by JetStream: what that costs the process with the link. */
import { span } from '../spent.mjs';
import { CORPUS, pieces } from '../traffic.mjs';

export const title = 'Handing what arrives to workers';
export const note =
  'Messages over loopback TCP into a component, each stored in a file of JetStream for one group. Publishing alone: the same texts, by the client of NATS, up to 1,000 under way.';
export const columns = [
  { head: 'CPU µs/message', of: ({ cpu }) => cpu, digits: 2 },
  { head: 'messages/s (wall)', of: ({ rate }) => rate, digits: 0 },
];
export const ratio = { head: 'CPU against publishing alone', to: 'publish' };

/** Most messages under way: `limits.unsettled` of a broker. */
const WINDOW = 1_000;

export function cells(short) {
  const [warm, measured] = short ? [CORPUS, 3 * CORPUS] : [2 * CORPUS, 10 * CORPUS];
  const params = { warm, measured };
  return [
    {
      key: 'fan-out',
      label: 'xmpp-broker: read, matched and handed on',
      candidate: 'fan-out',
      params: { ...params, key: 'fan-out' },
      order: { order: 'flood', corpora: Math.ceil((2 * (warm + measured)) / CORPUS) + 1 },
    },
    { key: 'publish', label: 'publishing alone', candidate: 'fan-out', params: { ...params, key: 'publish' } },
  ];
}

export async function run(candidate, { key, port, warm, measured }) {
  const nats = await candidate.startNats();
  const { promise, received } = span(warm, measured);
  const user =
    key === 'publish'
      ? await alone(candidate, nats, warm + measured, received)
      : await candidate.handOn({ port, servers: nats.servers, received });
  const { cpu, wall, stanzas } = await promise;
  await user.close();
  nats.stop();
  return { cpu: cpu / stanzas, rate: stanzas / wall };
}

async function alone(candidate, { servers }, count, received) {
  const texts = pieces(1)
    .map(({ bytes }) => bytes.toString())
    .filter((text) => text.startsWith('<message'));
  const publisher = await candidate.publisher(servers);
  let begun = 0;
  const one = async () => {
    while (begun < count + WINDOW) {
      begun += 1;
      await publisher.publish(texts[begun % texts.length]);
      received(1);
    }
  };
  void Promise.all(Array.from({ length: WINDOW }, one)).catch(() => undefined);
  return publisher;
}
