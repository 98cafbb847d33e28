export declare const mutants: {
  readonly name: string;
  readonly enforce: 'pre';
  transform(code: string, id: string): string | null;
};
export declare const setupFiles: string[];
