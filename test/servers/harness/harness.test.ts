import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { describeServer, Ejabberd, Jabberd2, Prosody, type TestServer } from './index.js';
import { featuresFrom, portAnswers } from './probe.js';

interface Starter {
  start(): Promise<TestServer<'starttls' | 'directTls'>>;
}
const STARTERS = { prosody: Prosody, ejabberd: Ejabberd, jabberd2: Jabberd2 } satisfies Record<string, Starter>;

const serves = async (server: TestServer<'starttls'>) => {
  (await featuresFrom(server.ports.starttls, 'localhost')).destroy();
};

for (const name of ['prosody', 'ejabberd', 'jabberd2'] as const) {
  const starter: Starter = STARTERS[name];
  describeServer(name, 'private instances', () => {
    test('starts, stops and leaves nothing behind', async () => {
      const server = await starter.start();
      const pids = Object.values(server.pids);
      expect(server.running).toBe(true);
      await server.stop();
      expect(server.running).toBe(false);
      await expect(portAnswers(server.ports.starttls)).rejects.toThrow('ECONNREFUSED');
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
      expect(existsSync(server.directory)).toBe(true);
      await server.dispose();
      expect(existsSync(server.directory)).toBe(false);
    });

    test('comes back in the same place after SIGKILL', async () => {
      await using server = await starter.start();
      const { ports, pids, directory } = server;
      await server.kill();
      expect(server.running).toBe(false);
      await server.start();
      expect(server.ports).toEqual(ports);
      expect(server.directory).toBe(directory);
      expect(server.pids).not.toEqual(pids);
      await expect.poll(() => serves(server).then(() => true), { timeout: 10_000 }).toBe(true);
    });

    test('two instances run side by side', async () => {
      const [one, two] = await Promise.all([starter.start(), starter.start()]);
      await using first = one;
      await using second = two;
      expect(Object.values(first.ports).filter((port) => Object.values(second.ports).includes(port))).toEqual([]);
      await first.kill();
      expect(second.running).toBe(true);
      await portAnswers(second.ports.starttls);
    });
  });
}
