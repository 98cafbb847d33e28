import type { Optional } from '../arguments/optional.js';

/** The defaults, with the given values of their names: the defaults themselves, where nothing else is given. */
export function filled<T extends object>(defaults: Readonly<T>, given: true | Optional<NoInfer<T>>): Readonly<T> {
  if (given === true) return defaults;
  const names = (Object.keys(defaults) as (keyof T)[]).filter((name) => given[name] !== undefined);
  if (names.length === 0) return defaults;
  return Object.freeze({ ...defaults, ...Object.fromEntries(names.map((name) => [name, given[name]])) });
}
