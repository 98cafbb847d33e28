// examples/workers.ts: real processes, real NATS, a real XMPP server, and SIGKILL.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { Broker, xml, XMPP } from 'xmpp-broker';
import { SERVERS } from '../../../scripts/servers.mjs';
import { Child } from '../../docs/support/child.js';
import { ROOT } from '../../docs/support/markdown.js';
import { Workshop } from '../../docs/support/workshop.js';
import { describeServer, Nats, Prosody, type NatsServer, type TestServer } from '../harness/index.js';

const DESK = 'comp.localhost';

describeServer(SERVERS.nats.find() === null ? 'nats' : 'prosody', 'examples/workers.ts', () => {
  const workshop = new Workshop();
  const children: Child[] = [];
  let nats: NatsServer;
  let prosody: TestServer<'starttls' | 'component'>;
  let program: string;
  let client: Broker;
  const heard: string[] = [];

  beforeAll(async () => {
    [nats, prosody] = await Promise.all([Nats.start(), Prosody.start()]);
    await prosody.addUser('alice', 'geheim');
    program = workshop.add('examples/workers.ts', readFileSync(join(ROOT, 'examples/workers.ts'), 'utf8'));
    mkdirSync(join(workshop.path, 'desk'));
    client = new Broker({
      connectionType: XMPP,
      host: '127.0.0.1',
      port: prosody.ports.starttls,
      domain: 'localhost',
      username: 'alice',
      password: 'geheim',
      resource: 'desk',
      tls: { ca: prosody.ca },
      logger: false,
    });
    client.subscribe('PCJ_NODERECEIVED', (node) => {
      if (node.localName === 'message') heard.push(node.getChildText('body') ?? '');
    });
    await client.connect();
    client.output(xml('presence'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await child[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    client.halt();
    await Promise.all([nats.dispose(), prosody.dispose()]);
    workshop[Symbol.dispose]();
  });

  function start(role: string, env: Record<string, string> = {}): Child {
    const child = new Child(
      workshop,
      program,
      { detour: {}, folder: join(workshop.path, 'desk') },
      {
        NATS_SERVERS: Nats.url(nats),
        XMPP_HOST: '127.0.0.1',
        XMPP_PORT: String(prosody.ports.component),
        XMPP_DOMAIN: DESK,
        NODE_EXTRA_CA_CERTS: '',
        ...env,
      },
      [role],
    );
    children.push(child);
    return child;
  }

  const say = (body: string) => client.output(xml('message', { to: DESK, type: 'chat' }, xml('body', {}, body)));

  it('I-1: a worker that is killed in its handler leaves the question to another; so does the process with the link', async () => {
    const first = start('link');
    await first.prints(`ready as ${DESK}`);
    const standby = start('link');
    await standby.prints('waiting');
    const minutes = start('minutes');
    await minutes.prints('at work for minutes');
    const slow = start('answers', { WORK_MS: '600000' });
    await slow.prints('at work for answers');

    say('why?');
    say('how?');
    await slow.prints('thinking about "why?"');
    slow.signal('SIGKILL');
    const other = start('answers');
    await other.prints('at work for answers');
    await expect.poll(() => heard, { timeout: 25_000 }).toEqual(['You asked: why?', 'You asked: how?']);
    expect(other.output).toContain('thinking about "why?", perhaps not for the first time');
    await minutes.prints('said: why?');
    await minutes.prints('said: how?');

    // Requests in both directions: the worker answers one of the client over the link of another process.
    const ask = (id: string | null) =>
      client.request(xml('iq', { type: 'get', to: DESK }, xml('ticket', { xmlns: 'urn:example:desk', id })));
    expect((await ask('7')).firstElementChild?.getAttribute('state')).toBe('open');
    await expect(ask(null)).rejects.toMatchObject({ condition: 'bad-request' });

    first.signal('SIGKILL');
    await standby.prints(`ready as ${DESK}`);
    heard.length = 0;
    say('and now?');
    await expect.poll(() => heard, { timeout: 15_000 }).toEqual(['You asked: and now?']);
    expect((await ask('8')).firstElementChild?.getAttribute('id')).toBe('8');

    for (const child of [other, minutes, standby]) child.signal('SIGTERM');
    for (const child of [other, minutes, standby]) {
      expect(await child.ended()).toMatchObject({ code: 0, output: expect.stringContaining('closed') as string });
    }
  }, 90_000);

  it('says what it wants to be told', async () => {
    expect(await start('').ended()).toMatchObject({
      code: 1,
      output: expect.stringContaining('link, answers or minutes') as string,
    });
  });
});
