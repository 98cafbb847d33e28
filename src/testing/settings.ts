import type { Complete, Optional } from '../arguments/optional.js';
import { isIP } from 'node:net';
import {
  flag,
  isText,
  listOf,
  method,
  milliseconds,
  must,
  oneOf,
  string,
  text,
  whole,
  type Check,
} from '../arguments/checks.js';
import { readGroup, readOptions, type OptionTable } from '../arguments/options.js';
import { domain, localPart, preparedDomain } from '../jid/checks.js';
import { pem } from '../tls/options.js';
import { XML_LIMITS, type XmlLimits } from '../xml/tokenizer/limits.js';
import { isPassword, PASSWORD } from './accounts.js';
import type {
  ComponentConflict,
  LegacyMethod,
  LoopbackBindOptions,
  LoopbackFastOptions,
  LoopbackLegacyOptions,
  LoopbackManagementOptions,
  LoopbackOptions,
  LoopbackPort,
  LoopbackSasl2Options,
  LoopbackSaslOptions,
  LoopbackServices,
  LoopbackTimeouts,
  LoopbackTlsOptions,
  RouterUser,
} from './options.js';
import type { ChannelBinding } from './sasl/channel-binding.js';
import { TOKEN_MECHANISMS } from './sasl/hashed-token.js';
import { MECHANISMS } from './sasl/mechanisms.js';
import type { ServiceSettings } from './services/services.js';

/** The options with everything filled in. */
export interface Settings {
  readonly domain: string;
  readonly host: string;
  readonly ports: Readonly<Optional<Record<LoopbackPort, number>>>;
  readonly accounts: Readonly<Record<string, string>> | undefined;
  readonly websocket: boolean;
  readonly components: Readonly<Record<string, string>> | undefined;
  readonly componentConflict: ComponentConflict;
  readonly routerUsers: Readonly<Record<string, RouterUser>> | undefined;
  readonly tls:
    (LoopbackTlsOptions & Complete<Pick<LoopbackTlsOptions, 'starttls' | 'routerStarttls' | 'names'>>) | null;
  /** Whether a certificate is needed: the side of clients or of the router is open, or the option says so. */
  readonly needsTls: boolean;
  readonly mechanisms: readonly string[] | undefined;
  readonly sasl: Complete<LoopbackSaslOptions>;
  readonly sasl2: { readonly bind2: boolean; readonly fast: Complete<LoopbackFastOptions> | null } | null;
  readonly bind: Complete<LoopbackBindOptions>;
  readonly legacy: (Complete<Omit<LoopbackLegacyOptions, 'token'>> & { token?: string | undefined }) | null;
  readonly streamManagement: Complete<LoopbackManagementOptions> | null;
  readonly services: ServiceSettings;
  readonly limits: Optional<XmlLimits>;
  readonly timeouts: Complete<LoopbackTimeouts>;
  readonly onHandlerError: (error: unknown, event: string) => void;
}

const DEFAULT_DOMAIN = 'localhost';
const LEGACY_METHODS: readonly LegacyMethod[] = ['password', 'digest', '0k'];
const CHANNEL_BINDINGS: readonly ChannelBinding[] = ['tls-exporter', 'tls-server-end-point', 'tls-unique'];
const MECHANISM_NAMES = MECHANISMS.map(({ name }) => name);
const TOKEN_NAMES = TOKEN_MECHANISMS.map(({ name }) => name);
const PORT = whole(0, 65_535);
const TLS_VERSION = oneOf('TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3');
const orFalse = must('false or an object', (value) => value === false);

const domainOrFalse: Check = (value) => (value === false ? null : domain(value));

/** PEM as text. */
const pemText: Check = (value) => string(value) ?? pem(value);

/** Neither the password nor what is wrong with it is shown. */
const password: Check = (value) => (isPassword(value) ? null : `must be a password: ${PASSWORD}`);
const secret: Check = (value) => (isText(value) ? null : 'must be a secret, a string that is not empty');

const ROUTER_USER: OptionTable<RouterUser> = {
  checks: { password, acl: oneOf('all', 'own') },
  instead: password,
};

