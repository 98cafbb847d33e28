import { isIP } from 'node:net';
import { usageError } from '../errors.js';
import { JID } from '../jid/jid.js';
import { xmlLimits, type XmlLimits } from '../xml/tokenizer/limits.js';
import { isPassword, PASSWORD } from './accounts.js';
import type {
  ComponentConflict,
  LoopbackBindOptions,
  LoopbackLegacyOptions,
  LoopbackManagementOptions,
  LoopbackOptions,
  LoopbackPort,
  LoopbackSaslOptions,
  LoopbackTimeouts,
  LoopbackTlsOptions,
  RouterUser,
} from './options.js';
import { MECHANISMS } from './sasl/mechanisms.js';

/** The options with everything filled in. */
export interface Settings {
  readonly domain: string;
  readonly host: string;
  readonly ports: Readonly<Partial<Record<LoopbackPort, number>>>;
  readonly accounts: Readonly<Record<string, string>> | undefined;
  readonly components: Readonly<Record<string, string>> | undefined;
  readonly componentConflict: ComponentConflict;
  readonly routerUsers: Readonly<Record<string, RouterUser>> | undefined;
  readonly tls:
    (LoopbackTlsOptions & Required<Pick<LoopbackTlsOptions, 'starttls' | 'routerStarttls' | 'names'>>) | null;
  /** Whether a certificate is needed: the side of clients or of the router is open, or the option says so. */
  readonly needsTls: boolean;
  readonly mechanisms: readonly string[] | undefined;
  readonly sasl: Required<LoopbackSaslOptions>;
  readonly bind: Required<LoopbackBindOptions>;
  readonly legacy: (Required<Omit<LoopbackLegacyOptions, 'token'>> & { token?: string | undefined }) | null;
  readonly streamManagement: Required<LoopbackManagementOptions> | null;
  readonly limits: Partial<XmlLimits>;
  readonly timeouts: Required<LoopbackTimeouts>;
  readonly onHandlerError: (error: unknown, event: string) => void;
}

/** Known keys and what is wrong with a value, or null. */
type Shape = Readonly<Record<string, (value: unknown) => string | null>>;

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? null : 'a text that is not empty');
const flag = (value: unknown) => (typeof value === 'boolean' ? null : 'true or false');
const whole = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most
    ? null
    : `a whole number from ${least} to ${most}`;
const one =
  (...names: readonly string[]) =>
  (value: unknown) =>
    names.includes(value as string) ? null : `one of ${names.join(', ')}`;
const list =
  (...names: readonly string[]) =>
  (value: unknown) =>
    Array.isArray(value) && value.every((name) => names.includes(name as string))
      ? null
      : `a list of ${names.join(', ')}`;
const texts = (value: unknown) =>
  Array.isArray(value) && value.every((one) => text(one) === null) ? null : 'a list of texts';
const object = (value: unknown) => (isObject(value) ? null : 'an object');
const objectOrFalse = (value: unknown) => (value === false || isObject(value) ? null : 'an object, or false');

const PORT = whole(0, 65_535);
const TLS_VERSION = one('TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3');
/** Longest time a timer takes. */
const TIME = whole(1, 2 ** 31 - 1);

const SHAPE: Shape = {
  domain: text,
  host: (value) =>
    typeof value === 'string' && isLoopback(value) ? null : 'an address of the loopback, such as 127.0.0.1',
  ports: object,
  accounts: object,
  components: object,
  componentConflict: one('refuse', 'replace', 'share'),
  routerUsers: object,
  tls: objectOrFalse,
  mechanisms: list(...MECHANISMS.map(({ name }) => name)),
  sasl: object,
  bind: object,
  legacy: objectOrFalse,
  streamManagement: objectOrFalse,
  limits: object,
  timeouts: object,
  onHandlerError: (value) => (typeof value === 'function' ? null : 'a function'),
};
const PARTS: Readonly<Record<string, Shape>> = {
  ports: { client: PORT, clientDirectTls: PORT, component: PORT, componentDirectTls: PORT, router: PORT },
  tls: {
    starttls: one('required', 'optional', 'off'),
    routerStarttls: one('optional', 'off'),
    cert: text,
    key: text,
    names: texts,
    clientCa: text,
    minVersion: TLS_VERSION,
    maxVersion: TLS_VERSION,
  },
  sasl: {
    channelBindings: list('tls-exporter', 'tls-server-end-point', 'tls-unique'),
    listChannelBindings: flag,
    iterations: whole(1, 10_000_000),
    signOffer: flag,
    finalData: one('success', 'challenge'),
    tries: whole(1, 1000),
  },
  bind: {
    conflict: one('replace', 'refuse', 'rename'),
    assigned: flag,
    session: one('optional', 'required', 'off'),
  },
  legacy: {
    methods: list('password', 'digest', '0k'),
    announced: flag,
    errors: one('condition', 'code'),
    sequence: whole(1, 100_000),
    token: text,
  },
  streamManagement: {
    resume: flag,
    max: whole(0, 1_000_000),
    requestEvery: whole(0, 2 ** 31),
    failedCount: flag,
    startCount: whole(0, 2 ** 32 - 1),
    unackedLimit: whole(1, 10_000_000),
  },
  timeouts: { negotiation: TIME, close: TIME },
};

