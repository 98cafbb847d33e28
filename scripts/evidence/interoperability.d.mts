/** docs/evidence/interoperability.json. */
export interface Facts {
  readonly versions: Readonly<Record<string, string>>;
  readonly cells: readonly {
    readonly peer: string;
    readonly kind: string;
    readonly feature: string;
    readonly verdict: string;
    readonly detail: string;
  }[];
}

/** A page with its tables written anew. */
export function withTables(page: string, facts: Facts): string;
