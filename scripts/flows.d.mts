export const PARTS: readonly { readonly id: string; readonly path: string | null }[];
export const STREAMS: readonly (readonly [from: string, to: string])[];
export const STATES: readonly { readonly id: string }[];
export const CHANGES: readonly { readonly from: string; readonly to: string; readonly when: string }[];
export const LIFE: readonly { readonly event: string | null; readonly ticket: string; readonly text: string }[];
export const DIALECTS: readonly { readonly order: string; readonly title: string }[];