const OPTIONS: OptionTable<LoopbackOptions> = {
  checks: {
    domain,
    host: must('an address of the loopback, such as 127.0.0.1', (value) => isText(value) && isLoopback(value)),
    ports: {
      checks: {
        client: PORT,
        clientDirectTls: PORT,
        component: PORT,
        componentDirectTls: PORT,
        router: PORT,
        websocket: PORT,
        websocketTls: PORT,
      },
    },
    accounts: { checks: {}, others: password },
    websocket: flag,
    components: { checks: {}, others: secret },
    componentConflict: oneOf('refuse', 'replace', 'share'),
    routerUsers: { checks: {}, others: ROUTER_USER },
    tls: {
      checks: {
        starttls: oneOf('required', 'optional', 'off'),
        routerStarttls: oneOf('optional', 'off'),
        cert: pemText,
        key: pemText,
        names: listOf('names', text),
        clientCa: pemText,
        minVersion: TLS_VERSION,
        maxVersion: TLS_VERSION,
      },
      instead: orFalse,
      rule: (_right, given) =>
        given.has('cert') === given.has('key') ? [] : ['tls.cert and tls.key are needed together'],
    } satisfies OptionTable<LoopbackTlsOptions>,
    mechanisms: listOf(MECHANISM_NAMES.join(', '), oneOf(...MECHANISM_NAMES)),
    sasl: {
      checks: {
        channelBindings: listOf(CHANNEL_BINDINGS.join(', '), oneOf(...CHANNEL_BINDINGS)),
        listChannelBindings: flag,
        iterations: whole(1, 10_000_000),
        signOffer: flag,
        finalData: oneOf('success', 'challenge'),
        tries: whole(1, 1000),
      },
    } satisfies OptionTable<LoopbackSaslOptions>,
    sasl2: {
      checks: {
        bind2: flag,
        fast: {
          checks: {
            mechanisms: listOf(TOKEN_NAMES.join(', '), oneOf(...TOKEN_NAMES), 1),
            seconds: whole(1, 1_000_000_000),
            rotateSeconds: whole(0, 1_000_000_000),
          },
          instead: orFalse,
        } satisfies OptionTable<LoopbackFastOptions>,
      },
      instead: orFalse,
    } satisfies OptionTable<LoopbackSasl2Options>,
    bind: {
      checks: {
        conflict: oneOf('replace', 'refuse', 'rename'),
        assigned: flag,
        session: oneOf('optional', 'required', 'off'),
      },
    } satisfies OptionTable<LoopbackBindOptions>,
    legacy: {
      checks: {
        methods: listOf(LEGACY_METHODS.join(', '), oneOf(...LEGACY_METHODS)),
        announced: flag,
        errors: oneOf('condition', 'code'),
        sequence: whole(1, 100_000),
        token: text,
      },
      instead: orFalse,
    } satisfies OptionTable<LoopbackLegacyOptions>,
    streamManagement: {
      checks: {
        resume: flag,
        max: whole(0, 1_000_000),
        requestEvery: whole(0, 2 ** 31),
        failedCount: flag,
        startCount: whole(0, 2 ** 32 - 1),
        unackedLimit: whole(1, 10_000_000),
      },
      instead: orFalse,
    } satisfies OptionTable<LoopbackManagementOptions>,
    services: {
      checks: { rooms: domainOrFalse, pubsub: domainOrFalse, roster: flag, offline: flag, archive: flag },
      instead: orFalse,
    } satisfies OptionTable<LoopbackServices>,
    limits: XML_LIMITS,
    timeouts: {
      checks: { negotiation: milliseconds, close: milliseconds },
    } satisfies OptionTable<LoopbackTimeouts>,
    onHandlerError: method,
  },
  rule: checkNames,
};

/**
 * Fills in what is missing.
 * @throws BrokerError `USAGE_LOOPBACK` that lists everything that is wrong
 */
