// What is behind a failure, and what to change on which side. docs/command.md has this table as a test finds it.
import type { BrokerError } from '../../errors.js';

/** Where something has to be changed. */
export type Side = 'here' | 'server' | 'DNS' | 'network' | 'server or here' | 'network or here';

/** Something that is in the way of connecting. */
export interface Problem {
  /** What it is, in a few words. */
  readonly what: string;
  /** Code of the error, and its condition where the server named one; or what was found out about it. */
  readonly code: string;
  /** The error's own words. */
  readonly said: string;
  readonly side: Side;
  readonly change: string;
}

type Advice = Pick<Problem, 'what' | 'side' | 'change'>;

const row = (what: string, side: Side, change: string): Advice => ({ what, side, change });

const LATER = 'try again later; look into the log of the server if it stays so';

/** By code and condition, or by code alone. */
const ADVICE: Readonly<Record<string, Advice>> = {
  DNS_NOT_FOUND: row(
    'name not found',
    'DNS',
    'check how the domain is written; give it SRV records (_xmpp-client._tcp, _xmpps-client._tcp) or an address; --host names the server without DNS',
  ),
  DNS_FAILED: row('DNS does not work', 'network or here', 'check the network and the DNS servers of this machine'),
  DNS_TIMEOUT: row('DNS is silent', 'network or here', 'check the network and the DNS servers of this machine'),
  DNS_SERVICE_DENIED: row(
    'the domain has no such service',
    'DNS',
    'check how the domain is written; its SRV records have the target "." for clients',
  ),
  TCP_REFUSED: row(
    'closed port',
    'server or here',
    'start the server, or have it listen on this address and port; else correct --host and --port, or the SRV records',
  ),
  TCP_TIMEOUT: row(
    'no connection in time',
    'network or here',
    'a firewall drops the packets, or the address is wrong: open the port there, or correct --host and --port',
  ),
  TCP_UNREACHABLE: row('no way to the host', 'network or here', 'check the network of this machine, and the address'),
  TCP_RESET: row(
    'connection reset',
    'server',
    'the port may be for something else, or a limit is reached: see its log',
  ),
  TLS_REQUIRED: row(
    'no STARTTLS',
    'server',
    'give the server a certificate and turn STARTTLS on; here, --direct-tls where it has a port for that, and --no-tls only where nobody can listen',
  ),
  TLS_REFUSED: row(
    'STARTTLS refused',
    'server',
    'its certificate or key may not be readable: see the log of the server',
  ),
  TLS_PROTOCOL: row(
    'no TLS in common',
    'server',
    'turn TLS 1.2 or 1.3 on at the server; or the port speaks something else, then correct --port',
  ),
  TLS_HANDSHAKE: row(
    'TLS broken off',
    'server',
    'see the log of the server; a proxy or firewall in between may do it, too',
  ),
  TLS_CERT_SELF_SIGNED: row(
    'self-signed certificate',
    'server or here',
    'get a certificate of a known authority for the server; or compare the pin with the one on the server, and say --pin or --ca here',
  ),
  TLS_CERT_UNTRUSTED: row(
    'unknown authority',
    'server or here',
    'have the server show the whole chain; if the authority is your own, say --ca here, or --pin behind a look at the server',
  ),
  TLS_CERT_EXPIRED: row('expired certificate', 'server', 'renew the certificate, and have the server read it anew'),
  TLS_CERT_NOT_YET_VALID: row(
    'certificate of the future',
    'server or here',
    'set the clock of this machine; else the certificate was made wrongly',
  ),
  TLS_CERT_HOST_MISMATCH: row(
    'certificate for another name',
    'server',
    'give the server a certificate that names the domain, not only its host; here, check how the domain is written',
  ),
  TLS_CERT_PURPOSE: row(
    'certificate for another purpose',
    'server or here',
    'give the server one of its own (CA:FALSE, serverAuth); or give this very one as --ca here',
  ),
  TLS_CERT_MALFORMED: row('unreadable certificate', 'server', 'make the certificate anew'),
  TLS_CERT_MISSING: row('no certificate', 'server', 'give the server a certificate'),
  TLS_PIN_MISMATCH: row(
    'another key than the pin',
    'here',
    'compare the pin with the one on the server: give the new one as --pin, or find who is in between',
  ),
  STREAM_NOT_XMPP: row('no XMPP there', 'here', 'correct --host and --port: something else listens there'),
  'STREAM_NOT_XMPP HTTP': row(
    'HTTP in place of XMPP',
    'here',
    'correct --port: a client usually has 5222, a component 5347; for WebSocket say --websocket and its URL',
  ),
  'tls-at-once': row(
    'TLS from the start in place of STARTTLS',
    'here',
    'say --direct-tls, or take the port for STARTTLS, usually 5222; found by SRV, the port belongs to _xmpps-client',
  ),
  'tls-left-out': row('TLS left out where it is required', 'here', 'leave --no-tls out'),
  'tls-undecided': row(
    'TLS not decided on',
    'here',
    'a component has no STARTTLS: say --direct-tls where the server has a port for that, or --no-tls where nobody can listen',
  ),
  'starttls-only': row(
    'STARTTLS in place of TLS from the start',
    'here',
    'leave --direct-tls out, or take the port for it, usually 5223; found by SRV, the port belongs to _xmpp-client',
  ),
  STREAM_TIMEOUT: row(
    'silent server',
    'server or here',
    'it takes the connection and says nothing: check the port, and whether the server hangs',
  ),
  STREAM_CLOSED: row(
    'closed without a word',
    'server or here',
    'the port may be for something else, or this address is not allowed there: see the log of the server',
  ),
  STREAM_BAD_NAMESPACE: row('port for another kind', 'here', 'correct --port, or say --component or --router'),
  STREAM_BAD_ROOT: row('port for another kind', 'here', 'correct --port, or say --component or --router'),
  STREAM_VERSION_TOO_OLD: row('server of before XMPP 1.0', 'server', 'bring it up to date; programs can use LEGACY'),
  'STREAM_ERROR invalid-namespace': row(
    'port for another kind',
    'here',
    'correct --port, or say --component or --router',
  ),
  'STREAM_ERROR host-unknown': row(
    'unknown domain',
    'server or here',
    'check how the name is written; it has to be configured at the server, a component as a component',
  ),
  'STREAM_ERROR host-gone': row('domain served no more', 'server or here', 'find out where it has gone'),
  'STREAM_ERROR not-authorized': row(
    'wrong secret',
    'server or here',
    'give the secret that the server has for this very component (XMPP_PASSWORD, --password-file); some servers say the same of an unknown name',
  ),
  'STREAM_ERROR conflict': row(
    'name in use',
    'server or here',
    'another connection has this name: end it, or wait for its end',
  ),
  'STREAM_ERROR policy-violation': row('against its rules', 'server', 'see the log of the server'),
  REDIRECT_UNTRUSTED: row('sent elsewhere', 'here', 'say --host and --port of the other place, if it is right'),
  SASL_NO_ACCEPTABLE_MECHANISM: row(
    'no way to sign in',
    'server',
    'turn SCRAM on at the server; its passwords may have to be stored for that',
  ),
  SASL_DOWNGRADE: row(
    'weaker offer',
    'server',
    'somebody may be in between; else have it list channel bindings and mechanisms together',
  ),
  'SASL_FAILURE not-authorized': row(
    'wrong password',
    'here',
    'check user name and password (XMPP_PASSWORD, --password-file); an account that does not exist is refused in the same way',
  ),
  'SASL_FAILURE credentials-expired': row('expired password', 'server', 'set a new password'),
  'SASL_FAILURE account-disabled': row('disabled account', 'server', 'have the account enabled'),
  'SASL_FAILURE temporary-auth-failure': row('server cannot check passwords', 'server', LATER),
  BIND_FAILED: row('not bound', 'server or here', 'the name may be in use, or not allowed for this user'),
  RESOLVE_HOST_META: row(
    'no WebSocket named by the domain',
    'server or here',
    'have https://DOMAIN/.well-known/host-meta name it (XEP-0156), or say --websocket and its URL',
  ),
  WS_NOT_INSTALLED: row('no package ws', 'here', 'npm install ws'),
  WS_REFUSED: row(
    'no WebSocket there',
    'server or here',
    'check the URL, and whether the server has WebSocket turned on',
  ),
  WS_SUBPROTOCOL: row('WebSocket for something else', 'here', 'check the URL'),
};

