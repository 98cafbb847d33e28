import { COMMON, type CliOptions, type Command } from './command.js';

/** Column at which explanations begin. */
const COLUMN = 30;

/** The help of one command. */
export function helpOf(command: Command): string {
  const lines = [
    `xmpp-broker ${[command.name, '[OPTION]…', command.operands].filter((part) => part !== '').join(' ')}`,
    '',
    command.summary,
    ...(command.details.length === 0 ? [] : ['', ...command.details]),
    '',
    'Options:',
    ...optionLines({ ...command.options, ...COMMON }),
  ];
  return `${lines.join('\n')}\n`;
}

/** The help of the whole. */
export function overview(commands: readonly Command[]): string {
  const lines = [
    'xmpp-broker: connects Node programs to XMPP servers',
    '',
    ...commands.map(({ name, summary }) => row(`  xmpp-broker ${name}`, summary)),
    '',
    row('  xmpp-broker COMMAND --help', 'what a command takes'),
    row('  xmpp-broker --version', 'the version'),
    '',
    'Exit codes: 0 it worked, 1 it did not, 2 the command line is wrong.',
  ];
  return `${lines.join('\n')}\n`;
}

function optionLines(options: CliOptions): string[] {
  return Object.entries(options).map(([name, { value, short, help }]) => {
    const dash = short === undefined ? '' : `-${short}, `;
    return row(`  ${dash}--${name}${value === undefined ? '' : ` ${value}`}`, help);
  });
}

function row(left: string, right: string): string {
  return left.length < COLUMN - 1 ? `${left.padEnd(COLUMN)}${right}` : `${left}\n${' '.repeat(COLUMN)}${right}`;
}
