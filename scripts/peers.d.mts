/** A Debian package that was unpacked. */
export interface Brought {
  readonly version: string;
  /** Where the package was unpacked, and where what is made with it may lie. */
  readonly folder: string;
  /** What would be `/`. */
  readonly root: string;
  /** Where programs, compilers and interpreters look for it. */
  readonly env: Readonly<Record<string, string>>;
}

export function bring(name: string): Brought | null;
