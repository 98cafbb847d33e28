// What the sources declare, as TypeScript reads them.
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const ROOT = new URL('../../', import.meta.url);

/** The interface of that name in a file of `src`. */
export function declaration(file: string, name: string): ts.InterfaceDeclaration {
  const source = ts.createSourceFile(file, readFileSync(new URL(file, ROOT), 'utf8'), ts.ScriptTarget.ES2023, true);
  const found = source.statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === name,
  );
  if (found === undefined) throw new Error(`${file} has no interface ${name}`);
  return found;
}

/** Names of some members. */
export function namesOf(members: ts.NodeArray<ts.TypeElement>): string[] {
  return members.flatMap(({ name }) => (name !== undefined && ts.isIdentifier(name) ? [name.text] : []));
}

/** Names of the members of an interface, without those it inherits. */
export function membersOf(file: string, name: string): string[] {
  return namesOf(declaration(file, name).members);
}
