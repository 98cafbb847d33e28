import { dirname } from 'node:path';
import { featuresFrom, portAnswers } from './probe.js';
import { type Blueprint, type CommonOptions, DEFAULT_USERS, TestServer } from './server.js';
import type { Site } from './site.js';
import { SERVERS } from '../../../scripts/servers.mjs';

/**
 * `starttls` is the client port (TLS as the client likes), `strict` the one that offers nothing but STARTTLS before
 * TLS, `external` asks for a certificate inside TLS and offers EXTERNAL, `component` speaks XEP-0114, `freeComponent` too but allows any `from`,
 * `tlsComponent` starts TLS at once; `http` is the administration, and has WebSocket at `/xmpp-websocket`, as
 * `https` does beside host-meta. The unix socket `comp.sock` speaks XEP-0114, too.
 */
export type EjabberdPort =
  'starttls' | 'directTls' | 'strict' | 'external' | 'component' | 'freeComponent' | 'tlsComponent' | 'http' | 'https';

export interface EjabberdOptions extends CommonOptions {
  /** Default `info`. */
  readonly log?: 'debug' | 'info' | 'warning' | 'error';
  /** SASL mechanisms not to offer. */
  readonly withoutMechanisms?: readonly string[];
  /** How bal.localhost spreads stanzas over its two connections. Default `bare_destination`. */
  readonly balance?: 'random' | 'source' | 'destination' | 'bare_source' | 'bare_destination';
  /** Seconds that a stream can be resumed (XEP-0198). Default 60. */
  readonly resumeSeconds?: number;
  /** Namespaces that are delegated to priv.localhost (XEP-0355), which is privileged then, too (XEP-0356). */
  readonly delegated?: readonly string[];
}

/** Modules and access rules for a component that may act for users. */
function privileges(namespaces: readonly string[]): { acl: object; rules: object; modules: object } {
  const everything = { roster: { both: 'privileged' }, message: { outgoing: 'privileged' } };
  const presence = { managed_entity: 'privileged', roster: 'privileged' };
  const delegated = Object.fromEntries(namespaces.map((name) => [name, { access: 'privileged' }]));
  return {
    acl: { privileged: { server: 'priv.localhost' } },
    rules: { privileged: { allow: 'privileged' } },
    modules: { mod_privilege: { ...everything, presence }, mod_delegation: { namespaces: delegated } },
  };
}

const MODULES =
  'mod_admin_extra mod_blocking mod_caps mod_carboncopy mod_client_state mod_disco mod_http_api mod_last ' +
  'mod_legacy_auth mod_offline mod_ping mod_privacy mod_private mod_time mod_version';

/** The configuration is YAML; JSON is YAML too. */
function configuration(site: Site<EjabberdPort>, options: EjabberdOptions): string {
  const { starttls, directTls, strict, external, component, freeComponent, tlsComponent, http, https } = site.ports;
  const listener = (port: number, module: string, rest: object) => ({ port, ip: '127.0.0.1', module, ...rest });
  const extra = options.delegated === undefined ? null : privileges(options.delegated);
  const client = (port: number, rest: object) =>
    listener(port, 'ejabberd_c2s', { access: 'c2s', max_stanza_size: 262_144, ...rest });
  // Without global_routes: false each connection would get every domain of the listener.
  const service = (port: number | string, domains: readonly string[], rest: object) => ({
    port,
    ...(typeof port === 'number' ? { ip: '127.0.0.1' } : {}),
    module: 'ejabberd_service',
    global_routes: false,
    hosts: Object.fromEntries(domains.map((domain) => [domain, { password: 'secret' }])),
    ...rest,
  });
  return JSON.stringify({
    loglevel: options.log ?? 'info',
    log_rotate_count: 0,
    hosts: ['localhost', 'broker.test'],
    certfiles: [site.path('tls/server.pem')],
    ca_file: site.path('tls/ca.pem'),
    c2s_cafile: site.path('tls/ca.pem'),
    auth_method: 'internal',
    auth_password_format: 'plain', // DIGEST-MD5 and legacy digests need it
    disable_sasl_mechanisms: ['X-OAUTH2', ...(options.withoutMechanisms ?? [])],
    s2s_access: 'none',
    ...(extra === null ? {} : { acl: extra.acl }),
    access_rules: { c2s: { allow: 'all' }, ...extra?.rules },
    api_permissions: { loopback: { who: { ip: '127.0.0.1/8' }, what: '*' } },
    domain_balancing: { 'bal.localhost': { type: options.balance ?? 'bare_destination', component_number: 2 } },
    listen: [
      client(starttls, { starttls: true }),
      client(directTls, { tls: true }),
      client(strict, { starttls_required: true }),
      client(external, { starttls_required: true, tls_verify: true }),
      service(
        component,
        ['comp.localhost', 'comp2.localhost', 'comp.broker.test', 'bal.localhost', 'priv.localhost'],
        {},
      ),
      service(freeComponent, ['free.localhost'], { check_from: false }),
      // Without a certificate of its own it resets every connection.
      service(tlsComponent, ['tls.broker.test'], { tls: true, certfile: site.path('tls/server.pem') }),
      service(`unix:${site.path('comp.sock')}`, ['unix.localhost'], {}),
      listener(http, 'ejabberd_http', {
        request_handlers: { '/api': 'mod_http_api', '/xmpp-websocket': 'ejabberd_http_ws' },
      }),
      listener(https, 'ejabberd_http', {
        tls: true,
        request_handlers: {
          '/xmpp-websocket': 'ejabberd_http_ws',
          '/.well-known/host-meta': 'mod_host_meta',
          '/.well-known/host-meta.json': 'mod_host_meta',
        },
      }),
    ],
    modules: {
      ...Object.fromEntries(MODULES.split(' ').map((name) => [name, {}])),
      ...extra?.modules,
      mod_host_meta: { websocket_url: `wss://@HOST@:${https}/xmpp-websocket`, bosh_service_url: 'undefined' },
      mod_mam: { default: 'roster' },
      mod_muc: { host: 'rooms.@HOST@' },
      mod_pubsub: { plugins: ['flat', 'pep'] },
      mod_roster: { versioning: true },
      mod_stream_mgmt: { resume_timeout: options.resumeSeconds ?? 60, resend_on_timeout: 'if_offline' },
    },
  });
}

