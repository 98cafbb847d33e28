/** A CPU profile as a flame graph in SVG. */
export function flame(profile: object, text: string): string;
