// Completion for shells, made of the table of commands.
import { COMMON, type Command } from './command.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const optionNames = ({ options }: Command): string[] =>
  Object.keys({ ...options, ...COMMON }).map((name) => `--${name}`);

/** What a shell reads to complete `xmpp-broker`. */
export function completionFor(shell: Shell, commands: readonly Command[]): string {
  return { bash, zsh, fish }[shell](commands);
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => `    ${command.name}) words='${optionNames(command).join(' ')}' ;;`);
  return `_xmpp_broker() {
  local words
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    *) words='' ;;
  esac
  if [ "$COMP_CWORD" = 1 ]; then words='${commands.map(({ name }) => name).join(' ')} --help --version'; fi
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _xmpp_broker xmpp-broker
`;
}

function zsh(commands: readonly Command[]): string {
  const quoted = (text: string) =>
    text.replaceAll("'", "'\\''").replaceAll(':', '\\:').replaceAll('[', '\\[').replaceAll(']', '\\]');
  const names = commands.map(({ name, summary }) => `'${name}:${quoted(summary)}'`);
  const cases = commands.map(({ name, options }) => {
    const specs = Object.entries({ ...options, ...COMMON }).map(
      ([option, { help, value }]) => `'--${option}[${quoted(help)}]${value === undefined ? '' : `:${value}:_files`}'`,
    );
    return `    ${name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`;
  });
  return `#compdef xmpp-broker
_xmpp_broker() {
  local -a commands
  commands=(${names.join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case "$name" in
${cases.join('\n')}
  esac
}
compdef _xmpp_broker xmpp-broker
`;
}

function fish(commands: readonly Command[]): string {
  const quoted = (text: string) => text.replaceAll('\\', '\\\\').replaceAll("'", "\\'");
  const lines = commands.flatMap(({ name, summary, options }) => [
    `complete -c xmpp-broker -n __fish_use_subcommand -a ${name} -d '${quoted(summary)}'`,
    ...Object.entries({ ...options, ...COMMON }).map(
      ([option, { help, value }]) =>
        `complete -c xmpp-broker -n '__fish_seen_subcommand_from ${name}' -l ${option}${value === undefined ? '' : ' -r'} -d '${quoted(help)}'`,
    ),
  ]);
  return `${lines.join('\n')}\n`;
}
