import { nearest } from '../arguments/suggestion.js';
import { BrokerError } from '../errors.js';
import { readArguments, type Terminal } from './command.js';
import { COMMANDS } from './commands/index.js';
import { escaped } from './escaped.js';
import { helpOf, overview } from './help.js';
import { manPage } from './man-page.js';

/** Runs one command line. @returns the exit code; what goes wrong is written to where errors go */
export async function run(args: readonly string[], version: string, terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    terminal.out(overview(COMMANDS).trimEnd());
    return name === undefined ? 2 : 0;
  }
  if (name === '--version') {
    terminal.out(version);
    return 0;
  }
  if (name === '--man') {
    terminal.out(manPage(version, COMMANDS).trimEnd());
    return 0;
  }
  const command = COMMANDS.find((one) => one.name === name);
  if (command === undefined) {
    const near = nearest(
      name,
      COMMANDS.map((one) => one.name),
    );
    terminal.err(
      `xmpp-broker: there is no command ${JSON.stringify(name)}; ${near === undefined ? 'see xmpp-broker --help' : `did you mean ${near}?`}`,
    );
    return 2;
  }
  try {
    const given = readArguments(command, rest);
    if (given.has('help')) {
      terminal.out(helpOf(command).trimEnd());
      return 0;
    }
    return await command.run(given, terminal);
  } catch (error) {
    terminal.err(`xmpp-broker: ${escaped(textOf(error))}`);
    return isUsage(error) ? 2 : 1;
  }
}

function isUsage(error: unknown): boolean {
  return error instanceof BrokerError && error.code.startsWith('USAGE_');
}

function textOf(error: unknown): string {
  if (error instanceof BrokerError && !isUsage(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
