// A plugin of Vite that takes one check out of the sources (XMPP_BROKER_MUTANT has its key), or has every check noted that
// refuses in a test (XMPP_BROKER_NOTED has the file for that). Without these variables it does nothing.
import { relative, sep } from 'node:path';
import { ROOT } from '../facts.mjs';
import { checkedFiles, guardsIn, noting, without } from './guards.mjs';

const checked = new Set(checkedFiles());

export const mutants = {
  name: 'mutants',
  enforce: 'pre',
  transform(code, id) {
    const { XMPP_BROKER_MUTANT: key, XMPP_BROKER_NOTED: book } = process.env;
    if (key === undefined && book === undefined) return null;
    const path = relative(ROOT, id).split(sep).join('/');
    if (book !== undefined) return checked.has(path) ? noting(code, guardsIn(path, code), book) : null;
    if (!key.startsWith(`${path}: `)) return null;
    const guard = guardsIn(path, code).find((one) => one.key === key);
    if (guard === undefined) throw new Error(`there is no such check: ${key}`);
    return without(code, guard);
  },
};
