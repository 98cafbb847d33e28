// What stream features tell beside what is negotiated.
import type { Element } from '../../xml/element.js';
import { NS } from '../../xml/namespaces.js';
import { readLimits, type StreamLimits } from './stream-limits.js';

/** It holds for a session, also when that goes on without features (XEP-0198 §9.2). */
export interface Told {
  /** What the server takes (XEP-0478). */
  readonly limits: StreamLimits;
  /** Whether it listens to the state of the client (XEP-0352). */
  readonly clientStates: boolean;
}

/** Reads the features behind the sign-in. */
export function readTold(features: Element): Told {
  return { limits: readLimits(features), clientStates: features.getChild('csi', NS.CSI) !== null };
}
