import { COMMON, type CliOptions, type Command } from './command.js';

/** Text for roff: what begins a request, or an escape, is none. */
const roff = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^[.']/gm, '\\&$&');

/** The man page, made of the table of commands. */
export function manPage(version: string, commands: readonly Command[]): string {
  const lines = [
    `.TH XMPP\\-BROKER 1 "" "xmpp\\-broker ${roff(version)}" "User Commands"`,
    '.SH NAME',
    'xmpp\\-broker \\- connects Node programs to XMPP servers',
    '.SH SYNOPSIS',
    '.B xmpp\\-broker',
    '.I COMMAND',
    '[\\fIOPTION\\fR]... [\\fIOPERAND\\fR]...',
    '.SH COMMANDS',
    ...commands.flatMap(({ name, operands, summary, details, options }) => [
      `.SS ${roff(`${name} ${operands}`.trim())}`,
      roff(`${summary}.`),
      ...details.flatMap((line) => (line === '' ? ['.PP'] : [roff(line)])),
      ...optionLines(options),
    ]),
    '.SH OPTIONS OF EVERY COMMAND',
    ...optionLines(COMMON),
    '.SH ENVIRONMENT',
    '.TP',
    '.B XMPP_PASSWORD',
    'The password or secret. One in a file, or typed when asked, is as good; on the command line others could read it.',
    '.SH EXIT STATUS',
    '0 it worked, 1 it did not, 2 the command line is wrong.',
  ];
  return `${lines.join('\n')}\n`;
}

function optionLines(options: CliOptions): string[] {
  return Object.entries(options).flatMap(([name, { value, help }]) => [
    '.TP',
    `.B \\-\\-${roff(name)}${value === undefined ? '' : ` \\fI${roff(value)}\\fR`}`,
    roff(help),
  ]);
}
