import { NS } from '../xml/namespaces.js';
import { HANDLED } from './handlers.js';

const stream = Object.freeze({
  NS_CLIENT: NS.CLIENT,
  NS_SERVER: NS.SERVER,
  NS_ACCEPT: NS.COMPONENT_ACCEPT,
} as const);

const iq = Object.freeze({
  NS_AUTH: NS.IQ_AUTH,
  NS_REGISTER: NS.IQ_REGISTER,
  NS_ROSTER: NS.IQ_ROSTER,
  NS_AGENT: NS.IQ_AGENT,
  NS_AGENTS: NS.IQ_AGENTS,
  NS_VERSION: NS.IQ_VERSION,
  NS_TIME: NS.IQ_TIME,
  NS_PRIVATE: NS.IQ_PRIVATE,
  NS_SEARCH: NS.IQ_SEARCH,
  NS_OOB: NS.IQ_OOB,
  NS_ADMIN: NS.IQ_ADMIN,
  NS_FILTER: NS.IQ_FILTER,
  NS_AUTH_0K: NS.IQ_AUTH_0K,
  NS_BROWSE: NS.IQ_BROWSE,
  NS_CONFERENCE: NS.IQ_CONFERENCE,
  NS_GATEWAY: NS.IQ_GATEWAY,
  NS_LAST: NS.IQ_LAST,
  NS_RPC: NS.IQ_RPC,
} as const);

const x = Object.freeze({
  NS_OFFLINE: NS.X_OFFLINE,
  NS_DELAY: NS.X_DELAY,
  NS_XOOB: NS.X_OOB,
  NS_EVENT: NS.X_EVENT,
  NS_SIGNED: NS.X_SIGNED,
  NS_ENCRYPTED: NS.X_ENCRYPTED,
  NS_ENVELOPE: NS.X_ENVELOPE,
  NS_EXPIRE: NS.X_EXPIRE,
} as const);

const misc = Object.freeze({
  NS_VCARD: NS.VCARD,
  NS_XHTML: NS.XHTML,
  IQ_GET: 'get',
  IQ_SET: 'set',
  IQ_ERROR: 'error',
  IQ_RESULT: 'result',
} as const);

const flags = Object.freeze({ r_HANDLED: HANDLED } as const);

/** The constants of Jabber::NS in their groups: `const { NS_ROSTER } = JABBER_NS.iq`. Those in use today are in `NS`. */
export const JABBER_NS = Object.freeze({
  stream,
  iq,
  x,
  misc,
  flags,
  all: Object.freeze({ ...stream, ...iq, ...x, ...misc, ...flags } as const),
} as const);
