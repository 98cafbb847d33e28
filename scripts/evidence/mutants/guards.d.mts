export interface Guard {
  readonly key: string;
  readonly path: string;
  readonly line: number;
  readonly from: number;
  readonly to: number;
  readonly without: 'true' | 'false';
}
export declare function checkedFiles(): string[];
export declare function guardsIn(path: string, text?: string): Guard[];
export declare function switched(text: string, guards: readonly Guard[]): string;
