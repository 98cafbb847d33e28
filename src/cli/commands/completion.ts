import { usageError } from '../../errors.js';
import type { Command } from '../command.js';
import { completionFor, SHELLS, type Shell } from '../completion.js';

/** Completion for a shell; given all commands, which it is one of. */
export function completion(commands: () => readonly Command[]): Command {
  return {
    name: 'completion',
    summary: 'prints what a shell needs to complete commands and options',
    operands: 'bash|zsh|fish',
    count: [1, 1],
    details: [
      'bash: source <(xmpp-broker completion bash)',
      'zsh: source <(xmpp-broker completion zsh), behind compinit',
      'fish: xmpp-broker completion fish > ~/.config/fish/completions/xmpp-broker.fish',
    ],
    options: {},
    run(given, { out }) {
      const [shell = ''] = given.positionals;
      if (!SHELLS.includes(shell as Shell)) {
        throw usageError(
          'USAGE_ARGUMENT',
          `there is completion for ${SHELLS.join(', ')}, not for ${JSON.stringify(shell)}`,
        );
      }
      const script = completionFor(shell as Shell, commands()).trimEnd();
      out(given.has('json') ? JSON.stringify({ shell, script }) : script);
      return Promise.resolve(0);
    },
  };
}
