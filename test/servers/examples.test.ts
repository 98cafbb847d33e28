// The examples, each in a process of its own, against real servers.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Broker, JABBERD14_COMPONENT, LEGACY, NS, XMPP, xml, type BrokerOptions } from 'xmpp-broker';
import { ROOT } from '../docs/support/markdown.js';
import { Workshop } from '../docs/support/workshop.js';
import { describeServer, Ejabberd, Jabberd2, Prosody, sharedServer, type TestServer } from './harness/index.js';

const workshop = new Workshop();
const programs: Program[] = [];
const brokers: Broker[] = [];

afterEach(async () => {
  for (const program of programs.splice(0)) await program.kill();
  for (const broker of brokers.splice(0)) broker.halt();
});
afterAll(() => {
  workshop[Symbol.dispose]();
});

const prosody = sharedServer(() => Prosody.start());
const ejabberd = sharedServer(() => Ejabberd.start());
const jabberd2 = sharedServer(() => Jabberd2.start());

/** An example that runs. */
class Program {
  /** What it printed so far, both streams. */
  output = '';
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #process: ChildProcess;
  readonly #watchers = new Set<() => void>();

  private constructor(child: ChildProcess) {
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const watch of this.#watchers) watch();
      });
    }
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve(code ?? signal);
      });
    });
  }

  static start(server: TestServer, example: string, args: readonly string[], env: Record<string, string>): Program {
    const path = workshop.add(`examples/${example}`, readFileSync(join(ROOT, 'examples', example), 'utf8'));
    const child = spawn(process.execPath, [path, ...args], {
      env: {
        PATH: process.env['PATH'],
        NODE_EXTRA_CA_CERTS: join(server.directory, 'tls/ca.pem'),
        XMPP_HOST: server.host,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const program = new Program(child);
    programs.push(program);
    return program;
  }

  /** Resolves when that was printed; rejects when the program ends without. */
  async prints(wanted: RegExp | ((output: string) => boolean)): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const watch = () => {
        if (!(typeof wanted === 'function' ? wanted(this.output) : wanted.test(this.output))) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
      void this.ended.then(() => {
        watch();
        reject(new Error(`the program ended and did not print ${String(wanted)}:\n${this.output}`));
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }
}

/** Somebody to talk to. */
async function friend(options: Omit<BrokerOptions, 'host'>): Promise<Broker> {
  const broker = new Broker({
    host: '127.0.0.1',
    reconnect: { initial: true, firstDelayMs: 300, maxAttempts: 20 },
    logger: false,
    ...options,
  });
  brokers.push(broker);
  await broker.connect();
  return broker;
}

function client(server: TestServer<'starttls'>, username: string, insist = false): Promise<Broker> {
  return friend({
    connectionType: LEGACY.with({ insist }),
    port: server.ports.starttls,
    domain: 'localhost',
    username,
    password: 'secret',
    resource: 'friend',
    tls: { ca: server.ca },
  });
}

/** Says something, and resolves with the answer. */
async function talk(broker: Broker, to: string, body: string): Promise<string> {
  const heard = new Promise<string>((resolve) => {
    const subscription = broker.subscribe('PCJ_NODERECEIVED', (node) => {
      const text = node.getChildText('body');
      if (text === null || node.getAttribute('from') !== to) return;
      subscription.cancel();
      resolve(text);
    });
  });
  broker.output(xml('message', { to, type: 'chat', id: 'm' }, xml('body', {}, body)));
  return heard;
}

const version = (to: string) => xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.IQ_VERSION }));

describe('examples/legacy.ts', () => {
  const start = (server: TestServer<'starttls'>, env: Record<string, string> = {}) =>
    Program.start(server, 'legacy.ts', [], {
      XMPP_PORT: String(server.ports.starttls),
      XMPP_DOMAIN: 'localhost',
      XMPP_USER: 'alice',
      XMPP_PASSWORD: 'secret',
      ...env,
    });

  function lives(method: string, env: Record<string, string>, shared: () => Promise<TestServer<'starttls'>>): void {
    test('signs in, answers, and closes', async () => {
      const server = await shared();
      const program = start(server, env);
      await program.prints(/ready as alice@localhost\/legacy-example, contacts: none/);
      expect(program.output).toContain(`signed in with ${method}`);
      const bob = await client(server, 'bob', true);
      bob.output(xml('presence'));
      expect(await talk(bob, 'alice@localhost/legacy-example', 'hi <&>')).toBe('you said: hi <&>');
      const answer = await bob.request(version('alice@localhost/legacy-example'));
      expect(answer.firstElementChild?.getChildText('name')).toBe('legacy example');
      program.signal('SIGTERM');
      expect(await program.ended).toBe(0);
      expect(program.output).toContain('closed');
    });
  }

  describeServer('ejabberd', 'legacy.ts', () => {
    lives('digest', {}, ejabberd);

    test('says what is wrong, and ends', async () => {
      const program = start(await ejabberd(), { XMPP_PASSWORD: 'wrong' });
      expect(await program.ended).toBe(1);
      expect(program.output).toContain('not-authorized');
    });
  });

  describeServer('prosody', 'legacy.ts', () => {
    lives('password', { XMPP_INSIST: 'yes' }, prosody);
  });
});

describe('examples/client.ts', () => {
  const start = (server: TestServer<'starttls'>, env: Record<string, string> = {}) =>
    Program.start(server, 'client.ts', [], {
      XMPP_PORT: String(server.ports.starttls),
      XMPP_DOMAIN: 'localhost',
      XMPP_USER: 'alice',
      XMPP_PASSWORD: 'secret',
      ...env,
    });

  /** Asks to see the presence of the bot, which lets everybody, and resolves when it is seen. */
  async function seesTheBot(bob: Broker): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const subscription = bob.subscribe('PCJ_NODERECEIVED', (node) => {
        const from = node.getAttribute('from') ?? '';
        if (node.localName !== 'presence' || node.hasAttribute('type') || !from.startsWith('alice@localhost/')) return;
        subscription.cancel();
        resolve();
      });
    });
    bob.output(xml('presence'));
    bob.output(xml('presence', { to: 'alice@localhost', type: 'subscribe' }));
    await seen;
  }

  const address = (program: Program) => /.*ready as (\S+)/s.exec(program.output)?.[1] ?? '';

  function lives(begin: () => Promise<TestServer<'starttls'>>, shared: typeof begin): void {
    test('signs in, answers, survives a restart of the server, and closes', async () => {
      await using server = await begin();
      const program = start(server);
      await program.prints(/ready as alice@localhost\//);
      const bob = await friend({
        connectionType: XMPP,
        port: server.ports.starttls,
        domain: 'localhost',
        username: 'bob',
        password: 'secret',
        tls: { ca: server.ca },
      });
      await seesTheBot(bob);
      const first = address(program);
      expect(await talk(bob, first, 'hi <&>')).toBe('you said: hi <&>');
      expect(await talk(bob, first, 'ping')).toMatch(/^pong after \d+ ms$/);
      const answer = await bob.request(version(first));
      expect(answer.firstElementChild?.getChildText('name')).toBe('client example');
      const ping = await bob.request(xml('iq', { type: 'get', to: first }, xml('ping', { xmlns: NS.PING })));
      expect(ping.getAttribute('type')).toBe('result');

      const back = bob.events.once('PCJ_READY');
      await server.restart();
      await Promise.all([back, program.prints((output) => output.split('ready as ').length === 3)]);
      expect(program.output).toContain('lost (');
      expect(await talk(bob, address(program), 'still there?')).toBe('you said: still there?');
      program.signal('SIGTERM');
      expect(await program.ended).toBe(0);
      expect(program.output).toContain('closed');
    }, 60_000);

    test('says what is wrong, and ends', async () => {
      const program = start(await shared(), { XMPP_PASSWORD: 'wrong' });
      expect(await program.ended).toBe(1);
      expect(program.output).toContain('not-authorized');
    });
  }

  describeServer('prosody', 'client.ts', () => {
    lives(() => Prosody.start(), prosody);
  });
  describeServer('ejabberd', 'client.ts', () => {
    lives(() => Ejabberd.start(), ejabberd);
  });
});

