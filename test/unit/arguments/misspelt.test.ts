// faults.md E3: an option that is misspelt by one letter, wherever options are taken.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import {
  Broker,
  Connection,
  Delegation,
  errorReply,
  JABBERD14_COMPONENT,
  JABBERD20_COMPONENT,
  LEGACY,
  parse,
  Privileges,
  RouterControl,
  serveDisco,
  xml,
  XMPP,
} from 'xmpp-broker';
import { openConsole } from 'xmpp-broker/console';
import { Room } from 'xmpp-broker/muc';
import { fanOut, Fleet, natsStore, prepareNats, StanzaPublisher, Worker } from 'xmpp-broker/nats';
import { prometheus } from 'xmpp-broker/prometheus';
import { sqliteStore } from 'xmpp-broker/queue/sqlite';
import { DryRun, LoopbackServer } from 'xmpp-broker/testing';

const broker = new Broker({
  connectionType: JABBERD14_COMPONENT,
  host: '127.0.0.1',
  port: 1,
  domain: 'comp.localhost',
  password: 'secret',
  logger: false,
  connector: () => new Promise(() => undefined),
});
const server = await LoopbackServer.start();
const iq = xml('iq', { type: 'get', to: 'a@b' }, xml('q', { xmlns: 'urn:x' }));
const nothing = (): void => undefined;

const producer = new StanzaPublisher({ connection: { servers: 'nats://127.0.0.1:1' } });
producer.subscribe('fail', () => undefined);
const worker = new Worker({
  connection: { servers: 'nats://127.0.0.1:1' },
  queue: 'q',
  group: 'g',
  handler: nothing,
});
worker.subscribe('fail', nothing);

afterAll(async () => {
  broker.halt();
  await worker.close();
  await producer.close({ timeoutMs: 1 });
  await server.stop();
});

/** Every call that takes options, as its messages name it. */
const PLACES: Readonly<Record<string, (options: never) => unknown>> = {
  'new Broker()': (options) => new Broker(options),
  'connect()': (options) => broker.connect(options),
  'output()': (options) => broker.output(iq, options),
  'shutdown()': (options) => broker.shutdown(options),
  'request()': (options) => broker.request(iq, options),
  'answerLater()': (options) => broker.answerLater(iq, options),
  'match()': (options) => broker.match('/a', nothing, options),
  'filters.add()': (options) => broker.filters.add('e', '/a', options),
  'filters.explainExpression()': (options) => broker.filters.explainExpression('/a', options),
  'filters.test()': (options) => broker.filters.test('/a', '<a/>', options),
  'subscribe()': (options) => broker.subscribe('e', nothing, options),
  'once()': (options) => broker.events.once('e', options),
  'iterate()': (options) => broker.events.iterate('e', options),
  "answer('get')": (options) => broker.answer('get', { namespace: 'a' }, () => null, options),
  "trusted('mam')": (options) => broker.trusted(iq, 'mam', options),
  "trusted('pep')": (options) => broker.trusted(iq, 'pep', options),
  'errorReply()': (options) => errorReply(iq, 'bad-request', options),
  'parse()': (options) => parse('<a/>', options),
  'XMPP.with()': (options) => XMPP.with(options),
  'LEGACY.with()': (options) => LEGACY.with(options),
  'JABBERD14_COMPONENT.with()': (options) => JABBERD14_COMPONENT.with(options),
  'JABBERD20_COMPONENT.with()': (options) => JABBERD20_COMPONENT.with(options),
  'RouterControl.bind()': (options) => new RouterControl(broker).bind('a.localhost', options),
  'serveDisco()': (options) => serveDisco(broker, options),
  'new Privileges()': (options) => new Privileges(broker, options),
  'new Delegation()': (options) => new Delegation(broker, options),
  'new Connection()': (options) => new Connection(options),
  'prometheus()': (options) => prometheus(broker, options),
  'openConsole()': (options) => openConsole(broker, options),
  'new Room()': (options) => new Room(broker, 'lobby@rooms.localhost', options),
  'new StanzaPublisher()': (options) => new StanzaPublisher(options),
  'StanzaPublisher.close()': (options) => producer.close(options),
  'purge()': (options) => producer.purge('q', options),
  'drop()': (options) => producer.drop('q', options),
  'natsStore()': (options) => natsStore(options),
  'prepareNats()': (options) => prepareNats({ servers: 'nats://127.0.0.1:1' }, options),
  'fanOut()': (options) => fanOut(broker, options),
  'new Worker()': (options) => new Worker(options),
  'new Fleet()': (options) => new Fleet(options),
  'Worker.close()': (options) => worker.close(options),
  'sqliteStore()': (options) => sqliteStore(options),
  'LoopbackServer.start()': (options) => LoopbackServer.start(options),
  'DryRun.start()': (options) => DryRun.start(options),
  'expect()': (options) => server.expect('/a', options),
  'stop()': (options) => server.stop(options),
  'restart()': (options) => server.restart(options),
  'forgetSessions()': (options) => server.forgetSessions(options),
  'kick()': (options) => server.kick('a@b', 'reset', options),
  'refuse()': (options) => server.refuse(options),
};
/** The target of `answer()` is read by the same call. */
const TARGET = (options: never) => broker.answer('get', options, () => null);

