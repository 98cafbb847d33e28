import type { Patch } from './build.mjs';

export interface Technique {
  key: string;
  text: string;
  workloads: string[];
  patches?: Patch[];
  compile?: string[];
}
export const TECHNIQUES: Technique[];
