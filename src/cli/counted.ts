/** How many of a thing, such as `1 stanza` and `2 stanzas`. */
export function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
}
