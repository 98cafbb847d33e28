/** Where the library writes what nobody subscribed to. A pino logger fits as it is. */
export interface Logger {
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

const nothing = (): void => undefined;

/** A logger that drops everything. */
export const silence: Logger = Object.freeze({ debug: nothing, info: nothing, warn: nothing, error: nothing });

/** The default: warnings and errors as one line each on stderr; with `debug`, everything. */
export function stderrLogger(name: string, debug: boolean): Logger {
  const line = (level: string) => (facts: object, message: string) => {
    process.stderr.write(`${new Date().toISOString()} ${level} ${name}: ${message}${details(facts)}\n`);
  };
  return {
    debug: debug ? line('debug') : nothing,
    info: debug ? line('info') : nothing,
    warn: line('warn'),
    error: line('error'),
  };
}

function details(facts: object): string {
  let text = '';
  for (const [key, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    text += ` ${key}=${value instanceof Error ? describeError(value) : typeof value === 'string' ? value : JSON.stringify(value)}`;
  }
  return text;
}

function describeError(error: Error): string {
  const code = 'code' in error ? `${String(error.code)}: ` : '';
  return JSON.stringify(code + error.message);
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
