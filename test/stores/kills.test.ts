// D-1, in small: `npm run evidence -- --only durable` does it with thousands of kills.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LoopbackServer } from 'xmpp-broker/testing';
import { ROOT } from '../docs/support/markdown.js';
import { build, rounds, type Place } from './kills/rounds.js';
import { describeStore } from './support/place.js';

const KILLS = Number(process.env['XMPP_BROKER_KILLS'] ?? 30);

describeStore('D-1, A-Q-1: a program that is killed', () => {
  // Inside of the checkout, so that its packages are found.
  const folder = join(ROOT, '.cache', `kills-${process.pid}`);
  let program: string;
  let server: LoopbackServer;
  let place: Place;

  beforeAll(async () => {
    mkdirSync(folder, { recursive: true });
    program = await build(folder);
    server = await LoopbackServer.start({
      accounts: { alice: 'secret', bob: 'secret' },
      components: { 'comp.localhost': 'secret' },
      componentConflict: 'replace',
    });
    const { client, component } = server.ports;
    place = { host: '127.0.0.1', ca: server.ca, clientPort: client, componentPort: component };
  });
  afterAll(async () => {
    await server.stop({ abrupt: true });
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    { managed: true, name: 'with stream management' },
    { managed: false, name: 'without stream management' },
  ])(
    `loses nothing that was stored, repeats nothing without a flag, keeps the order and opens always: ${KILLS} kills $name`,
    async ({ managed }) => {
      const seed = Number(process.env['XMPP_BROKER_SEED'] ?? Date.now() % 2 ** 31);
      const outcome = await rounds({ program, place, managed, kills: KILLS, seed, folder });
      expect(outcome.wrong, `seed ${seed}`).toEqual([]);
      expect(outcome.kills).toBe(KILLS);
      expect(outcome.stored).toBeGreaterThan(KILLS);
      if (process.env['XMPP_BROKER_KILLS'] !== undefined) console.log(JSON.stringify(outcome));
    },
    600_000,
  );
});
