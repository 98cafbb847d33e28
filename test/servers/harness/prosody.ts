import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runToEnd } from './child.js';
import { featuresFrom, portAnswers } from './probe.js';
import { type Blueprint, type CommonOptions, DEFAULT_USERS, TestServer, type User } from './server.js';
import type { Site } from './site.js';
import { SERVERS } from '../../../scripts/servers.mjs';

/** `starttls` is the client port (also without TLS at `localhost`), `component` speaks XEP-0114; `tls` speaks both, with TLS from the first byte; `http` and `https` have WebSocket at `/xmpp-websocket`. */
export type ProsodyPort = 'starttls' | 'directTls' | 'component' | 'tls' | 'http' | 'https';

export interface ProsodyOptions extends CommonOptions {
  /** Default `info`. */
  readonly log?: 'debug' | 'info' | 'warn' | 'error';
  /** SASL mechanisms not to offer. */
  readonly withoutMechanisms?: readonly string[];
  /** Seconds that a stream can be resumed (XEP-0198). Default 60. */
  readonly resumeSeconds?: number;
  /** Whether there is the host {@link SASL2_DOMAIN}, and how it behaves. Default: there is none. */
  readonly sasl2?: Sasl2Options;
  /** Lua appended to the configuration: more hosts, components, options of the last component. */
  readonly extra?: string;
}

/** How the host with SASL2 behaves. */
export interface Sasl2Options {
  /** Whether it lists its channel bindings (XEP-0440). Default true. */
  readonly listsBindings?: boolean;
  /** Seconds that a token lives (XEP-0484). Default three weeks. */
  readonly tokenSeconds?: number;
  /** Seconds after which a token is replaced by the sign-in with it. Default a day. */
  readonly rotateSeconds?: number;
}

/** The host with SASL2, Bind 2 and FAST; TLS is required. */
export const SASL2_DOMAIN = 'sasl2.broker.test';

const MODULES =
  'disco roster saslauth tls legacyauth smacks carbons ping time version private pep vcard4 vcard_legacy blocklist ' +
  'csi_simple mam offline register posix admin_shell admin_socket net_multiplex http websocket';

/** What a Lua program calls a string. JSON's escapes are Lua's for the plain text used here. */
const quoted = (text: string): string => JSON.stringify(text);
const list = (texts: readonly string[]): string => `{ ${texts.map(quoted).join('; ')} }`;

const PLUGINS = fileURLToPath(new URL('prosody-plugins', import.meta.url));
/** Debian's modules were written for a later Prosody, and need this one below them. */
const SHIM = 'mod_sasl2_on_0_12.lua';

function sasl2Host(
  site: Site<ProsodyPort>,
  { listsBindings = true, tokenSeconds, rotateSeconds }: Sasl2Options,
): string {
  const seconds = (name: string, value: number | undefined) =>
    value === undefined ? '' : `sasl2_fast_token_${name} = ${value};`;
  return `
VirtualHost ${quoted(SASL2_DOMAIN)}
  c2s_require_encryption = true
  modules_enabled = { "sasl2_on_0_12"; "sasl2"; "sasl2_bind2"; "sasl2_sm"; "sasl2_fast" }
  sasl2_certificate = ${quoted(site.path('tls/server.crt'))}
  sasl2_list_bindings = ${listsBindings}
  ${seconds('ttl', tokenSeconds)} ${seconds('min_ttl', rotateSeconds)}
`;
}

