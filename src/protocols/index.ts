// The dialects that come with the library, and what programs need beside them.
import type { Dialect } from './dialect.js';
import { JABBERD14_COMPONENT } from './jabberd14.js';
import { JABBERD20_COMPONENT } from './jabberd2.js';
import { LEGACY } from './legacy.js';
import { XMPP } from './xmpp.js';

export type { Dialect, DialectConfig, DialectLink, Established, Negotiation, StreamHeader } from './dialect.js';
export { XMPP, type XmppDialect, type XmppOptions } from './xmpp.js';
export { LEGACY, type LegacyDialect, type LegacyOptions } from './legacy.js';
export type { LegacyMethod } from './legacy/methods.js';
export {
  JABBERD14_COMPONENT,
  JABBERD14_COMPONENT as COMPONENT,
  type ComponentDialect,
  type ComponentOptions,
} from './jabberd14.js';
export {
  JABBERD20_COMPONENT,
  JABBERD20_COMPONENT as ROUTER,
  type RouterDialect,
  type RouterOptions,
} from './jabberd2.js';
export { RouterControl, type RouterBroker } from './jabberd2/router-control.js';
export { routeOf } from './jabberd2/route.js';
export type { NameOptions } from './jabberd2/bind.js';
export { fileTokenStore } from './fast/file-token-store.js';
export type { FastOptions, FastToken, TokenStore } from './fast/token-store.js';
export type { TokenMechanism } from './sasl/hashed-token.js';
export type { UserAgent } from './xmpp/user-agent.js';
export type { IterationLimits } from './sasl/scram-message.js';
export type { MechanismName } from './sasl/mechanisms.js';

/** All of them, for messages. Not handed on to programs, as everything else here is. */
const DIALECTS: readonly Dialect[] = [XMPP, LEGACY, JABBERD14_COMPONENT, JABBERD20_COMPONENT];
export default DIALECTS;
