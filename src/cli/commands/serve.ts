import { usageError } from '../../errors.js';
import { LoopbackServer } from '../../testing/index.js';
import type { Command, Given, Terminal } from '../command.js';
import { quoted } from '../quoted.js';

/** Services with a domain of their own, and what it begins with. */
const SERVICES = [
  ['rooms', 'conference'],
  ['publish-subscribe', 'pubsub'],
] as const;

/** The loopback server, for trying things out. */
export const serve: Command = {
  name: 'serve',
  summary: 'runs a small XMPP server on this machine, for trying things out',
  operands: '',
  count: [0, 0],
  details: [
    'It has rooms at conference.NAME and publish-subscribe at pubsub.NAME, and for accounts contacts, offline messages, nodes and',
    'an archive; service discovery tells of them. Pings are answered, and sessions are resumed.',
    'It listens on 127.0.0.1 only, keeps everything in memory, and forgets it when it ends. It is for nothing else.',
    'Without an account, a component or a router it has the accounts juliet (r0m30) and romeo (j0l13t) without TLS, and the component echo.localhost (secret).',
  ],
  options: {
    domain: { value: 'NAME', help: 'what it serves; default localhost' },
    account: { value: 'NAME:PASSWORD', help: 'an account; may be given more than once', multiple: true },
    component: { value: 'NAME:SECRET', help: 'an external component (XEP-0114)', multiple: true },
    router: { value: 'USER:PASSWORD', help: "a user of a router's side, as jabberd2 has it", multiple: true },
    'client-port': { value: 'PORT', help: 'port for accounts; default: any that is free' },
    'component-port': { value: 'PORT', help: 'port for components' },
    'router-port': { value: 'PORT', help: 'port for the router' },
    'no-tls': { help: 'no TLS for accounts: then no certificate is needed' },
    quiet: { help: 'does not print what happens' },
  },
  async run(given, terminal) {
    const accounts = pairs(given, 'account');
    const components = pairs(given, 'component');
    const routerUsers = pairs(given, 'router');
    const nothing = [accounts, components, routerUsers].every((one) => one === undefined);
    const domain = given.text('domain') ?? 'localhost';
    await using server = await LoopbackServer.start({
      domain,
      accounts: nothing ? { juliet: 'r0m30', romeo: 'j0l13t' } : accounts,
      components: nothing ? { [`echo.${domain}`]: 'secret' } : components,
      routerUsers,
      services: { archive: true },
      ports: { ...portIn(given, 'client'), ...portIn(given, 'component'), ...portIn(given, 'router') },
      ...(given.has('no-tls') || nothing ? { tls: false as const } : {}),
    });
    tell(given, terminal, server, nothing);
    if (!given.has('quiet') && !given.has('json')) {
      server.subscribe('connection', (connection) =>
        terminal.out(`connected: ${connection.side}, from port ${String(connection.remotePort)}`),
      );
    }
    await new Promise<void>((resolve) => {
      if (terminal.signal.aborted) resolve();
      else terminal.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    return 0;
  },
};

/** What to paste into another terminal, or a program. */
function tell(given: Given, { out }: Terminal, server: LoopbackServer, nothing: boolean): void {
  const ports = server.ports;
  if (given.has('json')) {
    out(JSON.stringify({ host: '127.0.0.1', ports }));
    return;
  }
  out('serving on 127.0.0.1, until interrupted');
  const accounts = Object.entries(nothing ? { juliet: 'r0m30', romeo: 'j0l13t' } : (pairs(given, 'account') ?? {}));
  const domain = given.text('domain') ?? 'localhost';
  const plain = given.has('no-tls') || nothing;
  const components = nothing ? { [`echo.${domain}`]: 'secret' } : (pairs(given, 'component') ?? {});
  for (const [what, name] of SERVICES) {
    // The component has the name then.
    if (!Object.hasOwn(components, `${name}.${domain}`)) out(`  ${what}: ${name}.${domain}`);
  }
  for (const [name, password] of accounts) {
    const tls = plain ? ' --no-tls' : '';
    out(
      `  account ${name}@${domain}: XMPP_PASSWORD=${quoted(password)} xmpp-broker watch --jid ${name}@${domain} --host 127.0.0.1 --port ${String(ports.client)}${tls}`,
    );
  }
  for (const [name, secret] of Object.entries(components)) {
    out(
      `  component ${name}: XMPP_PASSWORD=${quoted(secret)} xmpp-broker watch --component --jid ${name} --port ${String(ports.component)}`,
    );
  }
  for (const [user, password] of Object.entries(pairs(given, 'router') ?? {})) {
    out(
      `  router: XMPP_PASSWORD=${quoted(password)} xmpp-broker watch --router --user ${user} --jid service.${domain} --port ${String(ports.router)} --no-tls`,
    );
  }
}

function pairs(given: Given, option: string): Record<string, string> | undefined {
  const texts = given.texts(option);
  if (texts.length === 0) return undefined;
  return Object.fromEntries(
    texts.map((text) => {
      const colon = text.indexOf(':');
      if (colon > 0 && colon < text.length - 1) return [text.slice(0, colon), text.slice(colon + 1)];
      throw usageError('USAGE_ARGUMENT', `--${option} takes NAME:SECRET, such as juliet:r0m30`);
    }),
  );
}

function portIn(given: Given, name: 'client' | 'component' | 'router'): Partial<Record<typeof name, number>> {
  const text = given.text(`${name}-port`);
  if (text === undefined) return {};
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return { [name]: port };
  throw usageError('USAGE_ARGUMENT', `--${name}-port must be a number from 1 to 65535, not ${JSON.stringify(text)}`);
}
