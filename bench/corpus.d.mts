export function random(seed: number): () => number;
export function stanzas(count?: number, seed?: number): string[];
export const HEADER: string;
export const FOOTER: string;
