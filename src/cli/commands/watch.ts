import { Broker } from '../../broker/broker.js';
import { usageError } from '../../errors.js';
import EVENTS, { type StatusEvent } from '../../events.js';
import { suggestion } from '../../arguments/suggestion.js';
import { redacted } from '../../stanza/redaction.js';
import { Element } from '../../xml/element.js';
import { xml } from '../../xml/builder.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command, Terminal } from '../command.js';
import { counted } from '../counted.js';
import { escaped } from '../escaped.js';
import { namespacesOf, NAMESPACES } from '../filter-arguments.js';
import { pretty } from '../pretty.js';

/** Time between two lines that tell how much went by, in milliseconds. */
const RATE_MS = 10_000;

/** Events that come with each stanza: only told when asked for. */
const TRAFFIC = new Set<string>(['PCJ_NODESENT', 'PCJ_NODERECEIVED', 'PCJ_SM_ACK', 'PCJ_RTS_START', 'PCJ_RTS_FINISH']);

/** What happens, as it happens. */
export const watch: Command = {
  name: 'watch',
  summary: 'connects, and prints events and the stanzas that match',
  operands: '',
  count: [0, 0],
  details: [
    'It stays connected, and comes back when the link is lost, until it is interrupted. Without --xpath and --event it',
    'prints every stanza that arrives, and the events that tell how the connection is.',
  ],
  options: {
    ...ACCOUNT,
    xpath: { value: 'EXPRESSION', help: 'only stanzas that match', multiple: true, short: 'x' },
    ...NAMESPACES,
    event: { value: 'NAME', help: 'only this status event; may be given more than once', multiple: true, short: 'e' },
    invisible: { help: 'sends no presence, so that no messages for the account are drawn here' },
  },
  async run(given, terminal) {
    const events = eventNames(given.texts('event'));
    const expressions = given.texts('xpath');
    const namespaces = namespacesOf(given);
    const broker = new Broker({ ...(await accountOf(given, terminal)), reconnect: { initial: true } });
    const print = printer(given.has('json'), terminal);
    const everything = events.length === 0 && expressions.length === 0;
    const told = everything ? (Object.keys(EVENTS) as StatusEvent[]).filter((name) => !TRAFFIC.has(name)) : events;
    for (const name of told) broker.subscribe(name, (payload) => print(name, payload));
    for (const expression of expressions) {
      broker.match(expression, ({ node }) => print('stanza', node), { namespaces });
    }
    if (everything) broker.subscribe('PCJ_NODERECEIVED', (node) => print('stanza', node));
    broker.subscribe('PCJ_READY', ({ resumed }) => {
      if (!resumed && broker.config.username !== undefined && !given.has('invisible')) broker.output(xml('presence'));
    });
    const rates = setInterval(() => terminal.err(rateLine(broker, terminal)), RATE_MS);
    rates.unref();
    const end = (): void => void broker.shutdown();
    terminal.signal.addEventListener('abort', end, { once: true });
    try {
      await broker.connect({ signal: terminal.signal });
      const { error } = await broker.closed;
      if (error !== undefined) throw error;
      return 0;
    } catch (error) {
      // Whoever interrupts it wants it to end, at whatever point it is.
      if (isAborted(terminal.signal)) return 0;
      throw error;
    } finally {
      clearInterval(rates);
      terminal.signal.removeEventListener('abort', end);
      broker.halt();
    }
  },
};

function eventNames(names: readonly string[]): StatusEvent[] {
  return names.map((name) => {
    const full = name.startsWith('PCJ_') ? name : `PCJ_${name.toUpperCase()}`;
    if (Object.hasOwn(EVENTS, full)) return full as StatusEvent;
    throw usageError('USAGE_ARGUMENT', `--event ${name} is no status event; ${suggestion(full, Object.keys(EVENTS))}`);
  });
}

/** Writes one thing that happened. What is secret is in no event; other people's stanzas are shown as they are. */
function printer(json: boolean, { out, colour }: Terminal): (what: string, payload: unknown) => void {
  if (json) {
    return (what, payload) => {
      const value = payload instanceof Element ? { xml: redacted(payload).toString() } : { payload };
      out(escaped(JSON.stringify({ time: new Date().toISOString(), event: what, ...value })));
    };
  }
  const dim = (text: string): string => (colour ? `\u001b[2m${text}\u001b[22m` : text);
  const bold = (text: string): string => (colour ? `\u001b[1m${text}\u001b[22m` : text);
  return (what, payload) => {
    const time = dim(new Date().toISOString().slice(11, 23));
    if (payload instanceof Element)
      out(`${time} ${what === 'stanza' ? '' : `${bold(what)}\n`}${escaped(pretty(redacted(payload)))}`);
    else if (payload instanceof Error) out(`${time} ${bold(what)} ${escaped(payload.message)}`);
    else out(`${time} ${bold(what)}${payload === undefined ? '' : ` ${escaped(JSON.stringify(payload))}`}`);
  };
}

/** Asked anew behind a wait, in which it may have changed. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function rateLine(broker: Broker, { colour }: Terminal): string {
  const { state, stanzas, bytes, held } = broker.stats();
  const sum = (counts: object): number => Object.values(counts).reduce((all: number, one) => all + Number(one), 0);
  const text = `${state}: ${counted(sum(stanzas.in), 'stanza')} in, ${String(sum(stanzas.out))} out, ${counted(bytes.in, 'byte')} in, ${String(held)} held`;
  return colour ? `\u001b[2m${text}\u001b[22m` : text;
}
