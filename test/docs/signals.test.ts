import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Child } from './support/child.js';
import { readPages, ROOT } from './support/markdown.js';
import { openPlace, type Place } from './support/place.js';
import { programsOf } from './support/programs.js';
import { Workshop } from './support/workshop.js';

/** What the examples are run with, and print when they are ready. */
const EXAMPLES: Readonly<
  Record<string, { env: Readonly<Record<string, string>>; args?: string[]; ready: string | null }>
> = {
  'client.ts': { env: { XMPP_USER: 'juliet', XMPP_PASSWORD: 'r0m30' }, ready: 'ready as juliet@' },
  'component.ts': { env: { XMPP_DOMAIN: 'echo.example.org' }, ready: 'ready as echo.' },
  'connection.ts': {
    env: { XMPP_DOMAIN: 'echo.example.org', XMPP_SERVER: '127.0.0.1:5347' },
    ready: 'ready as echo.',
  },
  'legacy.ts': {
    env: { XMPP_USER: 'juliet', XMPP_PASSWORD: 'r0m30', XMPP_INSIST: 'yes' },
    ready: 'contacts: ',
  },
  'own-dialect.ts': { env: { XMPP_DOMAIN: 'echo.example.org' }, ready: null },
  'privileged.ts': { env: { XMPP_DOMAIN: 'echo.example.org' }, ready: 'ready as echo.' },
  'router-service.ts': {
    env: { XMPP_PORT: '5348', XMPP_SERVERNAME: 'example.org' },
    args: ['worker'],
    ready: 'is ready',
  },
};

/** Needs a native module and a file: test/stores/forwarder.test.ts ends it. */
const ELSEWHERE = ['forwarder.ts', 'standby.ts', 'workers.ts', 'fleet.ts'];

interface Run {
  readonly name: string;
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  /** What it prints when it is ready; null where another test sends a signal behind that, or it ends by itself. */
  readonly ready: string | null;
}

const workshop = new Workshop();
let place: Place;
beforeAll(async () => {
  place = await openPlace(workshop);
});
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  workshop[Symbol.dispose]();
});

const runs: readonly Run[] = [
  ...readPages()
    .flatMap(programsOf)
    .filter(({ stays }) => stays)
    .map(({ name, source }, k) => {
      return { name, file: workshop.add(`page-${String(k)}.ts`, source), env: {}, args: [], ready: null };
    }),
  ...Object.entries(EXAMPLES).map(([name, { env, args = [], ready }]) => {
    const file = workshop.add(`examples/${name}`, readFileSync(`${ROOT}/examples/${name}`, 'utf8'));
    return { name, file, env: { XMPP_DOMAIN: 'example.org', ...env }, args, ready };
  }),
];

/** Two at a time. */
async function each(some: readonly Run[], does: (run: Run) => Promise<string>): Promise<Record<string, string>> {
  const left = [...some];
  const outcomes: Record<string, string> = {};
  const work = async (): Promise<void> => {
    for (let run = left.shift(); run !== undefined; run = left.shift()) outcomes[run.name] = await does(run);
  };
  await Promise.all([work(), work()]);
  return outcomes;
}

const inOrder = (some: readonly Run[]) => Object.fromEntries(some.map(({ name }) => [name, 'ended with 0']));

async function outcome(child: Child): Promise<string> {
  const { code, signal, output } = await child.ended();
  return code === 0 && !output.includes('Error') ? 'ended with 0' : `${String(code ?? signal)}: ${output}`;
}

/** A server that says nothing, or a header and nothing more; then somebody sends the signal. */
async function interrupted(run: Run, signal: NodeJS.Signals, says: 'nothing' | 'a header'): Promise<string> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    if (says === 'nothing') child.signal(signal);
    socket.once('data', (opening) => {
      const [, xmlns = ''] = / xmlns=['"]([^'"]+)/.exec(opening.toString()) ?? [];
      const header = `<stream:stream xmlns='${xmlns}' xmlns:stream='http://etherx.jabber.org/streams' id='s1' from='example.org' version='1.0'>`;
      if (says === 'a header') socket.write(header, () => child.signal(signal));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const folder = join(workshop.path, `silent-${String(port)}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'ca.pem'), place.server.ca);
  const detour = { 5222: port, 5223: port, 5347: port, 5348: port };
  const child = new Child(workshop, run.file, { folder, detour }, run.env, run.args);
  const ended = await outcome(child);
  for (const socket of sockets) socket.destroy();
  server.close();
  return ended;
}

describe('D6: every program that stays, and every example, ends in order', () => {
  it('has them all', () => {
    const examples = readdirSync(`${ROOT}/examples`).filter((name) => name.endsWith('.ts'));
    expect([...Object.keys(EXAMPLES), ...ELSEWHERE].sort()).toEqual(examples.sort());
    expect(runs.length).toBeGreaterThan(15);
  });

  it('on SIGTERM while nobody answers', async () => {
    expect(await each(runs, (run) => interrupted(run, 'SIGTERM', 'nothing'))).toEqual(inOrder(runs));
  });

  it('on SIGINT within the negotiation', async () => {
    expect(await each(runs, (run) => interrupted(run, 'SIGINT', 'a header'))).toEqual(inOrder(runs));
  });

  it('on SIGINT behind READY', async () => {
    const some = runs.filter(({ ready }) => ready !== null);
    const ended = await each(some, async (run) => {
      await using child = new Child(workshop, run.file, place, run.env, run.args);
      await child.prints(run.ready ?? '');
      child.signal('SIGINT');
      return await outcome(child);
    });
    expect(ended).toEqual(inOrder(some));
  });
});
