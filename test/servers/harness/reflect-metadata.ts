/**
 * The three functions of the "Reflect metadata" proposal that `@peculiar/x509` looks for when it is loaded.
 * Import this file before it.
 */
const store = new WeakMap<object, Map<unknown, unknown>>();

const getMetadata = (key: unknown, target: object): unknown => store.get(target)?.get(key);

function defineMetadata(key: unknown, value: unknown, target: object): void {
  const entries = store.get(target) ?? new Map<unknown, unknown>();
  store.set(target, entries.set(key, value));
}

if (!('getMetadata' in Reflect)) Object.assign(Reflect, { getMetadata, getOwnMetadata: getMetadata, defineMetadata });