function configuration(site: Site<ProsodyPort>, options: ProsodyOptions): string {
  const { starttls, directTls, component, tls, http, https } = site.ports;
  const certificate = `certificate = ${quoted(site.path('tls/server.crt'))}; key = ${quoted(site.path('tls/server.key'))};`;
  return `
daemonize = false
pidfile = ${quoted(site.path('prosody.pid'))}
data_path = ${quoted(site.path('data'))}
admin_socket = ${quoted(site.path('admin.sock'))}
log = { { levels = { min = ${quoted(options.log ?? 'info')} }; to = "console" } }

interfaces = { "127.0.0.1" }
local_interfaces = { "127.0.0.1" }
c2s_ports = { ${starttls} }
c2s_direct_tls_ports = { ${directTls} }
component_ports = { ${component} }
ssl_ports = { ${tls} }
http_ports = { ${http} }
https_ports = { ${https} }
http_interfaces = { "127.0.0.1" }
https_interfaces = { "127.0.0.1" }
http_default_host = "localhost"
http_host = "localhost"
https_ssl = { ${certificate} }
consider_websocket_secure = true
modules_enabled = ${list(MODULES.split(' '))}
modules_disabled = { "s2s" }
plugin_paths = { ${quoted(site.path('plugins'))} }

-- Passwords in clear are the only store that offers SCRAM-SHA-1 and SCRAM-SHA-256 together.
authentication = "internal_plain"
allow_registration = false
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
disable_sasl_mechanisms = ${list(options.withoutMechanisms ?? [])}
smacks_hibernation_time = ${options.resumeSeconds ?? 60}
smacks_max_unacked_stanzas = 5
component_secret = "secret"
certificates = ${quoted(site.path('tls'))}
ssl = { ${certificate} cafile = ${quoted(site.path('tls/ca.pem'))}; verify = { "none" } }
c2s_direct_tls_ssl = { ${certificate} }

VirtualHost "localhost"
VirtualHost "broker.test"
  c2s_require_encryption = true
  allow_unencrypted_plain_auth = false

${options.sasl2 === undefined ? '' : sasl2Host(site, options.sasl2)}
Component "comp.localhost"
Component "comp2.localhost"
Component "comp.broker.test"
Component "kickold.localhost"
  component_conflict_resolve = "kick_old"
Component "free.localhost"
  validate_from_addresses = false
Component "rooms.localhost" "muc"
${options.extra ?? ''}
`;
}

/** Where Prosody's internal storage keeps an account. */
const accountFile = (user: string, domain: string): string => `data/${encode(domain)}/accounts/${encode(user)}.dat`;
const encode = (name: string): string =>
  name.replace(/[^A-Za-z0-9]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

const usersOf = ({ sasl2 }: ProsodyOptions): readonly User[] =>
  sasl2 === undefined
    ? DEFAULT_USERS
    : [...DEFAULT_USERS, ...['alice', 'bob'].map((user) => ({ user, password: 'secret', domain: SASL2_DOMAIN }))];

function prosodyctl(site: Site<ProsodyPort>, ...args: readonly string[]): Promise<string> {
  const command = SERVERS.prosody.find()?.prosodyctl ?? 'prosodyctl';
  const config = site.path('prosody.cfg.lua');
  return runToEnd({ name: 'prosodyctl', command, args: ['--config', config, ...args], directory: site.directory });
}

function blueprint(options: ProsodyOptions): Blueprint<ProsodyPort> {
  return {
    name: 'prosody',
    ports: ['starttls', 'directTls', 'component', 'tls', 'http', 'https'],
    stopGraceMs: 10_000,
    prepare(site) {
      site.write('prosody.cfg.lua', configuration(site, options));
      if (options.sasl2 !== undefined) site.write(`plugins/${SHIM}`, readFileSync(join(PLUGINS, SHIM), 'utf8'));
      for (const { user, password, domain } of options.users ?? usersOf(options)) {
        site.write(accountFile(user, domain), `return {\n  ["password"] = ${quoted(password)};\n};\n`);
      }
    },
    programs: (site) => [
      {
        name: 'prosody',
        command: SERVERS.prosody.find()?.prosody ?? 'prosody',
        args: ['-F', '--config', site.path('prosody.cfg.lua')],
        async ready(attempt) {
          for (const port of Object.values(site.ports)) await attempt(`port ${port}`, () => portAnswers(port));
          for (const domain of ['localhost', 'broker.test']) {
            await attempt(`features for ${domain}`, async () => {
              (await featuresFrom(site.ports.starttls, domain)).destroy();
            });
          }
        },
      },
    ],
    async addUser(site, { user, password, domain }) {
      await prosodyctl(site, 'register', user, domain, password);
    },
    async kick(site, { user, domain, resource }) {
      const jid = `${user}@${domain}${resource === '' ? '' : `/${resource}`}`;
      await prosodyctl(site, 'shell', `c2s:close(${quoted(jid)})`);
    },
  };
}

/**
 * A private Prosody. `localhost` allows everything also without TLS; `broker.test` offers nothing but STARTTLS before
 * TLS. Components, secret `secret`: comp.localhost, comp2.localhost and comp.broker.test refuse a second connection,
 * kickold.localhost lets it replace the first, free.localhost may use any `from`; rooms.localhost is a MUC service.
 */
export const Prosody = {
  start: (options: ProsodyOptions = {}): Promise<TestServer<ProsodyPort>> =>
    TestServer.start(blueprint(options), options),
};
