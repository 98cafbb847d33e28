export interface PictureNode {
  id: string;
  /** Column and row. */
  at: [number, number];
  text: string[];
  kind: 'program' | 'nats' | 'broker' | 'idle' | 'server';
}
export interface PictureLine {
  from: string;
  to: string;
  /** It is not used now. */
  waits?: boolean;
  both?: boolean;
  many?: boolean;
}
export type RecipeName = 'standby' | 'workers' | 'shared' | 'fleet';
export const RECIPES: Record<
  RecipeName,
  { title: string; caption: string; nodes: PictureNode[]; lines: PictureLine[] }
>;
export const NAMES: {
  server: 'Prosody' | 'ejabberd' | 'jabberd2' | 'jabberd14';
  name: 'component' | 'account' | 'service at the router';
  second: 'refused' | 'replaces' | 'shares';
  recipe: RecipeName | null;
  setting: string | null;
  remark: string;
}[];
