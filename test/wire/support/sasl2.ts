import { NS } from 'xmpp-broker';
import { greet, JID } from './client.js';
import type { Conversation } from './conversation.js';
import { BIND, features, SM } from './elements.js';

/** What a server offers by SASL2. */
export interface Sasl2Said {
  readonly mechanisms?: readonly string[];
  /** Stream management to be resumed with the sign-in. Default true. */
  readonly sm?: boolean;
  /** Features of Bind 2; null: no Bind 2. Default null. */
  readonly bind?: readonly string[] | null;
  /** Anything else in `<inline/>`. */
  readonly inline?: string;
}

/** `<authentication/>`, as a server writes it. */
export function authentication({
  mechanisms = ['PLAIN'],
  sm = true,
  bind = null,
  inline = '',
}: Sasl2Said = {}): string {
  const names = mechanisms.map((name) => `<mechanism>${name}</mechanism>`).join('');
  const vars = bind?.map((name) => `<feature var='${name}'/>`).join('') ?? '';
  const binds = bind === null ? '' : `<bind xmlns='${NS.BIND2}'><inline>${vars}</inline></bind>`;
  const resumes = sm ? `<sm xmlns='${NS.SM}'/>` : '';
  return `<authentication xmlns='${NS.SASL2}'>${names}<inline>${binds}${resumes}${inline}</inline></authentication>`;
}

/** `<success/>`: what is in it beside the identifier, and the identifier. */
export const success = (inner = '', identifier: string | null = 'alice@localhost'): string =>
  `<success xmlns='${NS.SASL2}'>${inner}${
    identifier === null ? '' : `<authorization-identifier>${identifier}</authorization-identifier>`
  }</success>`;

export const resumed = (h: number | string, previd = 'session-1'): string =>
  `<resumed xmlns='${NS.SM}' h='${h}' previd='${previd}'/>`;

export const bound = (inner = ''): string => `<bound xmlns='${NS.BIND2}'>${inner}</bound>`;

export const enabled = (attributes = "resume='true' id='session-1'"): string =>
  `<enabled xmlns='${NS.SM}' ${attributes}/>`;

/** Features behind success. */
export const AFTER = features(BIND, SM);

/** Greets, and gives the client's `<authenticate/>`. */
export async function authenticating(server: Conversation, said: Sasl2Said | string = {}): Promise<string> {
  await greet(server, features(typeof said === 'string' ? said : authentication(said)), { id: 'tls-1' });
  return server.expect('</authenticate>');
}

/** Answers binding and enabling, as features offered them. */
export async function bindAndEnable(server: Conversation, attributes = "resume='true' id='session-1'"): Promise<void> {
  const [, id = ''] = await server.match(/<iq[^>]* id='([^']+)'[^>]*>.*?<\/iq>/);
  await server.send(`<iq type='result' id='${id}'><bind xmlns='${NS.BIND}'><jid>${JID}</jid></bind></iq>`);
  await server.expect(/<enable [^>]*\/>/);
  await server.send(enabled(attributes));
}
