// examples/forwarder.ts, killed while it works.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Broker, XMPP } from 'xmpp-broker';
import { Child } from '../docs/support/child.js';
import { ROOT } from '../docs/support/markdown.js';
import { openPlace, type Place } from '../docs/support/place.js';
import { openProgramFolder } from '../docs/support/project.js';
import { describeStore, file } from './support/place.js';

describeStore('examples/forwarder.ts', () => {
  const workshop = openProgramFolder();
  let place: Place;
  let program: string;
  beforeAll(async () => {
    place = await openPlace(workshop);
    program = workshop.add('examples/forwarder.ts', readFileSync(join(ROOT, 'examples/forwarder.ts'), 'utf8'));
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    workshop[Symbol.dispose]();
  });

  const start = (env: Record<string, string>) =>
    new Child(workshop, program, place, {
      XMPP_USER: 'juliet',
      XMPP_PASSWORD: 'r0m30',
      XMPP_TO: 'romeo@example.org/phone',
      PORT: '0',
      NODE_NO_WARNINGS: '1',
      NODE_PATH: process.env['NODE_PATH'] ?? '',
      ...env,
    });

  async function portOf(child: Child): Promise<string> {
    await child.prints('listening on port ');
    return /listening on port (\d+)/.exec(child.output)?.[1] ?? '';
  }

  /** What becomes of an alert: the status, or 0 when nobody answered. */
  async function post(port: string, body: string, key: string): Promise<number> {
    try {
      const headers = { 'idempotency-key': key };
      return (await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers })).status;
    } catch {
      return 0;
    }
  }

  async function chat(received: string[]): Promise<Broker> {
    const broker = new Broker({
      connectionType: XMPP,
      host: '127.0.0.1',
      port: place.server.ports.client,
      domain: 'example.org',
      username: 'romeo',
      password: 'j0l13t',
      resource: 'phone',
      tls: { ca: place.server.ca },
      logger: false,
    });
    broker.subscribe('PCJ_NODERECEIVED', (node) => void received.push(node.getChildText('body') ?? ''));
    await broker.connect();
    return broker;
  }

  it('A-Q-1: delivers every alert that it took, though it is killed while it works', async () => {
    const received: string[] = [];
    await using chatter = await chat(received);
    const queue = file();
    const taken: string[] = [];
    let number = 0;
    for (let life = 0; life < 4; life += 1) {
      await using child = start({ QUEUE_FILE: queue });
      const port = await portOf(child);
      if (life % 2 === 0) await child.prints('as juliet@example.org');
      const last = life === 3;
      // As many at a time as somebody who is alarmed sends; in the middle of them it is killed.
      const answers = Array.from({ length: 40 }, async () => {
        const alert = `alert ${(number += 1)}`;
        if ((await post(port, alert, alert)) === 202) taken.push(alert);
        if (!last && taken.length > 20 * life + 10) child.signal('SIGKILL');
      });
      await Promise.all(answers);
      if (!last) {
        expect((await child.ended()).signal).toBe('SIGKILL');
        continue;
      }
      await expect.poll(() => taken.filter((alert) => !received.includes(alert)), { timeout: 30_000 }).toEqual([]);
      child.signal('SIGTERM');
      expect(await child.ended()).toMatchObject({ code: 0, output: expect.stringContaining('closed') as string });
    }
    expect(taken.length).toBeGreaterThan(60);
    expect(chatter.state).toBe('ready');
  });

  it('takes alerts while there is no server, and answers what is none', async () => {
    const queue = file();
    await using child = start({ QUEUE_FILE: queue, XMPP_HOST: '127.0.0.1', XMPP_PORT: '1' });
    const port = await portOf(child);
    expect(await post(port, 'one', 'k1')).toBe(202);
    expect(await post(port, 'one again', 'k1')).toBe(202);
    expect(await post(port, '', 'k2')).toBe(400);
    expect(await post(port, 'x'.repeat(20_000), 'k3')).toBe(413);
    expect(await post(port, 'a character \u0000 that XML has not', 'k4')).toBe(400);
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(405);

    // The file is in use, and that is told.
    await using second = start({ QUEUE_FILE: queue });
    expect(await second.ended()).toMatchObject({ code: 1, output: expect.stringContaining('in use') as string });
    child.signal('SIGKILL');
    await child.ended();

    const received: string[] = [];
    await using chatter = await chat(received);
    await using third = start({ QUEUE_FILE: queue });
    await third.prints('1 alerts of earlier');
    await expect.poll(() => received, { timeout: 30_000 }).toEqual(['one']);
    expect(chatter.state).toBe('ready');
  });
});
