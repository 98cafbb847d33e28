import { Broker } from '../../broker/broker.js';
import { usageError } from '../../errors.js';
import { xml } from '../../xml/builder.js';
import type { Element } from '../../xml/element.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command, Given, Terminal } from '../command.js';
import { connected } from '../connected.js';
import { elementIn, jidIn } from '../stanza.js';

/** One stanza, sent, and proved to have arrived where that can be known. */
export const send: Command = {
  name: 'send',
  summary: 'sends one stanza, or a message to somebody',
  operands: '[STANZA]',
  count: [0, 1],
  details: [
    'STANZA is XML with one element; - or nothing reads it from what comes in. With --to and --body a message is made.',
    'Where the server acknowledges stanzas, it waits until this one is.',
  ],
  options: {
    ...ACCOUNT,
    to: { value: 'JID', help: 'whom a message is for' },
    body: { value: 'TEXT', help: 'what it says' },
  },
  async run(given, terminal) {
    // Before anything is dialled: mistakes of the command line have nothing to do with a server.
    const stanza = messageOf(given) ?? (await stanzaOf(given.positionals[0], terminal));
    await using broker = new Broker({ ...(await accountOf(given, terminal)), reconnect: false });
    await connected(broker, terminal);
    const ticket = broker.output(stanza);
    await ticket.sent;
    const acknowledged = await proved(broker, ticket);
    if (given.has('json')) terminal.out(JSON.stringify({ sent: true, acknowledged, stanza: ticket.node.toString() }));
    else terminal.out(acknowledged ? 'sent, and acknowledged by the server' : 'sent');
    return 0;
  },
};

/** Whether the server says that it has it (XEP-0198). A component's server never does. */
async function proved(broker: Broker, ticket: { readonly acked: Promise<void> }): Promise<boolean> {
  if (broker.stats().unacknowledged === 0) return false;
  await ticket.acked;
  return true;
}

/** The message of --to and --body. @throws BrokerError `USAGE_ARGUMENT` when something of it is missing, or too much */
function messageOf(given: Given): Element | null {
  const to = jidIn(given, 'to');
  const body = given.text('body');
  if (to === undefined && body === undefined) return null;
  if (to === undefined || body === undefined || given.positionals.length > 0) {
    throw usageError('USAGE_ARGUMENT', 'send takes --to and --body together, or a stanza without them');
  }
  return xml('message', { to, type: 'chat' }, xml('body', {}, body));
}

/** As it was written: without a namespace it means that of the stream. */
async function stanzaOf(operand: string | undefined, terminal: Terminal): Promise<string> {
  const text = (operand === undefined || operand === '-' ? await terminal.input() : operand).trim();
  elementIn(text, 'what is sent');
  return text;
}
