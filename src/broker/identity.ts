import type { JID } from '../jid/jid.js';
import type { Dialect, Established } from '../protocols/dialect.js';
import type { Identity } from '../requests/pending-requests.js';

/** Who we are, as the negotiation of the newest link brought it. */
export class OwnIdentity implements Identity {
  readonly addressing: NonNullable<Dialect['addressing']>;
  /** Our own address. */
  jid: JID | null = null;
  /** Id of the stream. */
  sid: string | null = null;
  /** Language of inbound stanzas that name none. */
  lang: string | null = null;
  /** The account of the newest session, bare: still known while the link is lost. A component has none. */
  account: JID | null = null;

  constructor({ addressing = 'account' }: Dialect) {
    this.addressing = addressing;
  }

  linkReady({ jid, sid, lang = null }: Established): void {
    this.jid = jid;
    this.sid = sid;
    this.lang = lang;
    if (this.addressing !== 'domain') this.account = jid.bare();
  }

  linkEnded(): void {
    this.jid = null;
    this.sid = null;
    this.lang = null;
  }
}
