export function checkLinks(site: string): { readonly broken: readonly string[]; readonly count: number };
