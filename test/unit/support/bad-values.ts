import { JID, xml } from 'xmpp-broker';

/** An error of no class of ours, as a getter of a program might throw it. */
class Foreign extends Error {}

const fail = (): never => {
  throw new Foreign('thrown by the value itself');
};

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const throwing: ProxyHandler<object> = Object.fromEntries(
  ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf'].map((trap) => [trap, fail]),
);

/** Values of every kind, by a name for the messages. Each call gets a fresh one. */
export const VALUES = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  false: () => false,
  zero: () => 0,
  negative: () => -1,
  fraction: () => 1.5,
  one: () => 1,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  'number beyond the safe integers': () => 2 ** 53,
  bigint: () => 1n,
  symbol: () => Symbol('s'),
  'empty string': () => '',
  space: () => ' ',
  word: () => 'word',
  'long string': () => 'x'.repeat(100_000),
  'control character': () => '\u0000',
  'lone surrogate': () => '\ud800',
  'String object': () => new String('word'),
  'empty array': () => [],
  'array of strings': () => ['word'],
  'empty object': () => ({}),
  'object with an unknown key': () => ({ nonsense: 1 }),
  'object without prototype': () => Object.create(null) as object,
  'own __proto__': () => JSON.parse('{"__proto__":{"polluted":true}}') as object,
  function: () => () => undefined,
  class: () => Foreign,
  date: () => new Date(0),
  expression: () => /x/,
  map: () => new Map([['a', 'b']]),
  bytes: () => new Uint8Array([0xff]),
  promise: () => Promise.resolve('word'),
  'aborted signal': () => AbortSignal.abort(new Foreign('the reason of a signal')),
  element: () => xml('message', { to: 'a@b' }),
  'iq without id and child': () => xml('iq', { type: 'get', to: 'a@b' }),
  address: () => new JID('a', 'b'),
  'getters that throw': () =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        ['host', 'port', 'signal', 'timeout', 'once', 'limit', 'namespaces', 'variables', 'domain', 'nodeType', 'type']
          .concat(['depth', 'to', 'connectionType', 'mechanisms', 'insist', 'text'])
          .map((name) => [name, { enumerable: true, get: fail }]),
      ),
    ),
  'conversions that throw': () => ({ toString: fail, valueOf: fail, [Symbol.toPrimitive]: fail, toJSON: fail }),
  'proxy that throws': () => new Proxy({}, throwing),
  'function proxy that throws': () => new Proxy(() => undefined, throwing),
  'revoked proxy': revoked,
} as const satisfies Record<string, () => unknown>;

export type ValueName = keyof typeof VALUES;

export const VALUE_NAMES = Object.keys(VALUES) as readonly ValueName[];

const named = (...names: ValueName[]): readonly ValueName[] => names;

/** Values that are strings. */
export const STRINGS = named('empty string', 'space', 'word', 'long string', 'control character', 'lone surrogate');
/** Values that can be called. */
export const FUNCTIONS = named('function', 'class', 'function proxy that throws');
export const NUMBERS = named(
  'zero',
  'negative',
  'fraction',
  'one',
  'NaN',
  'Infinity',
  'number beyond the safe integers',
);
/** Objects that say nothing about options. */
export const EMPTY_OBJECTS = named('empty object', 'object without prototype');

/** Objects that can be read without an error, whatever they are. */
export const OBJECTS = named(
  ...EMPTY_OBJECTS,
  'String object',
  'empty array',
  'array of strings',
  'object with an unknown key',
  'own __proto__',
  'date',
  'expression',
  'map',
  'bytes',
  'promise',
  'aborted signal',
  'element',
  'iq without id and child',
  'address',
  'getters that throw',
  'conversions that throw',
);
