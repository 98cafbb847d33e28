import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ROOT } from '../../docs/support/markdown.js';

/** The documentation site that `npm run docs` shows. */
export interface Site {
  /** Ends with a slash. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Builds the site into a folder, and shows it. */
export async function startSite(folder: string): Promise<Site> {
  const child = spawn(process.execPath, ['scripts/site.mjs', '--out', folder, '--serve'], { cwd: ROOT });
  let output = '';
  const ended = once(child, 'close');
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const shown = /http:\/\/127\.0\.0\.1:\d+\//.exec(output)?.[0];
        if (shown !== undefined) resolve(shown);
      });
    }
    ended.then(() => reject(new Error(`the site was not built:\n${output}`)), reject);
  });
  return {
    url,
    stop: async () => {
      child.kill();
      await ended;
    },
  };
}
