/** A peer for tests that says exactly what it is told to, byte by byte. */
export { Conversation, type ExpectOptions, type Pattern, type TlsOptions } from './conversation.js';
export { ScriptedPeer, type Script, type ScriptedPeerOptions } from './scripted-peer.js';
export { streamHeader, type StreamHeader } from './stream-header.js';
export * from '../../support/certificates.js';
