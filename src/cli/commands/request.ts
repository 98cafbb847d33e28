import { Broker } from '../../broker/broker.js';
import { usageError } from '../../errors.js';
import { StanzaError } from '../../stanza/stanza-error.js';
import { xml } from '../../xml/builder.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command } from '../command.js';
import { connected } from '../connected.js';
import { escaped } from '../escaped.js';
import { pretty } from '../pretty.js';
import { elementIn, jidIn } from '../stanza.js';

/** One request and its answer. */
export const request: Command = {
  name: 'request',
  summary: 'sends one request, and prints its answer',
  operands: '[IQ | PAYLOAD]',
  count: [0, 1],
  details: [
    'The operand is a whole <iq/>, or what goes into one; - or nothing reads it from what comes in.',
    'Exit codes: 0 a result, 1 an error or no answer.',
  ],
  options: {
    ...ACCOUNT,
    to: { value: 'JID', help: 'whom it is for; default the domain' },
    set: { help: 'a request of type set in place of get' },
    timeout: { value: 'SECONDS', help: 'how long to wait for the answer; default 30' },
  },
  async run(given, terminal) {
    const [operand] = given.positionals;
    const text = (operand === undefined || operand === '-' ? await terminal.input() : operand).trim();
    // Before anything is dialled: mistakes of the command line have nothing to do with a server.
    const element = elementIn(text, 'what is asked');
    const asked = jidIn(given, 'to');
    const timeout = secondsOf(given.text('timeout')) * 1_000;
    await using broker = new Broker({ ...(await accountOf(given, terminal)), reconnect: false });
    await connected(broker, terminal);
    const to = asked ?? broker.jid?.domain ?? broker.config.domain;
    const isWhole = element.localName === 'iq';
    const iq = isWhole
      ? text
      : xml(
          'iq',
          {
            type: given.has('set') ? 'set' : 'get',
            to,
            from: broker.config.username === undefined ? broker.config.domain : undefined,
          },
          element,
        );
    try {
      const answer = await broker.request(iq, {
        timeout,
        signal: terminal.signal,
      });
      terminal.out(escaped(given.has('json') ? JSON.stringify({ answer: answer.toString() }) : pretty(answer)));
      return 0;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      const { condition, text, stanza: refusal } = error;
      const facts = { error: condition, text, answer: refusal.toString() };
      terminal.out(escaped(given.has('json') ? JSON.stringify(facts) : pretty(refusal)));
      return 1;
    }
  },
};

function secondsOf(text = '30'): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds < 1e6) return seconds;
  throw usageError('USAGE_ARGUMENT', `--timeout takes a number of seconds, not ${JSON.stringify(text)}`);
}
