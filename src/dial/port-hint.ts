/** What a connection is for: a client, an XEP-0114 component, or a component of jabberd2's router. */
export type PortUse = 'client' | 'component' | 'router';

/** What usually listens on the well-known ports, and whom it serves. */
const USUAL: ReadonlyMap<number, { what: string; uses: readonly PortUse[]; tls?: 'direct' | 'starttls' }> = new Map([
  [5222, { what: 'clients that ask for TLS inside the stream', uses: ['client'], tls: 'starttls' }],
  [5223, { what: 'clients that start TLS at once', uses: ['client'], tls: 'direct' }],
  [5269, { what: 'other servers', uses: [] }],
  [5270, { what: 'other servers that start TLS at once', uses: [] }],
  [5347, { what: 'components', uses: ['component', 'router'] }],
  [5280, { what: 'browsers (BOSH and WebSocket over HTTP)', uses: [] }],
  [5281, { what: 'browsers (BOSH and WebSocket over HTTPS)', uses: [] }],
]);

/**
 * A sentence for the message of a connection that failed on a port which usually serves somebody else, or null when
 * the port tells nothing.
 * @param tls how the connection began
 */
export function portHint(use: PortUse, port: number, tls: 'direct' | 'starttls' | 'none'): string | null {
  const usual = USUAL.get(port);
  if (usual === undefined) return null;
  const own = use === 'client' ? '5222 (or 5223 with TLS from the start)' : '5347';
  if (!usual.uses.includes(use)) return `port ${port} usually serves ${usual.what}; for a ${use} it is usually ${own}`;
  if (usual.tls === 'direct' && tls !== 'direct')
    return `port ${port} usually serves ${usual.what}; try tls.policy "direct"`;
  if (usual.tls === 'starttls' && tls === 'direct') {
    return `port ${port} usually serves ${usual.what}; try tls.policy "required", or port 5223`;
  }
  return null;
}