describe('examples/connection.ts', () => {
  async function answers(program: Program, name: string, asker: Broker): Promise<void> {
    await program.prints(/ready as/);
    expect(await talk(asker, name, 'Add 1 2  39')).toBe('42');
    expect(await talk(asker, name, 'dance')).toBe('I can: add 1 2 3');
    const answer = await asker.request(version(name));
    expect(answer.firstElementChild?.getChildText('name')).toBe('connection example');
    program.signal('SIGTERM');
    expect(await program.ended).toBe(0);
    expect(program.output).toContain('closed');
  }

  describeServer('prosody', 'connection.ts', () => {
    test('as a client with SASL', async () => {
      const server = await prosody();
      const program = Program.start(server, 'connection.ts', [], {
        XMPP_SERVER: `127.0.0.1:${String(server.ports.starttls)}`,
        XMPP_DOMAIN: 'localhost',
        XMPP_USER: 'alice',
        XMPP_SASL: 'yes',
      });
      await answers(program, 'alice@localhost/connection-example', await client(server, 'bob', true));
    });

    test('as a component', async () => {
      const server = await prosody();
      const program = Program.start(server, 'connection.ts', [], {
        XMPP_SERVER: `127.0.0.1:${String(server.ports.component)}`,
        XMPP_DOMAIN: 'comp.localhost',
      });
      await answers(program, 'comp.localhost', await client(server, 'bob', true));
    });

    test('runs until the server closes', async () => {
      const own = await Prosody.start();
      try {
        const program = Program.start(own, 'connection.ts', [], {
          XMPP_SERVER: `127.0.0.1:${String(own.ports.component)}`,
          XMPP_DOMAIN: 'comp.localhost',
        });
        await program.prints(/ready as comp\.localhost/);
        await own.stop();
        expect(await program.ended).toBe(0);
      } finally {
        await own.dispose();
      }
    });
  });

  describeServer('ejabberd', 'connection.ts', () => {
    test('as a client with jabber:iq:auth; a wrong password ends it', async () => {
      const server = await ejabberd();
      const env = {
        XMPP_SERVER: `127.0.0.1:${String(server.ports.starttls)}`,
        XMPP_DOMAIN: 'localhost',
        XMPP_USER: 'alice',
      };
      const program = Program.start(server, 'connection.ts', [], env);
      await answers(program, 'alice@localhost/connection-example', await client(server, 'bob'));
      const wrong = Program.start(server, 'connection.ts', [], { ...env, XMPP_PASSWORD: 'wrong' });
      expect(await wrong.ended).toBe(1);
      expect(wrong.output).toContain('not-authorized');
    });
  });
});

