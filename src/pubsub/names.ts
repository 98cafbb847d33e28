// Which names of events a program may write, and what their payloads are. There is nothing of this at run time.

/**
 * The names that a map of events lists; any name where it lists none, as `object` does.
 * What stands for "any" is not plain `string`, so that an editor still offers the names it knows.
 */
export type NameOf<Events extends object> = [keyof Events] extends [never]
  ? string & NonNullable<unknown>
  : keyof Events & string;

/** The payload under a name; unknown where no map lists it. */
export type PayloadOf<Events extends object, Name extends string> = (Events & Record<string, unknown>)[Name];

/** A name to subscribe to: one that begins as only the owner's do has to be one of the owner's. */
export type Spelt<Name extends string, Owned extends object, Reserved extends string> = [Reserved] extends [never]
  ? Name
  : [Name] extends [keyof Owned]
    ? Name
    : [Name] extends [Reserved]
      ? keyof Owned & string
      : Name;

/** A name that a program may fire. */
export type Free<Name extends string, Reserved extends string> = [Reserved] extends [never]
  ? Name
  : [Name] extends [Reserved]
    ? never
    : Name;

/** The names whose payloads may be a `Payload`; any name where the map lists none. */
export type NameFor<Events extends object, Payload> = [keyof Events] extends [never]
  ? string & NonNullable<unknown>
  : { [Name in keyof Events]: Payload extends Events[Name] ? Name : never }[keyof Events] & string;
