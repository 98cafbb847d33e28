/** Some of what T has. What is `undefined` is not given, and may be said so under `exactOptionalPropertyTypes` too. */
export type Optional<T> = { [Name in keyof T]?: T[Name] | undefined };

/** Options when everything has a value: what was not given has its default. */
export type Complete<T> = { [Name in keyof T]-?: Exclude<T[Name], undefined> };

/** Options as they were read: what was `undefined` is not there. */
export type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined> };
