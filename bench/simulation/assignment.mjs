/** The decision of the fleet's members, as it is in the sources: no build is needed. */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const source = readFileSync(new URL('../../src/nats/fleet-assignment.ts', import.meta.url), 'utf8');
const { outputText } = ts.transpileModule(source, {
  compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
});

export const { decide, beatMs, MISSED_BEATS } = await import(
  `data:text/javascript;base64,${Buffer.from(outputText).toString('base64')}`
);