/**
 * Fills in what is missing.
 * @throws BrokerError `USAGE_LOOPBACK` that lists everything that is wrong
 */
export function settingsOf(options: LoopbackOptions): Settings {
  if (!isObject(options)) throw usageError('USAGE_LOOPBACK', 'the options of the loopback server are an object');
  const problems: string[] = [];
  check(options, SHAPE, '', problems);
  for (const [part, shape] of Object.entries(PARTS)) {
    const value = (options as Record<string, unknown>)[part];
    if (isObject(value)) check(value, shape, `${part}.`, problems);
  }
  const domain = nameOf(options.domain ?? 'localhost', 'domain', problems);
  checkUsers(options, domain, problems);
  const { tls = {}, legacy = {}, streamManagement = {} } = options;
  if (tls !== false && isObject(tls) && (tls.cert === undefined) !== (tls.key === undefined)) {
    problems.push('tls.cert and tls.key go together');
  }
  try {
    if (isObject(options.limits)) xmlLimits(options.limits);
  } catch (error) {
    problems.push((error as Error).message);
  }
  if (problems.length > 0) {
    throw usageError('USAGE_LOOPBACK', `the options of the loopback server are wrong: ${problems.join('; ')}`);
  }
  return {
    domain,
    host: options.host ?? '127.0.0.1',
    ports: { ...options.ports },
    accounts: options.accounts,
    components: options.components && mapKeys(options.components, (name) => new JID(null, name).domain),
    componentConflict: options.componentConflict ?? 'refuse',
    routerUsers:
      options.routerUsers &&
      Object.fromEntries(
        Object.entries(options.routerUsers).map(([name, user]) => [
          name,
          typeof user === 'string' ? { password: user } : user,
        ]),
      ),
    tls: tls === false ? null : { starttls: 'optional', routerStarttls: 'optional', names: [], ...defined(tls) },
    needsTls: tls !== false && (hasClients(options) || options.routerUsers !== undefined || options.tls !== undefined),
    mechanisms: options.mechanisms,
    sasl: {
      channelBindings: ['tls-exporter', 'tls-server-end-point'],
      listChannelBindings: true,
      iterations: 4096,
      signOffer: false,
      finalData: 'success',
      tries: 5,
      ...defined(options.sasl),
    },
    bind: { conflict: 'replace', assigned: false, session: 'optional', ...defined(options.bind) },
    legacy:
      legacy === false
        ? null
        : {
            methods: ['password', 'digest', '0k'],
            announced: true,
            errors: 'condition',
            sequence: 500,
            ...defined(legacy),
          },
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
            ...defined(streamManagement),
          },
    limits: { ...options.limits },
    timeouts: { negotiation: 30_000, close: 1000, ...defined(options.timeouts) },
    onHandlerError: options.onHandlerError ?? warn,
  };
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

function check(given: object, shape: Shape, prefix: string, problems: string[]): void {
  for (const [key, value] of Object.entries(given) as [string, unknown][]) {
    const test = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (test === undefined) {
      problems.push(`there is no option ${prefix}${key}; known are ${Object.keys(shape).join(', ')}`);
      continue;
    }
    const wanted = value === undefined ? null : test(value);
    if (wanted !== null) problems.push(`${prefix}${key} has to be ${wanted}`);
  }
}

function checkUsers({ accounts, components, routerUsers }: LoopbackOptions, domain: string, problems: string[]): void {
  for (const [name, password] of entriesOf(accounts)) {
    checkUser(`accounts.${name}`, name, domain, problems);
    checkPassword(`accounts.${name}`, password, problems);
  }
  for (const [name, secret] of entriesOf(components)) {
    const prepared = nameOf(name, `the name of components.${name}`, problems);
    if (prepared === domain) problems.push(`components.${name} has the name of the server's own domain`);
    if (text(secret) !== null) problems.push(`components.${name} has to be a secret, a text that is not empty`);
  }
  for (const [name, user] of entriesOf(routerUsers)) {
    checkUser(`routerUsers.${name}`, name, domain, problems);
    const { password, acl = 'all' } = (isObject(user) ? user : { password: user }) as Record<string, unknown>;
    checkPassword(`routerUsers.${name}`, password, problems);
    if (acl !== 'all' && acl !== 'own') problems.push(`routerUsers.${name}.acl has to be all or own`);
  }
}

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

function checkUser(option: string, name: string, domain: string, problems: string[]): void {
  try {
    new JID(name, domain === '' ? 'localhost' : domain);
  } catch (error) {
    problems.push(`${option}: ${(error as Error).message}`);
  }
}

/** Neither the password nor what is wrong with it is shown. */
function checkPassword(option: string, password: unknown, problems: string[]): void {
  if (!isPassword(password)) problems.push(`${option} has to be a password: ${PASSWORD}`);
}

/** The name as it is in addresses; empty when it is none. */
function nameOf(domain: unknown, option: string, problems: string[]): string {
  try {
    return new JID(null, domain as string).domain;
  } catch (error) {
    problems.push(`${option}: ${(error as Error).message}`);
    return '';
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapKeys<T>(record: Readonly<Record<string, T>>, change: (key: string) => string): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [change(key), value]));
}

/** Without the keys whose value is undefined: those mean the default. */
function defined<T extends object>(options: T | undefined): T {
  return Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined)) as T;
}
