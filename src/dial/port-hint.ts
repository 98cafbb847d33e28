/** What usually listens on the well-known ports. */
const USUAL: ReadonlyMap<number, string> = new Map([
  [5222, 'clients that ask for TLS inside the stream'],
  [5223, 'clients that start TLS at once'],
  [5269, 'other servers'],
  [5270, 'other servers that start TLS at once'],
  [5347, 'components'],
  [5280, 'browsers (BOSH and WebSocket over HTTP)'],
  [5281, 'browsers (BOSH and WebSocket over HTTPS)'],
]);

/** The ports that servers usually have for what we speak. */
export interface OwnPorts {
  /** What we speak. */
  readonly name: string;
  readonly defaultPort?: number | undefined;
  /** Default `defaultPort`. */
  readonly usualPort?: number | undefined;
  /** For TLS from the start. */
  readonly directTlsPort?: number | undefined;
}

/**
 * A sentence for the message of a connection that failed on a port which usually serves somebody else, or null when
 * the port tells nothing.
 * @param tls how the connection began
 */
export function portHint(own: OwnPorts, port: number, tls: 'direct' | 'starttls' | 'none'): string | null {
  const serves = USUAL.get(port);
  const { name, defaultPort, usualPort = defaultPort, directTlsPort } = own;
  if (serves === undefined || usualPort === undefined) return null;
  const said = `port ${port} usually serves ${serves}`;
  if (port === usualPort) {
    return tls === 'direct' && directTlsPort !== undefined && directTlsPort !== port
      ? `${said}; try tls.policy "required", or port ${directTlsPort}`
      : null;
  }
  if (port === directTlsPort) return tls === 'direct' ? null : `${said}; try tls.policy "direct"`;
  const direct = directTlsPort === undefined ? '' : ` (or ${directTlsPort} with TLS from the start)`;
  return `${said}; for ${name} it is usually ${usualPort}${direct}`;
}
