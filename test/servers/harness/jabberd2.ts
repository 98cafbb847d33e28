import type { Socket } from 'node:net';
import { runToEnd } from './child.js';
import { JABBERD2_SCHEMA } from './jabberd2-schema.js';
import { featuresFrom, portAnswers } from './probe.js';
import { type Blueprint, type CommonOptions, DEFAULT_USERS, TestServer, type User } from './server.js';
import type { Site } from './site.js';
import { SERVERS } from '../../../scripts/servers.mjs';

/**
 * `starttls` is the client port (also without TLS at `localhost`); `router` speaks the native component protocol and
 * XEP-0114 (any name, secret `secret`).
 */
export type Jabberd2Port = 'starttls' | 'directTls' | 'router';

export interface Jabberd2Options extends CommonOptions {
  /** SASL mechanisms of the client port, in jabberd2's spelling. Default plain, digest-md5, scram-sha-1, scram-sha-256. */
  readonly mechanisms?: readonly string[];
  /** Whether the router offers STARTTLS. Default true. */
  readonly routerTls?: boolean;
}

const MECHANISMS = ['plain', 'digest-md5', 'scram-sha-1', 'scram-sha-256'];

/** Modules of the session manager, by the chain they stand in. */
const CHAINS: Readonly<Record<string, string>> = {
  'sess-start': '',
  'sess-end': 'iq-last',
  'in-sess': 'validate privacy roster iq-ping iq-private disco offline presence deliver',
  'out-sess': '',
  'in-router': 'session validate presence privacy',
  'out-router': 'privacy',
  'pkt-sm': 'iq-last iq-ping iq-time iq-version disco presence',
  'pkt-user': 'roster presence disco deliver offline iq-last',
  'pkt-router': 'session disco',
  'user-load': 'active roster privacy',
  'user-create': 'active',
  'user-delete': 'active offline privacy roster iq-last iq-private',
  'disco-extend': 'iq-version',
};

const tags = (name: string, values: readonly string[]): string =>
  values.map((value) => `<${name}>${value}</${name}>`).join('');

const logFile = (site: Site<Jabberd2Port>, name: string): string =>
  `<log type='file'><file>${site.path('log', `${name}-server.log`)}</file></log>`;

/** How sm and c2s reach the router: often and soon, because they start at the same time. */
const routerLink = (site: Site<Jabberd2Port>): string =>
  `<router><ip>127.0.0.1</ip><port>${site.ports.router}</port><user>jabberd</user><pass>secret</pass>` +
  '<retry><init>30</init><lost>30</lost><sleep>1</sleep></retry></router>';

const sqlite = (site: Site<Jabberd2Port>, rest = ''): string =>
  `<sqlite><dbname>${site.path('database/jabberd2.db')}</dbname><sql>PRAGMA synchronous=OFF;</sql>` +
  `<busy-timeout>2000</busy-timeout>${rest}</sqlite>`;

const IO =
  '<io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects><stanzas>0</stanzas>' +
  '<stanzasize>262144</stanzasize></limits><websocket/><compression/><access><order>allow,deny</order></access>' +
  '<check><interval>0</interval><keepalive>0</keepalive></check></io>';

function routerConfiguration(site: Site<Jabberd2Port>, options: Jabberd2Options): string {
  const tls = (options.routerTls ?? true) ? tags('pemfile', [site.path('tls/server.pem')]) : '';
  return (
    `<router><id>router</id>${logFile(site, 'router')}<local><ip>127.0.0.1</ip><port>${site.ports.router}</port>` +
    `<users>${site.path('router-users.xml')}</users><secret>secret</secret>${tls}</local>${IO}<aliases/>` +
    "<aci><acl type='all'><user>jabberd</user></acl><acl type='log'><user>logger</user></acl>" +
    `<filter>${site.path('router-filter.xml')}</filter></aci></router>`
  );
}

function c2sConfiguration(site: Site<Jabberd2Port>, options: Jabberd2Options, modules: string): string {
  const pem = site.path('tls/server.pem');
  const sasl = (options.mechanisms ?? MECHANISMS).map((name) => `<${name}/>`).join('');
  return (
    `<c2s><id>c2s</id>${routerLink(site)}${logFile(site, 'c2s')}` +
    `<local><id register-enable='mu' password-change='mu' pemfile='${pem}'>localhost</id>` +
    `<id register-enable='mu' pemfile='${pem}' require-starttls='mu'>broker.test</id>` +
    `<ip>127.0.0.1</ip><port>${site.ports.starttls}</port><ssl-port>${site.ports.directTls}</ssl-port>` +
    `${tags('pemfile', [pem])}</local>${IO}<stats/><pbx/><stream_redirect/>` +
    `<authreg><path>${modules}</path><module>sqlite</module>` +
    `<mechanisms><traditional><plain/><digest/></traditional><sasl>${sasl}</sasl></mechanisms>` +
    '<ssl-mechanisms><traditional><plain/></traditional><sasl/></ssl-mechanisms>' +
    `${sqlite(site, '<password_type><plaintext/></password_type>')}</authreg></c2s>`
  );
}