describe('examples/router-service.ts', () => {
  const JOBS = 300;

  /** Two processes share a name and a third gives them work; one of the two is killed in the middle of it. */
  async function survives(server: TestServer, env: Record<string, string>): Promise<void> {
    const start = (...args: string[]) => Program.start(server, 'router-service.ts', args, env);
    const workers = [start('worker'), start('worker')];
    for (const worker of workers) await worker.prints(/is ready/);
    const sender = start('sender', String(JOBS));
    await sender.prints((output) => output.split('squared').length > 30);
    await workers[0]!.kill();
    expect(await sender.ended).toBe(0);
    const results = [...sender.output.matchAll(/^(\d+) squared is (\d+)$/gm)].map(([, n, square]) => [
      Number(n),
      Number(square),
    ]);
    expect(results).toHaveLength(JOBS);
    expect(new Set(results.map(([n]) => n)).size).toBe(JOBS);
    expect(results.every(([n = 0, square]) => square === n * n)).toBe(true);
    expect(sender.output).toContain(`${String(JOBS)} jobs done by 2 workers`);
    // The survivor goes on, and another one may take the place of the one that was killed.
    const third = start('worker');
    await third.prints(/is ready/);
    const again = start('sender', '40');
    expect(await again.ended).toBe(0);
    expect(again.output).toContain('40 jobs done by 2 workers');
    workers[1]!.signal('SIGTERM');
    expect(await workers[1]!.ended).toBe(0);
  }

  describeServer('jabberd2', 'router-service.ts', () => {
    test('with multi: one of two is killed, nothing is lost', async () => {
      const server = await jabberd2();
      await survives(server, {
        XMPP_KIND: 'jabberd2',
        XMPP_PORT: String(server.ports.router),
        XMPP_SERVERNAME: 'localhost',
        XMPP_SERVICE: 'squares.localhost',
        XMPP_SENDER: 'sender.localhost',
      });
    });

    test('jobs that are given before there is a worker wait for one', async () => {
      const server = await jabberd2();
      const env = {
        XMPP_PORT: String(server.ports.router),
        XMPP_SERVERNAME: 'localhost',
        XMPP_SERVICE: 'squares.localhost',
        XMPP_SENDER: 'sender.localhost',
      };
      const sender = Program.start(server, 'router-service.ts', ['sender', '5'], env);
      // Nothing is known of the name until a worker binds it: its arrival is what this waits for.
      const watcher = await friend({
        connectionType: JABBERD14_COMPONENT,
        port: server.ports.router,
        domain: 'watch.localhost',
        password: 'secret',
      });
      const gone = watcher.request(version('squares.localhost'));
      await expect(gone).rejects.toMatchObject({ layer: 'stanza' });
      const worker = Program.start(server, 'router-service.ts', ['worker'], env);
      await worker.prints(/is ready/);
      expect(await sender.ended).toBe(0);
      expect(sender.output).toContain('5 jobs done by 1 workers');
    });
  });

  describeServer('ejabberd', 'router-service.ts', () => {
    test('without domain_balancing: one of two is killed, nothing is lost', async () => {
      const server = await ejabberd();
      await survives(server, {
        XMPP_KIND: 'component',
        XMPP_PORT: String(server.ports.component),
        XMPP_SERVICE: 'comp.localhost',
        XMPP_SENDER: 'comp2.localhost',
      });
    });
  });
});

