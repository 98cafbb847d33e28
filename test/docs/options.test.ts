import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/markdown.js';

/** Interfaces that tables of options are typed with, and those they are made of. */
const INHERITED = ['Limits', 'Timeouts', 'LivenessOptions', 'XmlLimits', 'QueueLimits', 'IterationLimits'];

const sources = readdirSync(`${ROOT}/src`, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ts.createSourceFile(file, readFileSync(`${ROOT}/src/${file}`, 'utf8'), ts.ScriptTarget.ES2023, true));

const tables = new Set([
  ...INHERITED,
  ...sources.flatMap((source) =>
    [...source.text.matchAll(/OptionTable<(?:Partial<)?([A-Z]\w+)>/g)].map(([, name]) => name),
  ),
]);

const declared = sources.flatMap((source) =>
  source.statements
    .filter(ts.isInterfaceDeclaration)
    .filter(({ name }) => tables.has(name.text) && !source.fileName.startsWith('dial/'))
    .flatMap((declaration) =>
      declaration.members.filter(ts.isPropertySignature).map((member) => {
        const text = ts
          .getJSDocCommentsAndTags(member)
          .map((doc) => doc.getText())
          .join(' ');
        return [`${source.fileName}: ${declaration.name.text}.${member.name.getText()}`, text] as const;
      }),
    ),
);

describe('the declaration of an option', () => {
  it('is looked at wherever there is a table of options', () => {
    expect(declared.length).toBeGreaterThan(100);
  });

  it.each(declared)('%s says its default, or that it is needed', (_, text) => {
    expect(text).toMatch(/\bDefault\b|\bNeeded\b/);
  });
});
