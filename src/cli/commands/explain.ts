import { readFile } from 'node:fs/promises';
import { Broker } from '../../broker/broker.js';
import { usageError } from '../../errors.js';
import { JABBERD14_COMPONENT } from '../../protocols/jabberd14.js';
import { serialize } from '../../xml/serializer.js';
import type { Command, Terminal } from '../command.js';
import { escaped } from '../escaped.js';
import { namespacesOf, NAMESPACES } from '../filter-arguments.js';

/** Whether an expression matches a stanza, and why not; or what can never match in it. */
export const explain: Command = {
  name: 'explain',
  summary: 'tells whether an XPath expression matches a stanza, and if not, why',
  operands: 'EXPRESSION [FILE]',
  count: [1, 2],
  details: [
    'The stanza is read from FILE, or from what comes in when FILE is -. Without one, what can never match is told.',
    'Exit codes: 0 it matches, 1 it does not, 2 the expression or the stanza is wrong.',
  ],
  options: NAMESPACES,
  async run(given, terminal) {
    const [expression = '', file] = given.positionals;
    const { filters } = new Broker({
      connectionType: JABBERD14_COMPONENT,
      domain: 'localhost',
      host: 'localhost',
      port: 1,
      password: 'none',
      logger: false,
    });
    const options = { namespaces: namespacesOf(given) };
    if (file === undefined) {
      const { warnings } = filters.explainExpression(expression, options);
      if (given.has('json')) terminal.out(JSON.stringify({ expression, warnings }));
      else for (const line of warnings.length > 0 ? warnings : ['nothing speaks against it']) terminal.out(line);
      return warnings.length > 0 ? 1 : 0;
    }
    const { matches, nodes, why, warnings } = filters.test(
      expression,
      (await stanzaIn(file, terminal)).trim(),
      options,
    );
    if (given.has('json')) {
      terminal.out(escaped(JSON.stringify({ expression, matches, nodes: nodes.map(shown), why, warnings })));
      return matches ? 0 : 1;
    }
    terminal.out(matches ? 'it matches' : escaped(`it does not match: ${why ?? 'no reason is known'}`));
    for (const node of nodes) terminal.out(`  ${escaped(shown(node))}`);
    for (const warning of warnings) terminal.out(`note: ${warning}`);
    return matches ? 0 : 1;
  },
};

function shown(node: unknown): string {
  const { value, data } = node as { value?: unknown; data?: unknown };
  if (typeof value === 'string') return value;
  if (typeof data === 'string') return data;
  return serialize(node as Parameters<typeof serialize>[0]);
}

async function stanzaIn(file: string, terminal: Terminal): Promise<string> {
  if (file === '-') return terminal.input();
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(
      'USAGE_ARGUMENT',
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'it failed'})`,
    );
  }
}
