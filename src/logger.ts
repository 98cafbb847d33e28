/** Where the library writes what nobody subscribed to. A pino logger fits as it is. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** Whether something can be logged with. */
export function isLogger(value: unknown): value is Logger {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return LEVELS.every((level) => typeof (value as Partial<Logger>)[level] === 'function');
  } catch {
    return false;
  }
}

const nothing = (): void => undefined;

/** A logger that drops everything. */
export const silence: Logger = Object.freeze({ debug: nothing, info: nothing, warn: nothing, error: nothing });

/** The default: what goes wrong, and that it is right again, as one line each on stderr; with `debug`, everything. */
export function stderrLogger(name: string, debug: boolean): Logger {
  const line = (level: string) => (facts: object, message: string) => {
    process.stderr.write(`${new Date().toISOString()} ${level} ${name}: ${message}${details(facts)}\n`);
  };
  return {
    debug: debug ? line('debug') : nothing,
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  };
}

function details(facts: object): string {
  let text = '';
  for (const [key, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    if (key === 'err') text += causes(value);
    else text += ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  }
  return text;
}

/** Where an error comes from: the stack of what is neither ours nor the system's, and whatever is below and says more. */
function causes(error: unknown): string {
  const lines: string[] = [];
  let next: unknown = error;
  let said = '';
  for (let depth = 0; depth < 4 && next !== undefined; depth++) {
    const known =
      next instanceof Error && (next.name === 'BrokerError' || next instanceof AggregateError || 'syscall' in next);
    const text = next instanceof Error ? described(next) : typeof next;
    if (depth > 0 && !said.includes(text)) lines.push(`caused by ${text}`);
    if (!known && next instanceof Error)
      lines.push(...(next.stack?.split('\n').slice(1, 7) ?? []).map((line) => line.trim()));
    said += next instanceof Error ? next.message : '';
    next = next instanceof Error ? next.cause : undefined;
  }
  return lines.map((line) => `\n    ${line}`).join('');
}

function described(error: Error): string {
  return 'code' in error ? `${String(error.code)}: ${error.message}` : error.message;
}

/** The logger as given by a user, made safe: one that throws cannot stop the broker. */
export function guarded(logger: Logger): Logger {
  const call = (level: keyof Logger) => (facts: object, message: string) => {
    try {
      logger[level](facts, message);
    } catch {
      // A broken logger has nowhere to report to.
    }
  };
  return { debug: call('debug'), info: call('info'), warn: call('warn'), error: call('error') };
}
