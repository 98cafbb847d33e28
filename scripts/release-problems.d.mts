/** What stands against publishing, each with the way out. */
export function problemsOf(release: {
  readonly manifest: object;
  readonly changelog: string;
  readonly uncommitted: string;
}): string[];
