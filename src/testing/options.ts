import type { Optional } from '../arguments/optional.js';
import type { SecureVersion } from 'node:tls';
import type { XmlLimits } from '../xml/tokenizer/limits.js';
import type { ChannelBinding } from './sasl/channel-binding.js';

/** Options of {@link LoopbackServer.start}. A side of the server is open when its users are given. */
export interface LoopbackOptions {
  /** Domain of the accounts. Default `localhost`. */
  domain?: string | undefined;
  /** Address to listen on; it must be of this machine's loopback. Default `127.0.0.1`. */
  host?: string | undefined;
  /** TCP ports. Default: free ones, see {@link LoopbackServer.ports}. */
  ports?: Optional<Record<LoopbackPort, number>> | undefined;
  /** Passwords by user name. Opens the client ports; so does `ANONYMOUS` among the mechanisms. Default none. */
  accounts?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether clients may come over WebSocket, too (RFC 7395), at any path. The port with TLS names itself in the domain's
   * host-meta (XEP-0156). Needs `accounts`, and the package `ws`. Default false.
   */
  websocket?: boolean | undefined;
  /** Secrets by name of the component (XEP-0114). Opens the component port. Default none. */
  components?: Readonly<Record<string, string>> | undefined;
  /** What happens to a second connection of one component. Default `refuse`. */
  componentConflict?: ComponentConflict | undefined;
  /** Users of the jabberd2 router protocol, or their passwords. Opens the router port. Default none. */
  routerUsers?: Readonly<Record<string, string | RouterUser>> | undefined;
  /**
   * TLS; `false` for none at all. Default: a certificate is made at the start when there are clients or router users, and
   * STARTTLS is optional. A server with components only has TLS when this is given, `{}` is enough.
   */
  tls?: LoopbackTlsOptions | false | undefined;
  /**
   * SASL mechanisms for clients, offered in this order as far as the connection allows: those with channel binding and
   * EXTERNAL inside TLS only. Default: SCRAM in all its kinds, and inside TLS also PLAIN.
   */
  mechanisms?: readonly string[] | undefined;
  /** How the mechanisms behave. Default `{}`. */
  sasl?: LoopbackSaslOptions | undefined;
  /**
   * SASL2 (XEP-0388) inside TLS, beside the exchange of RFC 6120, with the same mechanisms; `false` for none. Default: none.
   */
  sasl2?: LoopbackSasl2Options | false | undefined;
  /** How resources are bound. Default `{}`. */
  bind?: LoopbackBindOptions | undefined;
  /** Authentication of before XMPP 1.0 (XEP-0078); `false` for none. Default: all three methods. */
  legacy?: LoopbackLegacyOptions | false | undefined;
  /** Stream management (XEP-0198); `false` for none. Default: with resumption. */
  streamManagement?: LoopbackManagementOptions | false | undefined;
  /** What the server has beside delivering stanzas; `false` for nothing. Default `{}`. */
  services?: LoopbackServices | false | undefined;
  /** What a peer's XML may cost: those of a broker's `limits` that are about elements. Default `{}`. */
  limits?: Optional<XmlLimits> | undefined;
  /** Time limits in milliseconds. Default `{}`. */
  timeouts?: LoopbackTimeouts | undefined;
  /** Told what a handler of one of the server's events threw or rejected with. Default: a warning of the process. */
  onHandlerError?: ((error: unknown, event: string) => void) | undefined;
}

/** The ports. Those for direct TLS are open when the server has TLS (XEP-0368 for clients). */
export type LoopbackPort =
  'client' | 'clientDirectTls' | 'component' | 'componentDirectTls' | 'router' | 'websocket' | 'websocketTls';

/** A second connection is refused, replaces the first one, or shares the name: each sender is served by one of them. */
export type ComponentConflict = 'refuse' | 'replace' | 'share';

/** A user of the router. */
export interface RouterUser {
  /** One that SASLprep (RFC 4013) allows. Needed. */
  password: string;
  /** Which names it may bind: `all`, or only the one it is called (`own`). Default `all`. */
  acl?: 'all' | 'own' | undefined;
}

/** How the loopback server does TLS. */
export interface LoopbackTlsOptions {
  /** STARTTLS on the client port. Default `optional`. */
  starttls?: 'required' | 'optional' | 'off' | undefined;
  /** STARTTLS on the router port. Default `optional`. */
  routerStarttls?: 'optional' | 'off' | undefined;
  /** PEM of the certificate. Needs `key`. Default: one is made. */
  cert?: string | undefined;
  /** PEM of its key. Default: one is made. */
  key?: string | undefined;
  /** Further names in the certificate that is made: it has the domain, the components, `localhost` and the loopback addresses. Default none. */
  names?: readonly string[] | undefined;
  /** PEM of the authority for client certificates (EXTERNAL). Default: the authority that is made. */
  clientCa?: string | undefined;
  /** Oldest version of TLS. Default Node's. */
  minVersion?: SecureVersion | undefined;
  /** Newest version of TLS. Default Node's. */
  maxVersion?: SecureVersion | undefined;
}

