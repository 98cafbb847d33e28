import { Broker } from '../../broker/broker.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command } from '../command.js';
import { connected } from '../connected.js';
import { xml } from '../../xml/builder.js';

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
    const { positionals } = given;
    const to = given.text('to');
    const body = given.text('body');
    const stanza =
      to !== undefined && body !== undefined
        ? xml('message', { to, type: 'chat' }, xml('body', {}, body))
        : await textOf(positionals[0], terminal);
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

async function textOf(operand: string | undefined, terminal: { input(): Promise<string> }): Promise<string> {
  return (operand === undefined || operand === '-' ? await terminal.input() : operand).trim();
}
