import { CertificateExpiry } from './certificate-expiry.js';
import { KeepAlive } from './keep-alive.js';
import { Liveness, type LivenessOwner } from './liveness.js';
import type { BrokerConfig } from '../options/options.js';
import { SlowStanza, type SlowStanzaOwner, type WatchedStream } from './slow-stanza.js';

/** Who has the watchdogs, and is told what they find. */
export interface WatchdogsOwner extends LivenessOwner, SlowStanzaOwner {
  /** The server's certificate is valid no longer. */
  certificateExpired(): void;
  /** Something has to be written, whatever it is, or the server takes us for dead. */
  speak(): void;
}

/** What there is to watch. */
export interface Watched {
  readonly stream: WatchedStream;
  /** When the server's certificate expires; null when there is none, or it is not checked. */
  readonly certificateExpiry: Date | null;
  /** Silence that the server does not bear, in seconds (XEP-0478); null when it said nothing. */
  readonly idleSeconds: number | null;
}

/** Everything on a ready link that waits for something not to happen. All of it stops with the link. */
export class Watchdogs {
  readonly #liveness: Liveness | null;
  readonly #stanza: SlowStanza;
  readonly #certificate: CertificateExpiry | null;
  readonly #keepAlive: KeepAlive | null;
  #stopped = false;

  constructor(
    { liveness, timeouts }: BrokerConfig,
    { stream, certificateExpiry, idleSeconds }: Watched,
    owner: WatchdogsOwner,
  ) {
    this.#liveness = liveness === false ? null : new Liveness(liveness, owner);
    this.#stanza = new SlowStanza(stream, timeouts.stanza, owner);
    this.#certificate =
      certificateExpiry === null
        ? null
        : new CertificateExpiry(certificateExpiry, () => {
            owner.certificateExpired();
          });
    this.#keepAlive =
      idleSeconds === null
        ? null
        : new KeepAlive(idleSeconds * 1_000, () => {
            owner.speak();
          });
  }

  /** Bytes arrived. */
  activity(): void {
    if (this.#stopped) return;
    this.#liveness?.activity();
    this.#stanza.activity();
  }

  /** Something was written. */
  wrote(): void {
    this.#keepAlive?.wrote();
  }

  /** The server was asked for something that it has to answer. */
  expectSign(): void {
    this.#liveness?.expectSign();
  }

  /** The server was asked, and need not answer: the watch for its silence begins anew. */
  forgiveSilence(): void {
    this.#liveness?.restart();
  }

  /** Nothing is read for a while, so silence says nothing: the watch begins anew behind it. */
  hold(held: boolean): void {
    if (this.#stopped) return;
    if (held) {
      this.#liveness?.stop();
      this.#stanza.stop();
    } else {
      this.#liveness?.restart();
      this.#stanza.activity();
    }
  }

  stop(): void {
    this.#stopped = true;
    this.#stanza.stop();
    this.#certificate?.stop();
    this.#keepAlive?.stop();
    this.#liveness?.stop();
  }
}