/** One command of the administration (mod_http_api), allowed from loopback without credentials. */
async function command(site: Site<EjabberdPort>, name: string, body: object): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${site.ports.http}/api/${name}`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', connection: 'close' },
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`ejabberd refused ${name} with ${response.status}: ${answer}`);
  return answer;
}

function blueprint(options: EjabberdOptions): Blueprint<EjabberdPort> {
  const addUser: Blueprint<EjabberdPort>['addUser'] = async (site, { user, password, domain }) => {
    await command(site, 'register', { user, host: domain, password });
  };
  return {
    name: 'ejabberd',
    ports: [
      'starttls',
      'directTls',
      'strict',
      'external',
      'component',
      'freeComponent',
      'tlsComponent',
      'http',
      'https',
    ],
    stopGraceMs: 15_000,
    prepare(site) {
      site.write('ejabberd.yml', configuration(site, options));
      site.folder('database');
      site.folder('files');
    },
    programs: (site) => {
      const paths = SERVERS.ejabberd.find();
      return [
        {
          // The Erlang machine itself: no ejabberdctl, no epmd, no distribution.
          name: 'ejabberd',
          command: paths?.erl ?? 'erl',
          args: [
            ...['+K', 'true', '+S', '2:2', '+P', '65536', '-start_epmd', 'false', '-noinput'],
            ...['-mnesia', 'dir', `"${site.path('database')}"`, '-s', 'ejabberd'],
          ],
          env: {
            ...(paths === null ? {} : { ERL_LIBS: dirname(paths.application) }),
            ERL_CRASH_DUMP: site.path('crash.dump'),
            EJABBERD_CONFIG_PATH: site.path('ejabberd.yml'),
            EJABBERD_LOG_PATH: site.path('files/ejabberd.log'), // the same goes to the console
            EJABBERD_PID_PATH: site.path('ejabberd.pid'),
          },
          async ready(attempt) {
            for (const port of Object.values(site.ports)) await attempt(`port ${port}`, () => portAnswers(port));
            for (const domain of ['localhost', 'broker.test']) {
              await attempt(`features for ${domain}`, async () => {
                (await featuresFrom(site.ports.starttls, domain)).destroy();
              });
            }
          },
        },
      ];
    },
    async populate(site) {
      for (const user of options.users ?? DEFAULT_USERS) await addUser(site, user);
    },
    addUser,
    async kick(site, { user, domain, resource }) {
      const [name, rest] = resource === '' ? ['kick_user', {}] : ['kick_session', { resource, reason: 'kicked' }];
      await command(site, name, { user, host: domain, ...rest });
    },
  };
}

/**
 * A private ejabberd. Components, secret `secret`: comp.localhost, comp2.localhost, comp.broker.test (several
 * connections share the load at random), bal.localhost (`domain_balancing` over exactly two), all at the port
 * `component`; free.localhost at `freeComponent`. MUC at rooms.localhost.
 */
export const Ejabberd = {
  start: (options: EjabberdOptions = {}): Promise<TestServer<EjabberdPort>> =>
    TestServer.start(blueprint(options), options),
};
