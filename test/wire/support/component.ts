import { createHash } from 'node:crypto';
import { JABBERD14_COMPONENT, NS, type ComponentOptions } from 'xmpp-broker';
import { OPEN } from '../../support/trace.js';
import type { Conversation } from './conversation.js';
import { OPENING } from './elements.js';
import type { RigDialect, Said } from './rig.js';
import { streamHeader } from './stream-header.js';

export const DOMAIN = 'comp.broker.test';
export const SECRET = 'r0m30';

/** A component (XEP-0114), in clear unless told. */
export const COMPONENT: RigDialect<Said> = {
  options: { connectionType: JABBERD14_COMPONENT, domain: DOMAIN, password: SECRET },
  transport: 'plain',
  letIn: handshake,
};

/** Options of a broker that give its dialect options. */
export const dialect = (options: ComponentOptions) => ({ connectionType: JABBERD14_COMPONENT.with(options) });

/** What a component publishes until it is ready. */
export const SUCCESS = [...OPEN, 'AUTHNEGOTIATE', 'NODESENT(handshake)', 'AUTHSUCCESS', 'READY'];

/** The server's opening tag. */
export const header = (id: string | null = 'S1'): string =>
  streamHeader({ xmlns: NS.COMPONENT_ACCEPT, id, from: DOMAIN, version: null });

/** Lets a component in that has just opened its connection, if it knows the secret. */
export async function handshake(server: Conversation, { behind = '' }: Said = {}): Promise<void> {
  await server.expect(OPENING);
  await server.send(header());
  await server.expect(`<handshake>${createHash('sha1').update(`S1${SECRET}`).digest('hex')}</handshake>`);
  await server.send(`<handshake/>${behind}`);
}
