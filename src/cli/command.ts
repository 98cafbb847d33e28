import { parseArgs } from 'node:util';
import { nearest } from '../arguments/suggestion.js';
import { usageError } from '../errors.js';

/** One option of a command. */
export interface CliOption {
  /** Name of its value in the help; without one it is a switch. */
  readonly value?: string;
  readonly help: string;
  /** One letter. */
  readonly short?: string;
  /** Whether it may be given more than once. */
  readonly multiple?: boolean;
}

export type CliOptions = Readonly<Record<string, CliOption>>;

/** Where a command reads and writes: the process's own, or a test's. */
export interface Terminal {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether a person reads what is written. */
  readonly colour: boolean;
  /** Asks for a secret without showing it; null where nobody can be asked. */
  readonly ask: ((prompt: string) => Promise<string>) | null;
  /** Everything that comes in. */
  readonly input: () => Promise<string>;
  /** Aborted when it shall end: SIGINT, SIGTERM. */
  readonly signal: AbortSignal;
}

/** What was given on the command line. */
export interface Given {
  readonly positionals: readonly string[];
  text(option: string): string | undefined;
  texts(option: string): readonly string[];
  has(option: string): boolean;
}

/** A command of `xmpp-broker`. The help, the completion and the man page are made of this. */
export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What follows the name, such as `EXPRESSION [FILE]`. */
  readonly operands: string;
  /** Least and most of them. */
  readonly count: readonly [least: number, most: number];
  /** Further lines for the help: what it does, and its exit codes where they are special. */
  readonly details: readonly string[];
  readonly options: CliOptions;
  /** @returns the exit code */
  run(given: Given, terminal: Terminal): Promise<number>;
}

/** Options that every command has. */
export const COMMON: CliOptions = {
  json: { help: 'writes JSON, one object on each line' },
  help: { help: 'shows this help', short: 'h' },
};

/** Reads the arguments of a command. @throws BrokerError `USAGE_ARGUMENT` */
export function readArguments(command: Command, args: readonly string[]): Given {
  const all = { ...command.options, ...COMMON };
  const options = Object.fromEntries(
    Object.entries(all).map(([name, { value, short, multiple = false }]) => [
      name,
      {
        type: value === undefined ? 'boolean' : 'string',
        multiple,
        ...(short === undefined ? {} : { short }),
      } as const,
    ]),
  );
  const { values, positionals } = parsed(command, args, options);
  const [least, most] = command.count;
  if (values['help'] !== true && (positionals.length < least || positionals.length > most)) {
    throw usageError(
      'USAGE_ARGUMENT',
      `${command.name} takes ${command.operands === '' ? 'no operand' : command.operands}, ${notThat(positionals)}; see xmpp-broker ${command.name} --help`,
    );
  }
  const list = (name: string): readonly string[] =>
    [values[name]].flat().filter((one): one is string => typeof one === 'string');
  return { positionals, has: (name) => values[name] === true, texts: list, text: (name) => list(name).at(-1) };
}

/** What was given in place of what a command takes. */
function notThat(positionals: readonly string[]): string {
  if (positionals.length === 0) return 'and nothing was given';
  return `not ${positionals.map((one) => JSON.stringify(one)).join(' ')}`;
}

/** Values by option: true for a switch, a text, or a list of them. */
interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

function parsed(
  command: Command,
  args: readonly string[],
  options: NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>,
): Parsed {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    const reason = reasonOf(error, Object.keys(options));
    throw usageError('USAGE_ARGUMENT', `${command.name}: ${reason}; see xmpp-broker ${command.name} --help`);
  }
}

/** What is wrong with the arguments: of an option that is not known, the one that was probably meant. */
function reasonOf(error: unknown, known: readonly string[]): string {
  const reason = error instanceof Error ? error.message : String(error);
  const [, option] = /^Unknown option '(-[^']*)'/.exec(reason) ?? [];
  // It takes more than one line to say what to do.
  if (option === undefined) return reason.replaceAll('\n', ' ').replace(/\.$/, '');
  const near = nearest(option, known);
  return `there is no option ${option}${near === undefined ? '' : `; did you mean --${near}?`}`;
}
