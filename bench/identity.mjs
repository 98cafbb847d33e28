/** A certificate for the time of a run, and the authority that signed it. */
import { built } from './dist.mjs';

const { Authority } = await import(built('testing/authority.js'));

/** @returns PEM of the authority `ca`, of `cert` and of its `key` */
export async function identity(names) {
  const authority = await Authority.create();
  return { ca: authority.ca, ...(await authority.server(names)) };
}