export function settingsOf(options: LoopbackOptions): Settings {
  const given = readOptions('USAGE_LOOPBACK', 'LoopbackServer.start()', options, OPTIONS);
  const {
    accounts,
    components,
    routerUsers,
    mechanisms,
    tls = {},
    legacy = {},
    streamManagement = {},
    sasl2 = false,
  } = given;
  return {
    domain: preparedDomain(given.domain ?? DEFAULT_DOMAIN),
    host: given.host ?? '127.0.0.1',
    ports: { ...given.ports },
    accounts,
    websocket: given.websocket ?? false,
    components: components && mapEntries(components, (name, key) => [preparedDomain(name), key]),
    componentConflict: given.componentConflict ?? 'refuse',
    routerUsers:
      routerUsers &&
      mapEntries(routerUsers, (name, user) => [name, typeof user === 'string' ? { password: user } : user]),
    tls: tls === false ? null : { starttls: 'optional', routerStarttls: 'optional', names: [], ...readGroup(tls) },
    needsTls: tls !== false && (hasClients(given) || routerUsers !== undefined || given.tls !== undefined),
    mechanisms,
    sasl: {
      channelBindings: ['tls-exporter', 'tls-server-end-point'],
      listChannelBindings: true,
      iterations: 4096,
      signOffer: false,
      finalData: 'success',
      tries: 5,
      ...readGroup(given.sasl),
    },
    sasl2: sasl2 === false ? null : { bind2: sasl2.bind2 ?? true, fast: fastOf(sasl2.fast ?? {}) },
    bind: { conflict: 'replace', assigned: false, session: 'optional', ...readGroup(given.bind) },
    legacy:
      legacy === false
        ? null
        : { methods: LEGACY_METHODS, announced: true, errors: 'condition', sequence: 500, ...readGroup(legacy) },
    streamManagement:
      streamManagement === false
        ? null
        : {
            resume: true,
            max: 60,
            requestEvery: 5,
            failedCount: true,
            startCount: 0,
            unackedLimit: 10_000,
            ...readGroup(streamManagement),
          },
    services: servicesOf(given),
    limits: { ...given.limits },
    timeouts: { negotiation: 30_000, close: 1000, ...readGroup(given.timeouts) },
    onHandlerError: given.onHandlerError ?? warn,
  };
}

function servicesOf({ domain: own = DEFAULT_DOMAIN, components, services = {} }: LoopbackOptions): ServiceSettings {
  if (services === false) return { rooms: null, pubsub: null, roster: false, offline: false, archive: false };
  const taken = new Set(Object.keys(components ?? {}).map(preparedDomain));
  const domainOf = (given: string | false | undefined, usual: string) => {
    if (given !== undefined) return given === false ? null : preparedDomain(given);
    const name = preparedDomain(`${usual}.${own}`);
    return taken.has(name) ? null : name;
  };
  const { roster = true, offline = true, archive = false } = services;
  const [rooms, pubsub] = [domainOf(services.rooms, 'conference'), domainOf(services.pubsub, 'pubsub')];
  return { rooms, pubsub, roster, offline, archive };
}

function fastOf(fast: LoopbackFastOptions | false): Complete<LoopbackFastOptions> | null {
  if (fast === false) return null;
  return { mechanisms: TOKEN_NAMES, seconds: 1_814_400, rotateSeconds: 86_400, ...readGroup(fast) };
}

/** A mistake in a test's handler is to be seen, and to stop nothing. */
function warn(error: unknown, event: string): void {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`a handler of the loopback server's event "${event}" failed: ${why}`, 'LoopbackServerWarning');
}

/** Whether somebody may sign in as a client. */
export function hasClients({ accounts, mechanisms }: Pick<LoopbackOptions, 'accounts' | 'mechanisms'>): boolean {
  const forAnybody = MECHANISMS.filter(({ needs }) => !needs.includes('account'));
  return accounts !== undefined || forAnybody.some(({ name }) => mechanisms?.includes(name) === true);
}

/** Names of users and components have to be parts of addresses. */
function checkNames({
  domain: own = DEFAULT_DOMAIN,
  accounts,
  components,
  routerUsers,
  services,
}: Partial<LoopbackOptions>): string[] {
  const problems: string[] = [];
  const check = (group: string, users: object | undefined, name: Check) => {
    for (const user of Object.keys(users ?? {})) {
      const problem = name(user);
      if (problem !== null) problems.push(`${group}.${user} has a name that ${problem}`);
    }
  };
  const domains = Object.keys(components ?? {}).filter((name) => domain(name) === null);
  const taken = new Set([own, ...domains].map(preparedDomain));
  for (const [name, given] of Object.entries(services === false ? {} : (services ?? {}))) {
    if (typeof given !== 'string') continue;
    if (taken.has(preparedDomain(given))) problems.push(`services.${name} is the domain of something else`);
    taken.add(preparedDomain(given));
  }
  check('accounts', accounts, localPart);
  check('routerUsers', routerUsers, localPart);
  check(
    'components',
    components,
    (name) =>
      domain(name) ?? (preparedDomain(name as string) === preparedDomain(own) ? "is the server's own domain" : null),
  );
  return problems;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function mapEntries<From, To>(
  record: Readonly<Record<string, From>>,
  change: (key: string, value: From) => readonly [string, To],
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => change(key, value)));
}