describe('examples/privileged.ts', () => {
  describeServer('prosody', 'privileged.ts', () => {
    let server: TestServer<'starttls' | 'component'>;
    beforeAll(async () => {
      server = await Prosody.start({
        extra: `
VirtualHost "localhost"
  modules_enabled = { "privilege"; "delegation" }
  modules_disabled = { "s2s"; "mam" }
  privileged_entities = { ["archive.localhost"] = { message = "outgoing" } }
  delegations = { ["${NS.MAM}"] = { jid = "archive.localhost" } }
Component "archive.localhost"
  modules_enabled = { "privilege"; "delegation" }
`,
      });
    });
    afterAll(() => server.dispose());

    test('keeps what a user sends, and gives it back page by page to nobody else', async () => {
      const program = Program.start(server, 'privileged.ts', [], {
        XMPP_PORT: String(server.ports.component),
        XMPP_DOMAIN: 'archive.localhost',
        XMPP_SECRET: 'secret',
      });
      await program.prints(/localhost grants messages: true/);
      const alice = await client(server, 'alice', true);
      for (const body of ['one', 'two', 'three']) {
        alice.output(xml('message', { to: 'archive.localhost', type: 'chat' }, xml('body', {}, body)));
      }
      const results: string[] = [];
      alice.subscribe('PCJ_NODERECEIVED', (node) => {
        const result = alice.trusted(node, 'mam', { queryid: 'q' });
        const message = result?.getChild('forwarded', NS.FORWARD)?.getChild('message', NS.CLIENT);
        if (message != null) results.push(message.getChildText('body') ?? '');
      });
      const rsm = 'http://jabber.org/protocol/rsm';
      const page = (after: string) =>
        alice.request(
          xml(
            'iq',
            { type: 'set' },
            xml(
              'query',
              { xmlns: NS.MAM, queryid: 'q' },
              xml('set', { xmlns: rsm }, xml('max', {}, 2), xml('after', {}, after)),
            ),
          ),
        );
      const first = (await page('')).getChild('fin', NS.MAM);
      expect(first?.getAttribute('complete')).toBe('false');
      const last = first?.getChild('set', rsm)?.getChildText('last') ?? '';
      expect((await page(last)).getChild('fin', NS.MAM)?.getAttribute('complete')).toBe('true');
      expect(results).toEqual(['one', 'two', 'three']);
      program.signal('SIGTERM');
      expect(await program.ended).toBe(0);
    });
  });
});
