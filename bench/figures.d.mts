/** The pages that have figures. */
export const PAGES: readonly string[];

/** A page with its figures as the results of a run say. */
export function withFigures(page: string, report: object): string;
