// examples/fleet.ts: three processes with a fleet, one of which is killed and another one stopped.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFailed, test } from 'vitest';
import { Broker, XMPP, xml } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { Child } from '../../docs/support/child.js';
import { ROOT } from '../../docs/support/markdown.js';
import { Workshop } from '../../docs/support/workshop.js';
import { note, portion } from '../../support/evidence.js';
import { describeServer, Nats, type NatsServer } from '../harness/index.js';

/** How many bots there are. */
const GIVEN = portion(Number(process.env['XMPP_BROKER_FLEET'] ?? 30));
const COUNT = GIVEN.size;
const BOTS = Array.from({ length: COUNT }, (_, i) => `bot${String(i)}`);

describeServer('nats', 'examples/fleet.ts', () => {
  const workshop = new Workshop();
  const program = workshop.add('examples/fleet.ts', readFileSync(join(ROOT, 'examples/fleet.ts'), 'utf8'));
  let nats: NatsServer;
  let server: LoopbackServer;
  beforeAll(async () => {
    nats = await Nats.start();
    const accounts = Object.fromEntries([...BOTS, 'juliet'].map((name) => [name, 'secret']));
    server = await LoopbackServer.start({ domain: 'example.org', accounts, timeouts: { close: 200 } });
    writeFileSync(join(workshop.path, 'ca.pem'), server.ca);
    const lines = BOTS.map((name) => `${name}@example.org secret\n`);
    writeFileSync(join(workshop.path, 'bots.txt'), lines.join(''));
  });
  afterAll(async () => {
    await server.stop({ abrupt: true });
    await nats.dispose();
    workshop[Symbol.dispose]();
  });

  const start = (): Child =>
    new Child(
      workshop,
      program,
      { detour: {}, folder: workshop.path },
      {
        NATS_SERVERS: Nats.url(nats),
        XMPP_HOST: '127.0.0.1',
        XMPP_PORT: String(server.ports.client),
      },
    );

  /** Bots that can be reached now, each once for each of its links. */
  const reachable = (): string[] =>
    server.connections
      .flatMap(({ addresses }) => addresses.map(({ local }) => local ?? ''))
      .filter((local) => local.startsWith('bot'));

  /** How many shards a process has, by what it printed. */
  const shards = (child: Child): number =>
    (child.output.match(/^gained shard/gm) ?? []).length - (child.output.match(/^lost shard/gm) ?? []).length;

  test(
    'F-1 bots of a process that is killed, or stopped, are on others; no bot is on two',
    { timeout: 90_000 + COUNT * 600 },
    async () => {
      const began = process.uptime();
      await using first = start();
      await using second = start();
      await using third = start();
      const all = [first, second, third];
      onTestFailed(() => {
        for (const { output } of all) console.log(output.replace(/^ready: .*\n/gm, '').slice(-4_000));
      });
      await expect
        .poll(() => [...all.map(shards).sort(), reachable().length], { timeout: 40_000 + COUNT * 200, interval: 100 })
        .toEqual([5, 5, 6, BOTS.length]);

      const lost = shards(first);
      const replaced: string[] = [];
      server.subscribe('closed', ({ fault }) => {
        if (fault !== null) replaced.push(fault);
      });
      const killedAt = performance.now();
      first.signal('SIGKILL');
      await first.ended();
      await expect
        .poll(() => [shards(second) + shards(third), reachable().length], {
          timeout: 40_000 + COUNT * 200,
          interval: 100,
        })
        .toEqual([16, BOTS.length]);
      const servedMs = Math.round(performance.now() - killedAt);
      // Nothing was moved but what the dead one had, and nobody had to fight for a name.
      expect((second.output + third.output).match(/^lost shard/gm) ?? []).toHaveLength(
        (second.output + third.output).match(/^gained shard/gm)!.length - 16,
      );
      expect([lost > 0, replaced]).toEqual([true, []]);

      second.signal('SIGTERM');
      expect(await second.ended()).toMatchObject({ code: 0, output: expect.stringContaining('closed') as string });
      await expect
        .poll(() => [shards(third), reachable().length], { timeout: 40_000 + COUNT * 200, interval: 100 })
        .toEqual([16, BOTS.length]);

      await using juliet = new Broker({
        connectionType: XMPP,
        jid: 'juliet@example.org',
        password: 'secret',
        host: '127.0.0.1',
        port: server.ports.client,
        tls: { ca: server.ca },
        logger: false,
      });
      await juliet.connect();
      for (const name of BOTS.slice(0, 30)) {
        const answer = juliet.events.once('PCJ_NODERECEIVED');
        juliet.output(xml('message', { to: `${name}@example.org/bot`, type: 'chat' }, xml('body', {}, name)));
        expect((await answer).getChildText('body')).toBe(`you said: ${name}`);
      }
      third.signal('SIGTERM');
      expect(await third.ended()).toMatchObject({ code: 0 });
      note('F-1', GIVEN, began, { of: null, counts: { 'ms until all are served again': servedMs }, wrong: [] });
    },
  );
});
