import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { prometheus } from 'xmpp-broker/prometheus';
import { Life } from './life.js';

/** Every sample by its name and labels. */
async function samples(register: Registry): Promise<Record<string, number>> {
  const all = await register.getMetricsAsJSON();
  return Object.fromEntries(
    all.flatMap(({ name, values }) =>
      (values as { labels: Record<string, string>; value: number }[]).map(({ labels, value }) => [
        `${name} ${Object.values(labels).join(' ')}`,
        value,
      ]),
    ),
  );
}

test('the numbers are those of stats(), for each broker', async () => {
  await using life = await Life.begin();
  const register = new Registry();
  const echo = prometheus(life.echo, { register });
  prometheus(life.peer, { register, account: 'the peer' });
  prometheus(life.peer, { register, account: 'the peer' }); // again is harmless
  expect(await samples(register)).toMatchObject({ 'xmpp_ready echo.localhost': 0, 'xmpp_ready the peer': 0 });
  await life.live();
  const { bytes, stanzas, requests, lastReadyAt } = life.peer.stats();
  expect(await samples(register)).toMatchObject({
    'xmpp_ready the peer': 1,
    'xmpp_bytes_total the peer in': bytes.in,
    'xmpp_bytes_total the peer out': bytes.out,
    'xmpp_stanzas_total the peer out message': stanzas.out.message,
    'xmpp_stanzas_total the peer out iq': 2,
    'xmpp_stanzas_total echo.localhost in message': 2,
    'xmpp_requests_total the peer ok': 1,
    'xmpp_requests_total the peer failed': 1,
    'xmpp_answers_total the peer': requests.latencyMs.count,
    'xmpp_answer_seconds_total the peer': requests.latencyMs.sum / 1_000,
    'xmpp_requests_pending the peer': 0,
    'xmpp_last_ready_timestamp_seconds the peer': (lastReadyAt ?? 0) / 1_000,
    'xmpp_held_stanzas the peer': 0,
  });
  echo[Symbol.dispose]();
  expect(Object.keys(await samples(register)).filter((name) => name.includes('echo.localhost'))).toEqual([]);
});

test('two brokers of one account are told apart, or refused', async () => {
  await using life = await Life.begin();
  const register = new Registry();
  prometheus(life.echo, { register, account: 'same' });
  expect(() => prometheus(life.peer, { register, account: 'same' })).toThrow(
    expect.objectContaining({ code: 'USAGE_METRICS', message: expect.stringMatching(/another 'account'/) as string }),
  );
});

test('the dashboard and the page name the metrics that there are', async () => {
  await using life = await Life.begin();
  const register = new Registry();
  prometheus(life.echo, { register });
  const known = register.getMetricsAsArray().map(({ name }) => name);
  const page = readFileSync(new URL('../../../docs/monitoring.md', import.meta.url), 'utf8');
  const dashboard = readFileSync(new URL('../../../docs/grafana.json', import.meta.url), 'utf8');
  const named = (text: string) => [...new Set(text.match(/\bxmpp_[a-z_]+\b/g))].toSorted();
  expect(named(page)).toEqual(known.toSorted());
  expect(named(dashboard)).toEqual(known.toSorted());
  // It is JSON, and every panel asks the data source that is chosen.
  const { panels } = JSON.parse(dashboard) as { panels: { datasource: { uid: string } }[] };
  expect(panels.every(({ datasource }) => datasource.uid === '${datasource}')).toBe(true);
});
