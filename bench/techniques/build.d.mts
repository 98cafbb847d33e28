export interface Patch {
  file: string;
  find: string | RegExp;
  put: string;
  times: number;
}
export function patched(text: string, patch: Patch): string;
