import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Asks for a secret at a terminal: what is typed is not shown. */
export function ask(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nothing, terminal: true });
  return new Promise((resolve, reject) => {
    reader.question('', (answer) => {
      reader.close();
      process.stderr.write('\n');
      resolve(answer);
    });
    reader.on('SIGINT', () => {
      reader.close();
      process.stderr.write('\n');
      reject(new Error('no password was given'));
    });
  });
}
