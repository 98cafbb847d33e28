import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bodies, received, say, useSite } from './site.js';

const site = useSite();

describe('in general', () => {
  test('row 76: many connections in one process, none in the way of another', async () => {
    const brokers = [
      site.component(),
      site.component('peer.localhost'),
      site.client(),
      site.legacy('bob'),
      site.service(),
    ];
    await Promise.all(brokers.map((broker) => broker.connect()));
    const own = brokers.map((broker) => received(broker, 1));
    for (const broker of brokers) broker.output(say(broker.jid?.toString() ?? '', broker.config.alias));
    expect((await Promise.all(own)).flatMap(bodies)).toEqual(brokers.map(({ config }) => config.alias));
  });

  test('row 77: runnable examples, one for each dialect and more, each run by a test', () => {
    const examples = readdirSync(new URL('../../../examples/', import.meta.url)).filter((name) => name.endsWith('.ts'));
    expect(examples).toEqual(
      expect.arrayContaining([
        'client.ts',
        'component.ts',
        'connection.ts',
        'legacy.ts',
        'own-dialect.ts',
        'router-service.ts',
      ]),
    );
    const root = new URL('../../', import.meta.url);
    const tests = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(new URL(name, root), 'utf8'))
      .join();
    for (const name of examples) expect(tests).toContain(`'${name}'`);
  });
});
