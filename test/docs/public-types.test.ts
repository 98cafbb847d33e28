import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { ROOT } from './support/markdown.js';

/** Types of which nobody gets one, and that a program writes itself. */
const WRITTEN = /Options$|^Dialect$|^Established$/;

interface HandedIn {
  readonly name: string;
  /** Properties that may be left out, but not be `undefined`. */
  readonly refuses: string[];
}

/** What programs give: the types of parameters, and of what is in them, as far as they are declared in src. */
function handedIn(entries: readonly string[]): HandedIn[] {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(`${ROOT}/tsconfig.json`, (path) => ts.sys.readFile(path)).config,
    ts.sys,
    ROOT,
  );
  const program = ts.createProgram(
    entries.map((entry) => `${ROOT}/${entry}`),
    { ...options, exactOptionalPropertyTypes: true },
  );
  const checker = program.getTypeChecker();
  const given = new Map<ts.Type, HandedIn>();
  const got = new Set<ts.Type>();

  const isOurs = (symbol: ts.Symbol): boolean =>
    symbol.declarations?.some((node) => node.getSourceFile().fileName.startsWith(`${ROOT}/src/`)) === true;
  const parameters = (signature: ts.Signature): ts.Type[] =>
    signature.getParameters().map((parameter) => checker.getTypeOfSymbol(parameter));

  /** A program gives this. What it is called back with, it gets. */
  const gives = (type: ts.Type): void => {
    if (given.has(type)) return;
    const found: HandedIn = { name: (type.aliasSymbol ?? type.getSymbol())?.name ?? '', refuses: [] };
    given.set(type, found);
    if (type.isUnionOrIntersection()) {
      type.types.forEach(gives);
      return;
    }
    if ((type.flags & ts.TypeFlags.Object) === 0 || type.isClass()) return;
    for (const signature of type.getCallSignatures()) {
      parameters(signature).forEach(gets);
      gives(signature.getReturnType());
    }
    for (const property of type.getProperties().filter(isOurs)) {
      const value = checker.getTypeOfSymbol(property);
      const parts = value.isUnion() ? value.types : [value];
      const takes = parts.includes(checker.getUndefinedType()) || parts.includes(checker.getUnknownType());
      const isMethod = (property.flags & ts.SymbolFlags.Method) !== 0;
      if ((property.flags & ts.SymbolFlags.Optional) !== 0 && !isMethod && !takes) found.refuses.push(property.name);
      gives(value);
    }
  };

  /** A program gets this. What it calls it with, it gives. */
  const gets = (type: ts.Type): void => {
    if (got.has(type)) return;
    got.add(type);
    if (type.isUnionOrIntersection()) type.types.forEach(gets);
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      parameters(signature).forEach(gives);
      gets(signature.getReturnType());
    }
    if ((type.flags & ts.TypeFlags.Object) === 0) return;
    for (const property of type.getProperties().filter(isOurs)) gets(checker.getTypeOfSymbol(property));
  };

  for (const entry of entries) {
    const source = program.getSourceFile(`${ROOT}/${entry}`);
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${entry} is no module`);
    for (const exported of checker.getExportsOfModule(module)) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      if (symbol.flags & ts.SymbolFlags.Value) gets(checker.getTypeOfSymbol(symbol));
      if (symbol.flags & ts.SymbolFlags.Type && WRITTEN.test(exported.name)) {
        gives(checker.getDeclaredTypeOfSymbol(symbol));
      }
    }
  }
  return [...given.values()];
}

describe('what the package exports', () => {
  it('whatever may be left out may be given as undefined, under exactOptionalPropertyTypes too', () => {
    const types = handedIn(['src/index.ts', 'src/testing/index.ts']);
    const names = types.map(({ name }) => name);
    for (const known of ['BrokerOptions', 'ReconnectOptions', 'ErrorFacts', 'Dialect', 'LoopbackOptions', 'Refusal']) {
      expect(names).toContain(known);
    }
    expect(types.filter(({ refuses }) => refuses.length > 0)).toEqual([]);
  });
});
