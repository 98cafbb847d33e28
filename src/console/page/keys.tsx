import type { JSX } from 'preact';

/** What has to be in a stanza for an expression to be tried. */
export function Keys({ keys }: { readonly keys: readonly string[] | null }): JSX.Element | null {
  if (keys === null || keys.length === 0) return null;
  return (
    <ul class="found">
      {keys.map((key) => (
        <li key={key} class="code">
          {key}
        </li>
      ))}
    </ul>
  );
}