/** How the SASL mechanisms of the loopback server behave. */
export interface LoopbackSaslOptions {
  /** Types of channel binding. Default `tls-exporter` and `tls-server-end-point`. */
  channelBindings?: readonly ChannelBinding[] | undefined;
  /** Whether the types are listed (XEP-0440). Default true. */
  listChannelBindings?: boolean | undefined;
  /** Iteration count of SCRAM. Default 4096. */
  iterations?: number | undefined;
  /** Whether SCRAM signs what was offered (XEP-0474). Default false. */
  signOffer?: boolean | undefined;
  /** Where the server's last data goes: with success, or into a challenge of its own. Default `success`. */
  finalData?: 'success' | 'challenge' | undefined;
  /** Failures after which the stream is closed. Default 5. */
  tries?: number | undefined;
}

/** What the loopback server does with a sign-in by SASL2. Sessions are resumed with it where they can be (XEP-0198 §9). */
export interface LoopbackSasl2Options {
  /** Whether resources are bound with it (XEP-0386). Default true. */
  bind2?: boolean | undefined;
  /** Tokens for the next sign-in (XEP-0484); `false` for none. Default `{}`. */
  fast?: LoopbackFastOptions | false | undefined;
}

/** How the loopback server hands out tokens (XEP-0484). */
export interface LoopbackFastOptions {
  /** Mechanisms that are offered as far as the connection allows. Default: HT with SHA-512 and SHA-256 and every channel binding, and without. */
  mechanisms?: readonly string[] | undefined;
  /** Seconds that a token lives. Default 1,814,400, three weeks. */
  seconds?: number | undefined;
  /** Age in seconds from which a sign-in with a token brings another one. Default 86,400, a day. */
  rotateSeconds?: number | undefined;
}

/** How the loopback server binds resources (RFC 6120 §7). */
export interface LoopbackBindOptions {
  /**
   * What happens when a resource is taken: the old one is replaced, the request is refused, or the new one gets another
   * name. Default `replace`.
   */
  conflict?: 'replace' | 'refuse' | 'rename' | undefined;
  /** Whether the server makes up every resource, whatever is asked for. Default false. */
  assigned?: boolean | undefined;
  /** How the session feature of RFC 3921 is offered. Default `optional`. */
  session?: 'optional' | 'required' | 'off' | undefined;
}

/** The methods of `jabber:iq:auth`; `0k` is the one with sequence and token. */
export type LegacyMethod = 'password' | 'digest' | '0k';

/** How the loopback server does `jabber:iq:auth` (XEP-0078). */
export interface LoopbackLegacyOptions {
  /** Default all three. */
  methods?: readonly LegacyMethod[] | undefined;
  /** Whether the stream feature is shown on streams of version 1.0. Default true. */
  announced?: boolean | undefined;
  /** How errors are written: with conditions of RFC 6120, or as a bare code. Default `condition`. */
  errors?: 'condition' | 'code' | undefined;
  /** Start of the sequence of `0k`. It counts down with each login. Default 500. */
  sequence?: number | undefined;
  /** Token of `0k`. Default: a random one for each account. */
  token?: string | undefined;
}

/** How the loopback server manages streams (XEP-0198). */
export interface LoopbackManagementOptions {
  /** Whether sessions can be resumed. Default true. */
  resume?: boolean | undefined;
  /** Seconds for which a session that was cut is kept. Default 60. */
  max?: number | undefined;
  /** After how many stanzas the server asks for an acknowledgement; 0 for never. Default 5. */
  requestEvery?: number | undefined;
  /** Whether `<failed/>` tells the count of a session that is over. Default true. */
  failedCount?: boolean | undefined;
  /** Where both counts start, for tests around 2^32. The client must start there as well. Default 0. */
  startCount?: number | undefined;
  /** Most stanzas kept for a client. One more ends its session. Default 10,000. */
  unackedLimit?: number | undefined;
}

/** What the loopback server has beside delivering stanzas. All of it is in memory, bounded, and survives {@link LoopbackServer.restart}. */
export interface LoopbackServices {
  /**
   * Domain of the rooms (XEP-0045), or `false` for none. Default `conference.` in front of the server's domain, unless
   * that is a component.
   */
  rooms?: string | false | undefined;
  /**
   * Domain where everybody may make nodes and subscribe to them (XEP-0060), or `false` for none; with it, accounts have nodes
   * of their own. Default `pubsub.` in front of the server's domain, unless that is a component.
   */
  pubsub?: string | false | undefined;
  /** Contacts, subscriptions, and presence that contacts see (RFC 6121); without it rosters are empty. Default true. */
  roster?: boolean | undefined;
  /** Whether messages wait for an account of which no resource takes them (XEP-0160), 100 at most. Default true. */
  offline?: boolean | undefined;
  /**
   * Whether accounts have an archive of the last 1,000 messages with a body (XEP-0313). It marks what it delivers with an id
   * (XEP-0359). Default false.
   */
  archive?: boolean | undefined;
}

/** Time limits of the loopback server, in milliseconds. */
export interface LoopbackTimeouts {
  /** From the connection to the bound address. Default 30 000. */
  negotiation?: number | undefined;
  /** How long a peer may take to close a stream. Default 1000. */
  close?: number | undefined;
}
