// Names come again and again, so tables keep them. A peer can make up any number of any length: the tables have a
// bounded number of places, and what is longer than anybody uses is forgotten with the stanza it came in.

/** Longest name of an element or attribute that is kept, in UTF-16 code units. */
const LONGEST_NAME = 64;
/** Longest namespace name that is kept, in UTF-16 code units. */
const LONGEST_NAMESPACE = 256;

export function mayKeepName(name: string): boolean {
  return name.length <= LONGEST_NAME;
}

export function mayKeepNamespace(uri: string | null): boolean {
  return uri === null || uri.length <= LONGEST_NAMESPACE;
}
