// A plugin of Vite that puts a switch into every check, when XMPP_BROKER_MUTANTS is set: `setup.mjs` says which check is out
// in which test, and notes which tests see one refuse. Without that variable it does nothing.
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from '../facts.mjs';

const isWanted = process.env.XMPP_BROKER_MUTANTS !== undefined;
// It needs a compiler, which takes a moment to load.
const guards = isWanted ? await import('./guards.mjs') : null;
const checked = new Set(guards?.checkedFiles());

export const mutants = {
  name: 'mutants',
  enforce: 'pre',
  transform(code, id) {
    const path = relative(ROOT, id).split(sep).join('/');
    return checked.has(path) ? guards.switched(code, guards.guardsIn(path, code)) : null;
  },
};

/** What the tests load first. */
export const setupFiles = isWanted ? [fileURLToPath(new URL('setup.mjs', import.meta.url))] : [];
