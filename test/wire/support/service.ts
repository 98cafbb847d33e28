import { createHash } from 'node:crypto';
import { JABBERD20_COMPONENT, NS } from 'xmpp-broker';
import { OPEN } from '../../support/trace.js';
import type { Conversation } from './conversation.js';
import { features, mechanisms, OPENING } from './elements.js';
import type { RigDialect, Said } from './rig.js';
import { streamHeader } from './stream-header.js';

export const NAME = 'svc.localhost';
export const ROUTER = NS.JABBERD2_COMPONENT;
const USER = 'jabberd';
const SECRET = 'secret';

/** A component of jabberd2's router, in clear unless told. */
export const SERVICE: RigDialect<Said> = {
  options: {
    connectionType: JABBERD20_COMPONENT,
    domain: NAME,
    username: USER,
    password: SECRET,
    tls: { policy: 'disabled' },
  },
  transport: 'plain',
  letIn: negotiate,
};

/** What a service publishes from its authentication until it is ready. */
export const SIGN_IN = [
  'AUTHNEGOTIATE',
  'NODESENT(auth)',
  'NODESENT(response)',
  'AUTHSUCCESS',
  'STREAMSTART',
  'NODESENT(stream)',
  'BINDNEGOTIATE',
  'RTS_START',
  'NODESENT(bind)',
  'BINDSUCCESS',
  'READY',
];
export const SUCCESS = [...OPEN, ...SIGN_IN];

export const DIGEST = mechanisms('DIGEST-MD5');

/** A packet of the router. */
export const route = (content: string, attributes = `to='${NAME}' from='sm'`): string =>
  `<route xmlns='${ROUTER}' ${attributes}>${content}</route>`;

/** The router's answer to a `<bind/>` or `<unbind/>`. */
export const answer = (id: string, attributes = '', verb = 'bind'): string =>
  `<${verb} xmlns='${ROUTER}' id='${id}' ${attributes}/>`;

/** A stanza that comes from elsewhere. */
export const message = (attributes = `to='joe@${NAME}/x' from='alice@localhost/r1'`, body = 'hi'): string =>
  `<message xmlns='jabber:client' ${attributes}><body>${body}</body></message>`;

/** Answers an opening tag with a header and features. Returns the opening tag. */
export async function open(server: Conversation, id: string, ...offer: readonly string[]): Promise<string> {
  const opened = await server.expect(OPENING);
  await server.send(streamHeader({ xmlns: ROUTER, id, from: NAME }) + features(...offer));
  return opened;
}

/** Reads a `<bind/>` or `<unbind/>` and returns its id and text. */
export async function readBind(server: Conversation, verb = 'bind'): Promise<{ id: string; text: string }> {
  const text = await server.expect(new RegExp(`<${verb} [^>]*?(/>|>.*?</${verb}>)`, 's'));
  return { id: /id='([^']+)'/.exec(text)![1]!, text };
}

const md5 = (...parts: (string | Buffer)[]) => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The router's side of DIGEST-MD5 (RFC 2831), with its rspauth in the success. */
export async function signIn(server: Conversation, password = SECRET): Promise<void> {
  await server.expect(/<auth [^>]*mechanism='DIGEST-MD5'[^>]*>/);
  const nonce = 'wBKv2lOADalGJvlBD6cuIg==';
  const challenge = `realm="jabberd-router", nonce="${nonce}", qop="auth", charset=utf-8, algorithm=md5-sess`;
  await server.send(`<challenge xmlns='${NS.SASL}'>${Buffer.from(challenge).toString('base64')}</challenge>`);
  const [, encoded = ''] = await server.match(/<response[^>]*>([^<]+)<\/response>/);
  const response = Buffer.from(encoded, 'base64').toString();
  const directive = (name: string) => new RegExp(`${name}="?([^",]*)"?`).exec(response)?.[1] ?? '';
  const [cnonce, uri] = [directive('cnonce'), directive('digest-uri')];
  const a1 = md5(md5(`${USER}:jabberd-router:${password}`), `:${nonce}:${cnonce}`).toString('hex');
  const digest = (a2: string) =>
    md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${md5(a2).toString('hex')}`).toString('hex');
  if (directive('response') !== digest(`AUTHENTICATE:${uri}`)) {
    await server.send(`<failure xmlns='${NS.SASL}'><not-authorized/></failure>`);
    return;
  }
  const proof = Buffer.from(`rspauth=${digest(`:${uri}`)}`).toString('base64');
  await server.send(`<success xmlns='${NS.SASL}'>${proof}</success>`);
}

/** The router's side up to the name that is bound, without TLS. Returns the `<bind/>`. */
export async function negotiate(server: Conversation, { behind = '' }: Said = {}): Promise<string> {
  await open(server, 'S1', DIGEST);
  await signIn(server);
  await open(server, 'S2');
  const bind = await readBind(server);
  await server.send(answer(bind.id) + behind);
  return bind.text;
}
