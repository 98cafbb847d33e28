import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JABBERD14_COMPONENT, XMPP } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';
import { generator } from '../../support/random.js';
import { Lives, type Sender } from './ledger.js';

let server: LoopbackServer;

beforeAll(async () => {
  server = await LoopbackServer.start({
    tls: false,
    accounts: { juliet: 'r0m30' },
    components: { 'echo.localhost': 'secret' },
    componentConflict: 'replace',
    onHandlerError: () => undefined,
  });
});

afterAll(() => server.stop());

const client = (streamManagement: 'resume' | 'ack'): Sender => ({
  options: {
    connectionType: XMPP.with({ mechanisms: ['SCRAM-SHA-1'], streamManagement }),
    domain: 'localhost',
    username: 'juliet',
    password: 'r0m30',
    resource: 'x',
    port: server.ports.client,
    tls: { policy: 'disabled' },
  },
  queue: 'juliet@localhost',
  from: 'juliet@localhost',
  cut: () => server.cut('juliet@localhost/x'),
});

const SENDERS: Readonly<Record<string, () => Sender>> = {
  'a client, whose sessions are resumed': () => client('resume'),
  'a client that is only told what arrived': () => client('ack'),
  'a component': () => ({
    options: {
      connectionType: JABBERD14_COMPONENT,
      domain: 'echo.localhost',
      password: 'secret',
      port: server.ports.component,
    },
    queue: 'echo.localhost',
    from: 'echo.localhost',
    cut: () => server.cut('echo.localhost'),
  }),
};

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = Number(process.env.ROUNDS ?? 10);

describe.each(Object.entries(SENDERS))('D-1: %s and is killed at any step', (_, sender) => {
  it.each(Array.from({ length: ROUNDS }, (_, round) => SEED + round))(
    'loses nothing, repeats nothing without a flag, and keeps the order (seed %i)',
    async (seed) => {
      const lives = new Lives(server, sender(), generator(seed * 7_919));
      for (let life = 0; life < 8; life += 1) await lives.live();
      await lives.rest();
      expect(lives.problems).toEqual([]);
    },
  );
});
