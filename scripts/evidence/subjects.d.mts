export declare const SUBJECTS: readonly {
  readonly name: string;
  readonly size: number;
  readonly parts?: readonly string[];
}[];
