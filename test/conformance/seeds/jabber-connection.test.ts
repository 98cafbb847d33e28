import { describe, expect, test, vi } from 'vitest';
import { Broker, Connection, HANDLED, xml } from 'xmpp-broker';
import { failure } from '../../support/failure.js';
import { say, useSite } from './site.js';

const site = useSite();

describe('the manner of Jabber::Connection', () => {
  /** A connection, and what to say to it. */
  async function served(): Promise<{ connection: Connection; peer: Broker }> {
    return {
      connection: await site.signedIn(),
      peer: await site.ready(site.component('peer.localhost')),
    };
  }

  test('row 46: handlers by element name, several, in the order of registration', async () => {
    const { connection, peer } = await served();
    const seen: string[] = [];
    connection.registerHandler('message', () => void seen.push('first'));
    connection.registerHandler('presence', () => void seen.push('presence'));
    connection.registerHandler('message', () => void seen.push('second'));
    peer.output(say('comp.localhost', 'x'));
    while (seen.length < 2) await connection.process(1);
    expect(seen).toEqual(['first', 'second']);
  });

  test('row 47: returning HANDLED stops the handlers behind', async () => {
    const { connection, peer } = await served();
    const [first, second] = [vi.fn(() => HANDLED), vi.fn()];
    connection.registerHandler('message', first);
    connection.registerHandler('message', second);
    peer.output(say('comp.localhost', 'x'));
    while (first.mock.calls.length === 0) await connection.process(1);
    expect(second).not.toHaveBeenCalled();
  });

  test('row 48: a parcel is handed from handler to handler; an empty return keeps it', async () => {
    const { connection, peer } = await served();
    const parcels: unknown[] = [];
    for (const returned of ['a', undefined, 'b', '']) {
      connection.registerHandler('message', (_, parcel) => {
        parcels.push(parcel);
        return returned;
      });
    }
    peer.output(say('comp.localhost', 'x'));
    while (parcels.length < 4) await connection.process(1);
    expect(parcels).toEqual([undefined, 'a', 'a', 'b']);
  });

  test('row 49: elements without a handler are dropped quietly; requests can be answered for them', async () => {
    const connection = await site.signedIn('comp.localhost', { answerRequests: true });
    const broker = await site.ready(site.component('peer.localhost'));
    const running = connection.start();
    broker.output(say('comp.localhost', 'nobody cares'));
    const asked = xml('iq', { type: 'get', to: 'comp.localhost' }, xml('q', { xmlns: 'u:q' }));
    expect(await failure(broker.request(asked))).toMatchObject({ condition: 'service-unavailable' });
    await connection.disconnect();
    await running;
    expect(connection.lastError).toBeNull();
  });

  test('row 50: periodic callbacks while running, exact and not in steps of five seconds', async () => {
    const connection = await site.signedIn();
    let beats = 0;
    connection.registerBeat(0.02, () => {
      beats += 1;
      if (beats === 3) void connection.disconnect();
    });
    await connection.start();
    expect(beats).toBeGreaterThanOrEqual(3);
  });

  test('row 51: process(t) waits for stanzas up to that time, and is false at the end', async () => {
    const { connection, peer } = await served();
    const seen = vi.fn();
    connection.registerHandler('message', seen);
    expect(await connection.process(0.01)).toBe(true);
    peer.output(say('comp.localhost', 'x'));
    while (seen.mock.calls.length === 0) expect(await connection.process(1)).toBe(true);
    await connection.disconnect();
    expect(await connection.process(1)).toBe(false);
  });

  test('row 52: start() runs until the server closes', async () => {
    const connection = await site.signedIn();
    const running = connection.start();
    site.server.kick('comp.localhost', 'system-shutdown');
    await expect(running).rejects.toMatchObject({ condition: 'system-shutdown' });
    expect(connection.connected).toBe(false);
    const again = await site.signedIn('peer.localhost');
    const quiet = again.start();
    site.server.cut('peer.localhost');
    await quiet;
  });

  test('row 53: lastError tells what went wrong', async () => {
    const connection = site.connection();
    await connection.connect();
    const error = await failure(connection.auth('wrong'));
    expect(error).toMatchObject({ condition: 'not-authorized' });
    expect(connection.lastError?.message).toBe(error.message);
  });
});
