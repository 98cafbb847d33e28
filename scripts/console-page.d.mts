/** Writes the files of the console's page into a folder, which is emptied before. */
export function buildPage(target: string): Promise<void>;
