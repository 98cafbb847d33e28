/** The three functions of the "Reflect metadata" proposal that `@peculiar/x509` wants while it is loaded. */
interface Metadata {
  getMetadata?: (key: unknown, target: object) => unknown;
  getOwnMetadata?: (key: unknown, target: object) => unknown;
  defineMetadata?: (key: unknown, value: unknown, target: object) => void;
}

/** Provides them until `load` is done, unless the program has them already. */
export async function withReflectMetadata<T>(load: () => Promise<T>): Promise<T> {
  const reflect = Reflect as Metadata;
  if (reflect.getMetadata !== undefined) return load();
  const store = new WeakMap<object, Map<unknown, unknown>>();
  const get = (key: unknown, target: object): unknown => store.get(target)?.get(key);
  const define = (key: unknown, value: unknown, target: object): void => {
    const entries = store.get(target) ?? new Map<unknown, unknown>();
    store.set(target, entries.set(key, value));
  };
  reflect.getMetadata = get;
  reflect.getOwnMetadata = get;
  reflect.defineMetadata = define;
  try {
    return await load();
  } finally {
    // A program that loads the real thing later finds the place empty.
    if (reflect.getMetadata === get) delete reflect.getMetadata;
    if (reflect.getOwnMetadata === get) delete reflect.getOwnMetadata;
    if (reflect.defineMetadata === define) delete reflect.defineMetadata;
  }
}
