/** The generator lives beside the servers that use it; every test of TLS takes it from here. */
export * from '../servers/harness/certificates.js';
export * from '../servers/harness/der.js';
