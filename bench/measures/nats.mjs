/** A queue over NATS: how fast stanzas get into it, to the server and back, and how long a takeover takes. */
export const title = 'A queue over NATS';
export const note =
  'Messages of about 170 bytes into a file of JetStream, 64 under way, one nats-server on the same machine. Sent: published, fetched, marked, sent to a component in the same process, and told back.';
export const columns = [
  { head: 'value', of: ({ value }) => value, digits: 0 },
  { head: 'CPU µs/stanza', of: ({ cpu }) => cpu, digits: 1 },
];
export const ratio = null;

const CELLS = [
  ['publish', 'stored/s: StanzaPublisher'],
  ['client', 'stored/s: js.publish of the client'],
  ['inbox', 'stored/s: one reply inbox for all'],
  ['sent', 'sent and told back/s: StanzaPublisher, and a holder in the same process'],
  ['takeover', 'from the end of a holder to the next one, ms, at the ttlMs below'],
  ['ttl', 'ttlMs of it'],
];

export const cells = (short) =>
  CELLS.map(([key, label]) => ({ key, label, candidate: 'nats', params: { key, short } }));

const WINDOW = 64;

const TTL_MS = 3_000;

async function rate({ one }, count) {
  let begun = 0;
  const lane = async () => {
    while (begun < count) {
      begun += 1;
      await one();
    }
  };
  const all = () => Promise.all(Array.from({ length: WINDOW }, lane));
  await all();
  begun = 0;
  const start = performance.now();
  const before = process.cpuUsage();
  await all();
  const { user, system } = process.cpuUsage(before);
  return { value: (count / (performance.now() - start)) * 1_000, cpu: (user + system) / count };
}

export async function run(candidate, { key, short }) {
  if (key === 'ttl') return { value: TTL_MS, cpu: 0 };
  const nats = await candidate.startNats();
  const { servers } = nats;
  if (key === 'takeover') return { value: await candidate.takeover(servers, TTL_MS), cpu: 0 };
  const holder = key === 'sent' ? await candidate.holder(servers) : null;
  const made = {
    publish: () => candidate.producer(servers, 'stored'),
    sent: () => candidate.producer(servers, 'sent'),
    client: () => candidate.client(servers),
    inbox: () => candidate.inbox(servers),
  };
  const publisher = await made[key]();
  const result = await rate(publisher, short ? 3_000 : 20_000);
  await publisher.close();
  await holder?.close();
  nats.stop();
  return result;
}
