// The default log of a day, for whoever reads it in the morning.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Broker, COMPONENT, xml } from 'xmpp-broker';
import { LoopbackServer } from 'xmpp-broker/testing';

afterEach(() => {
  vi.restoreAllMocks();
});

/** What is written to stderr from now on, without what differs from run to run. */
function stderr(port: number): () => string {
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text));
    return true;
  });
  return () =>
    written
      .join('')
      .replaceAll(/^\S+Z /gm, 'TIME ')
      .replaceAll(String(port), 'PORT')
      .replaceAll(/\b\d+ (?:ms|s)\b/g, 'N s')
      .replaceAll(/attempt \d+/g, 'attempt N')
      .replaceAll(/(?:\n {4}at .*)+/g, '\n    at …')
      // How often it tries depends on how busy the machine is.
      .replaceAll(/^(.*; attempt N follows .*\n)\1+/gm, '$1');
}

describe('D: the default log', () => {
  it('of a day: no server, there it is, a restart, a stanza that is refused, a handler that throws, the end', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    await using server = await LoopbackServer.start({
      domain: 'example.org',
      components: { 'echo.example.org': 'secret', 'peer.example.org': 'secret' },
      timeouts: { close: 200 },
    });
    const port = server.ports.component;
    await server.stop();
    const log = stderr(port);
    const broker = new Broker({
      connectionType: COMPONENT,
      host: '127.0.0.1',
      port,
      domain: 'echo.example.org',
      password: 'secret',
      reconnect: { initial: true, firstDelayMs: 200, maxDelayMs: 400 },
    });
    const happens = (event: 'PCJ_READY' | 'PCJ_RECONNECTING' | 'PCJ_HANDLERERROR') => broker.events.once(event);

    // Nobody is there yet.
    broker.output(xml('message', { to: 'somebody@peer.example.org' }, xml('body', {}, 'held')));
    const waiting = happens('PCJ_RECONNECTING');
    const connected = broker.connect();
    await waiting;
    const again = happens('PCJ_RECONNECTING');
    await again;
    await server.restart();
    await connected;

    // A restart.
    const lost = happens('PCJ_RECONNECTING');
    await server.stop();
    await lost;
    let back = happens('PCJ_READY');
    await server.restart();
    await back;

    // A stanza that the server does not take, and ends the stream for.
    const refused = happens('PCJ_RECONNECTING');
    server.kick('echo.example.org', 'policy-violation', { text: 'XML stanza is too big' });
    back = happens('PCJ_READY');
    await refused;
    await back;

    // A mistake in the program.
    broker.match('/message/body', ({ node }) => {
      throw new TypeError(`cannot read ${node.getChildText('body') ?? ''}`);
    });
    const failed = happens('PCJ_HANDLERERROR');
    server.inject(
      'echo.example.org',
      xml('message', { from: 'a@peer.example.org', to: 'echo.example.org' }, xml('body', {}, 'this')),
    );
    await failed;

    // The end, with a handler that does not come to one.
    broker.match('/message/thread', () => new Promise(() => undefined));
    const begun = broker.events.once('PCJ_NODERECEIVED');
    server.inject(
      'echo.example.org',
      xml('message', { from: 'a@peer.example.org', to: 'echo.example.org' }, xml('thread', {}, 't')),
    );
    await begun;
    await broker.shutdown({ timeoutMs: 1_000 });

    await expect(log()).toMatchFileSnapshot('support/a-day.txt');
  });
});
