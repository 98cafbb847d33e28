import { LEGACY } from 'xmpp-broker';
import { OPEN } from '../../support/trace.js';
import type { Conversation } from './conversation.js';
import { OPENING } from './elements.js';
import type { RigDialect, Said } from './rig.js';
import { streamHeader } from './stream-header.js';

export const DOMAIN = 'broker.test';
export const PASSWORD = 'r0m30';

/** A client that signs in with jabber:iq:auth (XEP-0078), in clear unless told. */
export const LEGACY_CLIENT: RigDialect<Said> = {
  options: {
    connectionType: LEGACY,
    domain: DOMAIN,
    username: 'juliet',
    password: PASSWORD,
    resource: 'balcony',
    tls: { policy: 'disabled' },
  },
  transport: 'plain',
  letIn: signIn,
};

/** What it publishes until it is ready. */
export const SUCCESS = [...OPEN, 'AUTHNEGOTIATE', 'NODESENT(iq)', 'NODESENT(iq)', 'AUTHSUCCESS', 'READY'];

/** The server's opening tag. */
export const header = (id: string | null = 'S1'): string => streamHeader({ id, from: DOMAIN, version: null });

export const result = (id: string, content = ''): string => `<iq type='result' id='${id}'>${content}</iq>`;
export const query = (fields: string): string => `<query xmlns='jabber:iq:auth'>${fields}</query>`;
export const FIELDS = '<username/><resource/>';

/** Answers an opening tag with a header. Returns the opening tag. */
export async function open(server: Conversation, id = 'S1', behind = ''): Promise<string> {
  const opened = await server.expect(OPENING);
  await server.send(header(id) + behind);
  return opened;
}

/** Reads an iq and returns its id and text. */
export async function readIq(server: Conversation): Promise<{ id: string; text: string }> {
  const text = await server.expect(/<iq .*?<\/iq>/s);
  return { id: /id='([^']+)'/.exec(text)![1]!, text };
}

/** Answers the request for the fields, and returns what is sent to sign in. */
export async function offer(server: Conversation, fields: string): Promise<{ id: string; text: string }> {
  const asked = await readIq(server);
  await server.send(result(asked.id, query(FIELDS + fields)));
  return readIq(server);
}

/** Takes whatever digest comes. */
export async function signIn(server: Conversation, { behind = '' }: Said = {}): Promise<void> {
  await open(server);
  const set = await offer(server, '<digest/>');
  await server.send(result(set.id) + behind);
}
