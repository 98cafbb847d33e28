#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { ask } from './ask.js';
import { run } from './run.js';

const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
const { version } = JSON.parse(manifest) as { version: string };

const ending = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // The second one ends the process at once, as it would without us.
    ending.abort(new Error(`ended by ${signal}`));
  });
}
// A reader that has seen enough, such as head, is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), version, {
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`${line}\n`),
  env: process.env,
  colour: process.stdout.isTTY && process.env['NO_COLOR'] === undefined,
  ask: process.stdin.isTTY ? ask : null,
  input: async () => {
    const pieces: Buffer[] = [];
    for await (const piece of process.stdin) pieces.push(piece as Buffer);
    return Buffer.concat(pieces).toString('utf8');
  },
  signal: ending.signal,
});
