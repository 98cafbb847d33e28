import { usageError } from '../errors.js';
import type { CliOptions, Given } from './command.js';

export const NAMESPACES: CliOptions = {
  namespace: { value: 'PREFIX=URI', help: 'what a prefix in the expression stands for', short: 'n', multiple: true },
};

/** The prefixes of an expression. @throws BrokerError `USAGE_ARGUMENT` */
export function namespacesOf(given: Given): Record<string, string> {
  return Object.fromEntries(
    given.texts('namespace').map((text) => {
      const equals = text.indexOf('=');
      if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
      throw usageError(
        'USAGE_ARGUMENT',
        `--namespace takes PREFIX=URI, such as d=http://jabber.org/protocol/disco#info, not ${JSON.stringify(text)}`,
      );
    }),
  );
}
