import { createInterface } from 'node:readline';
import { Writable, type Readable } from 'node:stream';

/** Asks for a secret at a terminal: what is typed is not shown. Rejects when nothing was typed, or who was asked went away. */
export function ask(
  prompt: string,
  input: Readable = process.stdin,
  output: { write(text: string): unknown } = process.stderr,
): Promise<string> {
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input, output: nothing, terminal: true });
  // Whoever sees the question may answer at once: from here on nothing is echoed.
  output.write(prompt);
  return new Promise((resolve, reject) => {
    reader.question('', (answer) => {
      if (answer !== '') resolve(answer);
      reader.close();
    });
    reader.on('SIGINT', () => reader.close());
    // Behind an answer too: then it changes nothing.
    reader.on('close', () => {
      output.write('\n');
      reject(new Error('no password was given'));
    });
  });
}