/** Of these, what the server says is the reason. */
const SAME: Readonly<Record<string, string>> = {
  SCRAM_SERVER_ERROR: 'SASL_FAILURE not-authorized',
  SASL_TIMEOUT: 'STREAM_TIMEOUT',
  BIND_TIMEOUT: 'STREAM_TIMEOUT',
  ATTEMPT_TIMEOUT: 'STREAM_TIMEOUT',
};

/** What may be found out beside an error. */
export type Finding = 'tls-at-once' | 'starttls-only' | 'tls-left-out' | 'tls-undecided';

/** Explains an error. With `key`, as what was found out about it. */
export function problemOf(error: BrokerError, key?: Finding): Problem {
  const named = error.condition === undefined || error.layer === 'xml' ? '' : ` ${error.condition}`;
  const code = error.code + named;
  const isHttp = error.code === 'STREAM_NOT_XMPP' && error.message.includes('HTTP');
  const keys = [key, isHttp ? 'STREAM_NOT_XMPP HTTP' : undefined, code, error.code, SAME[error.code]];
  const found = keys.map((one) => (one === undefined ? undefined : ADVICE[one])).find((one) => one !== undefined);
  const { what, side, change } = found ?? otherwise(error);
  return { what, code: key ?? code, said: error.message, side, change };
}

function otherwise({ code, origin, retryable }: BrokerError): Advice {
  const change = retryable ? LATER : `see ${code} in docs/errors.md, and the log of the server`;
  return row('failed', origin === 'peer' ? 'server' : 'server or here', change);
}
