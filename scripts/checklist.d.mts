export declare function allIds(): string[];
export declare function withChecklist(page: string): string;
