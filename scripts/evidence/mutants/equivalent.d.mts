export declare const EQUIVALENT: Readonly<Record<string, string>>;
