/** The opening tag a server answers with (RFC 6120 §4.7). Attributes set to null are left out. */
export interface StreamHeader {
  /** Content namespace. Default `jabber:client`. */
  readonly xmlns?: string | null;
  readonly id?: string | null;
  readonly from?: string | null;
  readonly version?: string | null;
  /** Anything else, as it is to be written. */
  readonly extra?: string;
}

export function streamHeader(header: StreamHeader = {}): string {
  const { xmlns = 'jabber:client', id = 'stream-1', from = 'localhost', version = '1.0', extra } = header;
  const attributes = Object.entries({ xmlns, id, from, version })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => ` ${name}='${value ?? ''}'`);
  const rest = extra === undefined ? '' : ` ${extra}`;
  return `<stream:stream xmlns:stream='http://etherx.jabber.org/streams'${attributes.join('')}${rest}>`;
}
