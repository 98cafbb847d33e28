// Finds what the source calls `@internal` among the types in dist: the compiler has to leave it out (`stripInternal`).
import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';

/** A problem for each declaration that is `@internal` in `src`, and that is in `dist` all the same. */
export function shippedInternals(root) {
  const files = readdirSync(`${root}/src`, { recursive: true }).filter((file) => file.endsWith('.ts'));
  let hidden = 0;
  const shipped = files.flatMap((file) => {
    const inside = members(`${root}/src/${file}`).filter(({ internal }) => internal);
    if (inside.length === 0) return [];
    hidden += inside.length;
    const outside = new Set(members(`${root}/dist/${file.replace(/\.ts$/, '.d.ts')}`).map(({ name }) => name));
    return inside.filter(({ name }) => outside.has(name)).map(({ name }) => `${name} of src/${file} is @internal`);
  });
  return hidden === 0 ? ['nothing in src is @internal: this check looks at the wrong places'] : shipped;
}

/** Everything that is declared in a file, by its full name: `Ticket`, `Ticket.xml`, `Ticket.constructor`. */
function members(path) {
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found = [];
  const visit = (node, owner) => {
    const named = ts.isConstructorDeclaration(node) ? 'constructor' : node.name?.getText();
    const name = named === undefined ? owner : [...owner, named];
    if (named !== undefined && (ts.isClassElement(node) || ts.isTypeElement(node) || ts.isDeclarationStatement(node))) {
      found.push({ name: name.join('.'), internal: ts.getJSDocTags(node).some(isInternal) });
    }
    ts.forEachChild(node, (child) => visit(child, name));
  };
  visit(source, []);
  return found;
}

const isInternal = ({ tagName }) => tagName.text === 'internal';
