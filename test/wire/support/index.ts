/** A peer for tests that says exactly what it is told to, byte by byte, and the brokers that talk to it. */
export { stopClock, type StoppedClock } from './clock.js';
export { Conversation, type ExpectOptions, type Pattern, type TlsOptions } from './conversation.js';
export * from './elements.js';
export { brokerOptions, Rig, useRig, type Dialled, type Ready, type RigDialect, type Said } from './rig.js';
export { ScriptedPeer, type Script, type ScriptedPeerOptions } from './scripted-peer.js';
export { streamHeader, type StreamHeader } from './stream-header.js';
export * from '../../support/certificates.js';
export { failure } from '../../support/failure.js';
export { OPEN, TAIL, trace, type Trace } from '../../support/trace.js';
