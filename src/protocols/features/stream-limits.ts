// Stream limits: XEP-0478.
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';

/** What a server takes, as its stream features tell. */
export interface StreamLimits {
  /** Most bytes of one stanza, or null if the server did not say. */
  readonly maxBytes: number | null;
  /** Seconds without a byte from us after which the server may close the stream, or null if it did not say. */
  readonly idleSeconds: number | null;
}

/** Reads the limits from stream features. What makes no sense counts as not said. */
export function readLimits(features: Element): StreamLimits {
  const limits = features.getChild('limits', NS.STREAM_LIMITS);
  return {
    maxBytes: positive(limits?.getChildText('max-bytes', NS.STREAM_LIMITS) ?? ''),
    idleSeconds: positive(limits?.getChildText('idle-seconds', NS.STREAM_LIMITS) ?? ''),
  };
}

function positive(text: string): number | null {
  return /^[1-9]\d{0,14}$/.test(text.trim()) ? Number(text.trim()) : null;
}
