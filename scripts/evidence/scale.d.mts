/** docs/evidence/scale.json, as far as it is read. */
export interface ScaleFacts {
  readonly takeovers: readonly {
    readonly server: string;
    readonly pair: string;
    readonly ttlMs: number;
    readonly held: readonly number[];
    readonly link: readonly number[];
    readonly first: readonly number[];
  }[];
}

/** How long takeovers took, as lines of Markdown. */
export function takeoverTable(facts: ScaleFacts): string[];
