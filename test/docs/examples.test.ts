import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Broker, JABBERD14_COMPONENT, NS, xml } from 'xmpp-broker';
import { Child } from './support/child.js';
import { ROOT } from './support/markdown.js';
import { openPlace, type Place } from './support/place.js';
import { Workshop } from './support/workshop.js';

const workshop = new Workshop();
let place: Place;
beforeAll(async () => {
  place = await openPlace(workshop);
});
afterAll(async () => {
  await place[Symbol.asyncDispose]();
  workshop[Symbol.dispose]();
});

const settings = { XMPP_HOST: '127.0.0.1', XMPP_PORT: '5347', XMPP_DOMAIN: 'echo.example.org', XMPP_SECRET: 'secret' };

function add(example: string): string {
  return workshop.add(`examples/${example}`, readFileSync(`${ROOT}/examples/${example}`, 'utf8'));
}

function start(example: string, env: Partial<typeof settings> = {}): Child {
  return new Child(workshop, add(example), place, { ...settings, ...env });
}

/** Somebody on the same server. */
async function friend(): Promise<Broker> {
  const broker = new Broker({
    connectionType: JABBERD14_COMPONENT,
    host: '127.0.0.1',
    port: place.server.ports.component,
    domain: 'peer.example.org',
    password: 'secret',
    logger: false,
  });
  await broker.connect();
  return broker;
}

describe('examples/component.ts', () => {
  it('connects, echoes, answers service discovery, refuses what it does not know, and closes on SIGTERM', async () => {
    await using component = start('component.ts');
    await component.prints('ready as echo.example.org');
    await using peer = await friend();

    const echoed = peer.events.once('PCJ_NODERECEIVED');
    peer.output(
      xml('message', { to: 'anybody@echo.example.org', type: 'chat', id: 'm1' }, xml('body', {}, 'wer da? <&>')),
    );
    const echo = await echoed;
    expect(echo.getChildText('body')).toBe('wer da? <&>');
    expect(echo.getAttribute('from')).toBe('anybody@echo.example.org');

    const to = 'echo.example.org';
    const info = await peer.request(xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.DISCO_INFO })));
    const identity = info.getChild('query', NS.DISCO_INFO)?.getChild('identity');
    expect(identity?.getAttribute('name')).toBe('Echo');
    const unknown = peer.request(xml('iq', { type: 'get', to }, xml('query', { xmlns: 'urn:example:unknown' })));
    await expect(unknown).rejects.toMatchObject({ condition: 'service-unavailable' });

    component.signal('SIGTERM');
    expect(await component.ended()).toMatchObject({ code: 0, signal: null });
    expect(component.output).toContain('closed');
  });

  it('says what is wrong when it cannot connect, and ends', async () => {
    await using component = start('component.ts', { XMPP_SECRET: 'wrong' });
    expect(await component.ended()).toMatchObject({
      code: 1,
      output: expect.stringContaining('not-authorized') as string,
    });
  });
});

describe('examples/client.ts', () => {
  const asJuliet = { XMPP_HOST: '127.0.0.1', XMPP_PORT: '5222', XMPP_DOMAIN: 'example.org', XMPP_USER: 'juliet' };

  it('says that it is there, answers, is resumed after a cut, and survives a restart of the server', async () => {
    await using bot = new Child(workshop, add('client.ts'), place, { ...asJuliet, XMPP_PASSWORD: 'r0m30' });
    await bot.prints('ready as juliet@example.org/');
    /** Says something, and waits for the answer: behind a restart, an older one may come once more before it. */
    const says = async (peer: Broker, to: string, body: string, answer: RegExp) => {
      const stanzas = peer.events.iterate('PCJ_NODERECEIVED', { signal: AbortSignal.timeout(20_000) });
      const from = 'somebody@peer.example.org';
      peer.output(xml('message', { from, to, type: 'chat', id: 'm1' }, xml('body', {}, body)));
      for await (const stanza of stanzas) if (answer.test(stanza.getChildText('body') ?? '')) return;
    };
    const address = /ready as (\S+)/.exec(bot.output)?.[1] ?? '';
    {
      await using peer = await friend();
      await says(peer, address, 'wer da? <&>', /^you said: wer da\? <&>$/);
      await says(peer, address, 'ping', /^pong after \d+ ms$/);
      const ping = peer.request(xml('iq', { type: 'get', to: address }, xml('ping', { xmlns: NS.PING })));
      expect((await ping).getAttribute('type')).toBe('result');
      place.server.cut(address);
      await bot.prints(`resumed as ${address}`);
      await says(peer, address, 'again', /^you said: again$/);
    }

    const back = place.server.events.once('session', { signal: AbortSignal.timeout(20_000) });
    await place.server.restart({ abrupt: true, keepSessions: false });
    const { jid, resumed } = await back;
    expect(resumed).toBe(false);
    await using peer = await friend();
    await says(peer, jid.toString(), 'still there?', /^you said: still there\?$/);

    bot.signal('SIGTERM');
    expect(await bot.ended()).toMatchObject({ code: 0, signal: null });
    expect(bot.output.match(/^ready as/gm)).toHaveLength(2);
    expect(bot.output).toContain('closed');
  });

  it('says what is wrong when it cannot sign in, and ends', async () => {
    await using bot = new Child(workshop, add('client.ts'), place, { ...asJuliet, XMPP_PASSWORD: 'wrong' });
    expect(await bot.ended()).toMatchObject({ code: 1, output: expect.stringContaining('not-authorized') as string });
  });
});

describe('examples/own-dialect.ts', () => {
  it('sends a message to itself and prints what comes back', async () => {
    await using program = start('own-dialect.ts');
    const { code, output } = await program.ended();
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining('<body>hello</body>') as string,
    });
    expect(output).toContain("<mark xmlns='urn:example:mark'/>");
  });

  it('ends with a failure when the server refuses it', async () => {
    await using program = start('own-dialect.ts', { XMPP_SECRET: 'wrong' });
    expect(await program.ended()).toMatchObject({ code: 1 });
  });
});

describe('the folder examples', () => {
  it('has no program that no test runs', () => {
    const tests = readdirSync(`${ROOT}/test`, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts'))
      .map((path) => readFileSync(`${ROOT}/test/${path}`, 'utf8'))
      .join('\n');
    const programs = readdirSync(`${ROOT}/examples`).filter((name) => name.endsWith('.ts'));
    expect(programs.filter((name) => !tests.includes(name) && !tests.includes(name.replace(/\.ts$/, '.js')))).toEqual(
      [],
    );
  });
});