const NONSENSE = 'zzqqzzqq';

async function messageOf(run: (options: never) => unknown, options: object): Promise<string> {
  try {
    await run(options as never);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

/** Options of a path, which is empty or ends with a dot: `{ timeouts: { close: 1 } }` for `timeouts.` and `close`. */
function nested(path: string, name: string): object {
  return path
    .split('.')
    .slice(0, -1)
    .reduceRight<object>((inner, group) => ({ [group]: inner }), { [name]: 1 });
}

/** The names that a call knows below a path; none if there are no options there. */
async function namesAt(run: (options: never) => unknown, path: string): Promise<string[]> {
  const message = await messageOf(run, nested(path, NONSENSE));
  const [, names = 'none'] = new RegExp(`${NONSENSE} is no option; there are ([\\w, ]+)$`, 'm').exec(message) ?? [];
  return names === 'none' ? [] : names.split(', ');
}

/** A name with one letter left out, doubled, swapped with the next, or another one. */
function misspellings(name: string): string[] {
  return Array.from(name, (letter, i) => {
    const [before, after] = [name.slice(0, i), name.slice(i + 1)];
    return [before + after, before + letter + letter + after, `${before}q${after}`].concat(
      after === '' ? [] : before + after.charAt(0) + letter + after.slice(1),
    );
  }).flat();
}

/** Whether one letter of a word was changed to make the other of it. */
function isOneLetterOff(a: string, b: string): boolean {
  return a.length === b.length && Array.from(a).filter((letter, i) => letter !== b.charAt(i)).length === 1;
}

async function unhelpful(run: (options: never) => unknown, path: string): Promise<string[]> {
  const names = await namesAt(run, path);
  const bad: string[] = [];
  for (const name of names) {
    for (const typo of new Set(misspellings(name))) {
      if (typo === '' || names.some((other) => other.toLowerCase() === typo.toLowerCase())) continue;
      const message = await messageOf(run, nested(path, typo));
      const meant = new RegExp(`${path}${typo} is no option; did you mean ([\\w.]+)\\?`).exec(message)?.[1] ?? '';
      // Two letters that are left of `crl` may as well be `ca`.
      const right = [
        name,
        ...names.filter((other) => isOneLetterOff(other, typo) || misspellings(other).includes(typo)),
      ];
      if (!right.some((one) => `.${meant}`.endsWith(`.${path}${one}`))) bad.push(`${path}${typo}: ${message}`);
    }
    bad.push(...(await unhelpful(run, `${path}${name}.`)));
  }
  return bad;
}

describe('E3: an option that is misspelt by one letter is refused with the one that was meant', () => {
  it.each(Object.entries({ ...PLACES, 'the target of answer()': TARGET }))('%s', async (_, run) => {
    expect((await namesAt(run, '')).length).toBeGreaterThan(0);
    expect(await unhelpful(run, '')).toEqual([]);
  });

  it('pasword is password, and so in a group whose own name is misspelt', async () => {
    const run = (options: never) => new Broker(options);
    expect(await messageOf(run, { pasword: 'x' })).toContain('- pasword is no option; did you mean password?');
    expect(await messageOf(run, { timeuots: { close: 5 } })).toContain('timeuots is no option; did you mean timeouts?');
    expect(await messageOf(run, { timeouts: { cloze: 5 } })).toContain('did you mean timeouts.close?');
    expect(await messageOf(run, { ca: 'x' })).toContain('ca is no option; did you mean tls.ca?');
    expect(await messageOf(run, { max_stanzas: 5 })).not.toContain('did you mean max');
  });

  it('every call that takes options is in this table, and each message begins with the call', async () => {
    const calls = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [
        ...readFileSync(`src/${file}`, 'utf8').matchAll(/readOptions\(\s*'USAGE_\w+',\s*(?:'([^']+)'|(\w+))/g),
      ])
      .flatMap(([, literal]) => (literal === undefined ? [] : [literal]));
    expect(calls.length).toBeGreaterThan(20);
    expect([...new Set(calls)].filter((call) => !Object.hasOwn(PLACES, call))).toEqual([]);
    for (const [call, run] of Object.entries(PLACES)) {
      expect((await messageOf(run, { [NONSENSE]: 1 })).startsWith(`${call}: `), call).toBe(true);
    }
  });
});
