import { NS, XMPP } from 'xmpp-broker';
import type { Identity } from '../../support/certificates.js';
import type { Conversation } from './conversation.js';
import { BIND, features, mechanisms, OPENING, PROCEED, SM } from './elements.js';
import type { RigDialect, Said } from './rig.js';
import { streamHeader, type StreamHeader } from './stream-header.js';

export const PASSWORD = 's3cret-w0rd';
export const JID = 'alice@localhost/desk';

/** What a server says while it lets somebody in. */
export interface Welcome extends Said {
  /** Features behind authentication. Default bind and stream management. */
  readonly after?: string;
  /** Attributes of `<enabled/>`; null: no stream management is asked for. Default resumable as `session-1`. */
  readonly enabled?: string | null;
}

/** A client, over direct TLS unless told. */
export const CLIENT: RigDialect<Welcome> = {
  options: {
    connectionType: XMPP.with({ mechanisms: ['PLAIN'] }),
    domain: 'localhost',
    username: 'alice',
    password: PASSWORD,
  },
  transport: 'direct',
  letIn: welcome,
};

/** Answers an opening tag with a header and features. Returns the opening tag. */
export async function greet(server: Conversation, offer: string, header: StreamHeader = {}): Promise<string> {
  const open = await server.expect(OPENING);
  await server.send(streamHeader(header) + offer);
  return open;
}

/** Answers STARTTLS, and makes TLS. */
export async function secure(server: Conversation, identity: Identity): Promise<void> {
  await server.expect('<starttls');
  await server.expect('/>');
  await server.send(PROCEED);
  await server.startTls(identity);
}

/** Takes whatever password comes by PLAIN. */
export async function authenticate(server: Conversation): Promise<void> {
  await greet(server, features(mechanisms('PLAIN')), { id: 'tls-1' });
  await server.expect('</auth>');
  await server.send(`<success xmlns='${NS.SASL}'/>`);
}

/** Id of the iq that comes next. */
export async function iqId(server: Conversation): Promise<string> {
  const [, id = ''] = await server.match(/<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
  return id;
}

/** Lets a client in that has just opened its connection, inside TLS. */
export async function welcome(server: Conversation, said: Welcome = {}): Promise<void> {
  const { after = features(BIND, SM), enabled = "resume='true' id='session-1' max='300'", behind = '' } = said;
  await authenticate(server);
  await greet(server, after, { id: 'auth-1' });
  const id = await iqId(server);
  const bound = `<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`;
  if (enabled === null) {
    await server.send(bound + behind);
    return;
  }
  await server.send(bound);
  await server.expect(/<enable [^>]*\/>/);
  await server.send(`<enabled xmlns='${NS.SM}' ${enabled}/>${behind}`);
}

/** Lets a client in up to its `<resume/>`, which is returned. */
export async function welcomeBack(server: Conversation): Promise<string> {
  await authenticate(server);
  await greet(server, features(BIND, SM), { id: 'auth-2' });
  return server.expect(/<resume [^>]*\/>/);
}
