// The recipes of docs/cookbook that use services of the server, and those that are about running a program: each as it is
// on its page, in a process of its own, on Prosody.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NS, xml, type Broker } from 'xmpp-broker';
import { readPages } from '../../docs/support/markdown.js';
import { describeServer } from '../harness/index.js';
import { arrives, useKitchen } from './kitchen.js';
import { RealProxies } from './real-proxies.js';

describeServer('prosody', 'recipes for services', () => {
  const { kitchen, romeo } = useKitchen();

  const OK = { code: 0, signal: null };

  test('a file is put at the server, and its link is sent', async () => {
    const heard = arrives(romeo(), (stanza) => stanza.getChild('x', NS.X_OOB) !== null);
    const path = kitchen().file('hello.txt', 'wer da? <&>\n');
    await using program = kitchen().start('upload.md', {}, [path, 'romeo@example.org']);
    expect(await program.ended()).toMatchObject(OK);
    const link = (await heard).getChild('x', NS.X_OOB)?.getChildText('url') ?? '';
    expect(program.output).toContain(link);
    const { pathname } = new URL(link);
    expect(await kitchen().download(pathname)).toBe('wer da? <&>\n');

    await using tooLarge = kitchen().start('upload.md', {}, [kitchen().file('large.bin', 'x'.repeat(200_000))]);
    expect(await tooLarge.ended()).toMatchObject({
      code: 1,
      output: expect.stringContaining('has 200000 bytes, and upload.example.org takes 100000') as string,
    });
  });

  test('a node is followed: what is there, what comes, what is taken back', async () => {
    const to = 'pubsub.example.org';
    const publish = (id: string, text: string) =>
      romeo().request(
        xml(
          'iq',
          { type: 'set', to },
          xml(
            'pubsub',
            { xmlns: NS.PUBSUB },
            xml('publish', { node: 'alerts' }, xml('item', { id }, xml('alert', { xmlns: 'urn:example:alert' }, text))),
          ),
        ),
      );
    const create = xml('pubsub', { xmlns: NS.PUBSUB }, xml('create', { node: 'alerts' }));
    await romeo().request(xml('iq', { type: 'set', to }, create));
    await publish('a1', 'before');
    await using program = kitchen().start('pubsub.md');
    await program.prints('following alerts');
    expect(program.output).toContain('item a1: before');
    await publish('a2', 'the disk is full');
    await program.prints('item a2: the disk is full');
    const forged = xml('event', { xmlns: NS.PUBSUB_EVENT }, xml('items', { node: 'alerts' }, xml('item', { id: 'f' })));
    romeo().output(xml('message', { to: 'juliet@example.org', type: 'headline' }, forged));
    const retract = xml('retract', { node: 'alerts', notify: 'true' }, xml('item', { id: 'a1' }));
    await romeo().request(xml('iq', { type: 'set', to }, xml('pubsub', { xmlns: NS.PUBSUB }, retract)));
    await program.prints('item a1 was taken back');
    expect(program.output).not.toContain('item f');
    program.signal('SIGTERM');
    expect(await program.ended()).toMatchObject(OK);
  });

  test('a command is offered, found, filled in, refused, and used by the other program', async () => {
    const to = 'desk.example.org';
    await using desk = kitchen().start('commands.md');
    await desk.prints('desk.example.org is ready');
    const items = await romeo().request(
      xml('iq', { type: 'get', to }, xml('query', { xmlns: NS.DISCO_ITEMS, node: NS.COMMANDS })),
    );
    expect(items.getChild('query', NS.DISCO_ITEMS)?.getChild('item')?.getAttribute('node')).toBe('light');
    const run = (broker: Broker, attributes: Record<string, string>) =>
      broker.request(
        xml('iq', { type: 'set', to }, xml('command', { xmlns: NS.COMMANDS, node: 'light', ...attributes })),
      );
    await expect(run(await kitchen().friend('sensor1'), {})).rejects.toMatchObject({ condition: 'forbidden' });
    await expect(run(romeo(), { sessionid: 'guessed' })).rejects.toMatchObject({ condition: 'bad-request' });
    const begun = (await run(romeo(), {})).getChild('command', NS.COMMANDS);
    expect(begun?.getChild('x', NS.DATA_FORMS)?.getAttribute('type')).toBe('form');
    const sessionid = begun?.getAttribute('sessionid') ?? '';
    await expect(run(romeo(), { sessionid })).rejects.toMatchObject({ condition: 'bad-request' });
    const canceled = await run(romeo(), { sessionid, action: 'cancel' });
    expect(canceled.getChild('command', NS.COMMANDS)?.getAttribute('status')).toBe('canceled');

    await using other = kitchen().start('commands.md 2', { XMPP_PASSWORD: 'j0l13t' });
    expect(await other.ended()).toMatchObject(OK);
    expect(other.output).toContain('completed: The light in the cellar is off');
    expect(desk.output).toContain('cellar: light off');
    desk.signal('SIGTERM');
    expect(await desk.ended()).toMatchObject(OK);
  });

  describeServer('proxies', 'recipes, with real TLS through them', () => {
    let proxies: RealProxies;
    beforeAll(async () => {
      proxies = await RealProxies.start(kitchen().server.ports.starttls);
    });
    afterAll(() => proxies[Symbol.asyncDispose]());
    const to = () => ({ XMPP_HOST: 'localhost', XMPP_PORT: String(kitchen().server.ports.starttls) });

    test('HTTP CONNECT', async () => {
      await using program = kitchen().start('proxy.md', { ...to(), PROXY_URL: proxies.http });
      expect(await program.ended()).toMatchObject(OK);
      expect(program.output).toContain('ready as juliet@example.org/');
      const stranger = proxies.http.replace('secret', 'wrong');
      await using refused = kitchen().start('proxy.md', { ...to(), PROXY_URL: stranger });
      expect(await refused.ended()).toMatchObject({
        code: 1,
        output: expect.stringContaining('the proxy answered with 40') as string,
      });
      expect(refused.output).not.toContain('wrong');
    });

    test('SOCKS', async () => {
      await using program = kitchen().start('proxy.md 2', { ...to(), PROXY_URL: proxies.socks });
      expect(await program.ended()).toMatchObject(OK);
      expect(program.output).toContain('ready as juliet@example.org/');
      await using refused = kitchen().start('proxy.md 2', {
        ...to(),
        PROXY_URL: proxies.socks.replace('secret', 'wrong'),
      });
      expect(await refused.ended()).toMatchObject({
        code: 1,
        output: expect.stringContaining('the connector failed') as string,
      });
      expect(refused.output).not.toContain('wrong');
    });
  });

  /** Says something to juliet, and gives what she answers. The server keeps it until she is there. */
  const says = async (body: string) => {
    const answer = arrives(romeo(), (stanza) => /^juliet@example\.org\//.test(stanza.getAttribute('from') ?? ''));
    romeo().output(xml('message', { to: 'juliet@example.org', type: 'chat', id: 'm1' }, xml('body', {}, body)));
    return (await answer).getChildText('body');
  };

  test('a service tells its health, and ends in order', async () => {
    const port = await kitchen().freePort();
    const secret = kitchen().file('password', 'r0m30\n');
    const env = { XMPP_PASSWORD_FILE: secret, HEALTH_PORT: String(port) };
    await using program = kitchen().start('service.md', env);
    await program.prints('ready as juliet@example.org/');
    const health = async (path: string) => (await fetch(`http://127.0.0.1:${String(port)}${path}`)).status;
    expect(await health('/live')).toBe(200);
    expect(await health('/ready')).toBe(200);
    expect(await health('/')).toBe(503);
    program.signal('SIGTERM');
    expect(await program.ended()).toMatchObject({ ...OK, output: expect.stringContaining('closed') as string });

    await using wrong = kitchen().start('service.md', { ...env, XMPP_PASSWORD_FILE: kitchen().file('wrong', 'no') });
    expect(await wrong.ended()).toMatchObject({ code: 1, output: expect.stringContaining('not-authorized') as string });
  });

  test.skipIf(!existsSync('/usr/bin/systemd-analyze'))('systemd takes the unit', () => {
    const unit = readPages()
      .find(({ path }) => path.endsWith('cookbook/service.md'))
      ?.blocks.find(({ language }) => language === 'ini')?.text;
    // The program is not there.
    const path = kitchen().file('bot.service', (unit ?? '').replace('/opt/bot/program.js', '/dev/null'));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('bot.service'));
    expect(ours.filter((line) => !line.includes('is not executable'))).toEqual([]);
  });

  test('logs are JSON, and have no secret and nothing that people said', async () => {
    await using program = kitchen().start('pino.md');
    expect(await says('a private matter')).toBe('You said: a private matter');
    program.signal('SIGTERM');
    expect(await program.ended()).toMatchObject(OK);
    const lines = program.output.trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['ready', 'message', 'closed']);
    expect(program.output).not.toMatch(/private|r0m30/);
  });

  test('metrics are served', async () => {
    const port = await kitchen().freePort();
    const env = { METRICS_PORT: String(port) };
    await using program = kitchen().start('metrics.md', env);
    expect(await says('ping')).toBe('pong');
    const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text();
    expect(text).toContain('bot_commands_total{command="ping"} 1');
    expect(text).toContain('xmpp_ready{account="juliet@example.org"} 1');
    expect(text).toContain('process_cpu_seconds_total');
    program.signal('SIGTERM');
    expect(await program.ended()).toMatchObject(OK);
  });

  test('spans are below one another', async () => {
    await using program = kitchen().start('tracing.md');
    expect(await says('hello')).toBe('The server answers');
    program.signal('SIGTERM');
    expect(await program.ended()).toMatchObject(OK);
    const span = (name: string) =>
      new RegExp(
        `parentSpanContext: (?:undefined|\\{[^}]*spanId: '(?<parent>\\w+)'[^}]*\\}),[^{}]*name: '${name}',\\s*id: '(?<id>\\w+)'`,
      ).exec(program.output)?.groups;
    expect(span('xmpp connect example.org')?.['id']).toBeDefined();
    expect(span('xmpp ping')?.['parent']).toBe(span('ask the server')?.['id']);
    expect(span('ask the server')?.['parent']).toBeDefined();
    expect(program.output).toContain("name: 'xmpp.stanzas'");
    expect(program.output).not.toContain('r0m30');
  });

  test('a bot is tested offline', async () => {
    await using program = kitchen().start('testing-a-bot.md');
    expect(await program.ended()).toMatchObject({
      ...OK,
      output: expect.stringMatching(/^# pass 2$|ℹ pass 2/m) as string,
    });
  });
});