function smConfiguration(site: Site<Jabberd2Port>, modules: string): string {
  const chains = Object.entries(CHAINS).map(
    ([id, names]) =>
      `<chain id='${id}'>${tags(
        'module',
        names.split(' ').filter((name) => name !== ''),
      )}</chain>`,
  );
  return (
    `<sm><id>sm</id>${routerLink(site)}${logFile(site, 'sm')}<local><id>localhost</id><id>broker.test</id></local>` +
    `<storage><path>${modules}</path><driver>sqlite</driver>${sqlite(site)}</storage>` +
    "<aci><acl type='all'><jid>admin@localhost</jid></acl></aci>" +
    `<modules><path>${modules}</path>${chains.join('')}</modules>` +
    '<discovery><identity><category>server</category><type>im</type><name>jabberd2</name></identity>' +
    '<agents/><items/></discovery><user><auto-create/></user><offline/><roster/></sm>'
  );
}

/** The router's own accounts. One that no list names may bind only the name equal to its user name. */
const ROUTER_USERS = ['jabberd', 'comp.localhost', 'logger'];

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;

const insertUser = ({ user, password, domain }: User): string =>
  `INSERT INTO authreg VALUES(${text(user)}, ${text(domain)}, ${text(password)});\n` +
  `INSERT INTO active("collection-owner", time) VALUES(${text(`${user}@${domain}`)}, 1);\n`;

/** Runs SQL on the server's database with the `sqlite3` command, or with Python's module of that name. */
async function sql(site: Site<Jabberd2Port>, statements: string): Promise<void> {
  const command = SERVERS.jabberd2.find()?.sqlite ?? 'sqlite3';
  const database = site.path('database/jabberd2.db');
  const python = 'import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.executescript(sys.stdin.read()); d.commit()';
  const args = command.endsWith('python3') ? ['-c', python, database] : ['-batch', '-bail', database];
  await runToEnd({ name: 'sqlite', command, args, directory: site.directory }, statements);
}

function blueprint(options: Jabberd2Options): Blueprint<Jabberd2Port> {
  const paths = SERVERS.jabberd2.find();
  const modules = paths?.modules ?? '';
  /** See `ready` of c2s. */
  const held: Socket[] = [];
  return {
    name: 'jabberd2',
    ports: ['starttls', 'directTls', 'router'],
    stopGraceMs: 6_000,
    async prepare(site) {
      site.write('router.xml', routerConfiguration(site, options));
      site.write('c2s.xml', c2sConfiguration(site, options, modules));
      site.write('sm.xml', smConfiguration(site, modules));
      site.write('router-filter.xml', '<filter></filter>');
      const users = ROUTER_USERS.map((name) => `<user><name>${name}</name><secret>secret</secret></user>`);
      site.write('router-users.xml', `<users>${users.join('')}</users>`);
      site.folder('database');
      await sql(site, JABBERD2_SCHEMA + (options.users ?? DEFAULT_USERS).map(insertUser).join(''));
    },
    programs: (site) => [
      {
        name: 'router',
        command: paths?.router ?? 'jabberd2-router',
        args: ['-c', site.path('router.xml')],
        ready: (attempt) => attempt('router port', () => portAnswers(site.ports.router)),
      },
      {
        name: 'sm',
        command: paths?.sm ?? 'jabberd2-sm',
        args: ['-c', site.path('sm.xml')],
        ready: () => Promise.resolve(), // c2s tells when it knows sm
      },
      {
        name: 'c2s',
        command: paths?.c2s ?? 'jabberd2-c2s',
        args: ['-c', site.path('c2s.xml')],
        async ready(attempt) {
          await attempt('direct TLS port', () => portAnswers(site.ports.directTls));
          // c2s listens before it knows sm, and then answers host-gone. A connection that gets the file descriptor of
          // one just closed is greeted with internal-server-error: the probes stay open, so that tests do not meet it.
          for (const domain of ['localhost', 'broker.test']) {
            held.push(await attempt(`features for ${domain}`, () => featuresFrom(site.ports.starttls, domain)));
          }
          for (const socket of held) socket.unref();
        },
      },
    ],
    async addUser(site, user) {
      await sql(site, insertUser(user));
    },
    cleanUp() {
      for (const socket of held.splice(0)) socket.destroy();
    },
  };
}

/**
 * A private jabberd2: router, sm and c2s over SQLite. `localhost` allows everything also without TLS; `broker.test`
 * answers nothing but STARTTLS before TLS. Router users, password `secret`: `jabberd` (may do all), `logger` (log) and
 * `comp.localhost` (may bind that name only). In-band registration is on.
 *
 * A client that connects within some 50 ms of another one leaving may be greeted with `<internal-server-error/>`.
 */
export const Jabberd2 = {
  start: (options: Jabberd2Options = {}): Promise<TestServer<Jabberd2Port>> =>
    TestServer.start(blueprint(options), options),
};
