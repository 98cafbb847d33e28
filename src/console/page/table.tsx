import type { ComponentChildren, JSX } from 'preact';

interface TableProps {
  readonly caption: string;
  /** The heads; one that begins with `#` is of a column of numbers. */
  readonly heads: readonly string[];
  readonly children: ComponentChildren;
}

/** A table that scrolls by itself where the page is narrow. */
export function Table({ caption, heads, children }: TableProps): JSX.Element {
  return (
    <div class="scroll" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {heads.map((head) => (
              <th key={head} scope="col" class={head.startsWith('#') ? 'number' : ''}>
                {head.replace('#', '')}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
