import { describe, expect, it } from 'vitest';
import { demo } from '../../../src/cli/demo.js';
import { LoopbackServer } from '../../../src/testing/index.js';

/** What the demo prints, without times; events by name, without payload. */
async function printed(options: Omit<Parameters<typeof demo>[0], 'print'> = {}): Promise<string[]> {
  const lines: string[] = [];
  await demo({ ...options, print: (line) => lines.push(line.replace(/^ *[\d.]+ ms {2}/, '')) });
  return lines.map((line) => /^PCJ_\w+/.exec(line)?.[0] ?? line);
}

const connecting = ['PCJ_CONNECT', 'PCJ_CONNECTING', 'PCJ_CONNECTED'];
const opening = ['PCJ_STREAMSTART', 'PCJ_NODESENT'];
const closing = ['PCJ_STREAMEND', 'PCJ_SHUTDOWN_START', 'PCJ_SOCKETDISCONNECT', 'PCJ_SHUTDOWN_FINISH'];
/** From one headline to the next. */
const part = (lines: readonly string[], headline: string): readonly string[] => {
  const from = lines.findIndex((line) => line.startsWith(`--- ${headline}`));
  const rest = lines.slice(from + 1);
  const to = rest.findIndex((line) => line.startsWith('--- '));
  return from < 0 ? [] : rest.slice(0, to < 0 ? rest.length : to);
};

describe('the demo', () => {
  it('runs a component through the main job, then signs in with the other dialects', async () => {
    const lines = await printed();
    expect(lines[0]).toMatch(/^loopback server listening on 127\.0\.0\.1:\d+$/);
    expect(part(lines, 'a stanza is output')).toEqual(['PCJ_NODEQUEUED', '    queue: 1 stanza, ticket queued']);
    expect(part(lines, 'connect')).toEqual([
      ...[...connecting, ...opening, 'PCJ_AUTHNEGOTIATE', 'PCJ_NODESENT', 'PCJ_AUTHSUCCESS', 'PCJ_READY'],
      '    ready as demo.localhost; still held: 1',
    ]);
    expect(part(lines, 'a filter').join('\n')).toMatch(/matched <body.*hello from the peer/);
    expect(part(lines, 'a request').join('\n')).toMatch(/answered: <iq.* type='result'/);
    expect(part(lines, 'queue.send').join('\n')).toMatch(
      /sent 1, ticket sent; the peer received: written before connecting/,
    );
    expect(part(lines, 'shutdown')).toEqual([...closing, '    state idle']);

    const message = ['PCJ_NODESENT', 'PCJ_NODERECEIVED'];
    const sasl = ['PCJ_AUTHNEGOTIATE', 'PCJ_NODESENT', 'PCJ_NODESENT', 'PCJ_AUTHSUCCESS'];
    const bind = ['PCJ_BINDNEGOTIATE', 'PCJ_RTS_START', 'PCJ_NODESENT', 'PCJ_BINDSUCCESS'];
    const withoutManagement = (all: readonly string[]) => all.filter((line) => !line.startsWith('PCJ_SM_ACK'));
    expect(withoutManagement(part(lines, 'XMPP')).slice(0, 21)).toEqual([
      ...[...connecting, ...opening, ...sasl, ...opening, ...bind],
      ...['PCJ_NODESENT', 'PCJ_SM_ENABLED', 'PCJ_READY', ...message],
      'PCJ_STREAMEND',
    ]);
    expect(part(lines, 'LEGACY')).toEqual([
      ...[...connecting, ...opening, 'PCJ_AUTHNEGOTIATE', 'PCJ_NODESENT', 'PCJ_NODESENT'],
      ...['PCJ_AUTHSUCCESS', 'PCJ_READY', ...message, ...closing],
    ]);
    // The router tells of other names, and its session manager asks who we are.
    const router = part(lines, 'JABBERD20_COMPONENT').filter((line) => line !== 'PCJ_DOMAIN');
    expect([...router.slice(0, -6), ...router.slice(-5)]).toEqual([
      ...[...connecting, ...opening, ...sasl, ...opening, ...bind, 'PCJ_READY', ...message, ...closing],
    ]);
  });

  it('runs a component of a real server, with a peer or alone, and says what is wrong with its arguments', async () => {
    await using server = await LoopbackServer.start({
      components: { 'a.localhost': 'a-secret', 'b.localhost': 'b-secret' },
    });
    const own = { server: `127.0.0.1:${server.ports.component}`, domain: 'a.localhost', secret: 'a-secret' };
    const lines = await printed({ ...own, peerDomain: 'b.localhost', peerSecret: 'b-secret' });
    expect(lines.at(-1)).toBe('    state idle');
    expect((await printed(own)).join('\n')).toMatch(/sent 1, ticket sent/);
    await expect(printed({ ...own, secret: 'wrong' })).rejects.toMatchObject({ condition: 'not-authorized' });
    await expect(printed({ ...own, server: 'nowhere' })).rejects.toMatchObject({ code: 'USAGE_ARGUMENT' });
    await expect(printed({ server: own.server })).rejects.toMatchObject({ code: 'USAGE_ARGUMENT' });
  });
});
