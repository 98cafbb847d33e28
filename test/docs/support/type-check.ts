import ts from 'typescript';
import { ROOT } from './markdown.js';
import type { Program } from './programs.js';

/** What the compiler has to say about programs of the documentation, with the settings of the project. */
export function typeErrors(programs: readonly Program[]): string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    `${ROOT}/tsconfig.json`,
    // What is shown need not be used.
    { noUnusedLocals: false, noUnusedParameters: false },
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
        throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
      },
    },
  );
  if (config === undefined) throw new Error('tsconfig.json cannot be read');
  // They stand beside the real examples, so that everything is found in the same way.
  const files = new Map(programs.map((program, i) => [`${ROOT}/examples/documented-${String(i)}.ts`, program]));
  const host = ts.createCompilerHost(config.options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path);
  host.readFile = (path) => files.get(path)?.source ?? readFile.call(host, path);
  host.getSourceFile = (path, ...rest) => {
    const program = files.get(path);
    const [languageVersion] = rest;
    return program === undefined
      ? getSourceFile.call(host, path, ...rest)
      : ts.createSourceFile(path, program.source, languageVersion);
  };
  const compilation = ts.createProgram([...files.keys()], config.options, host);
  return [...files].flatMap(([path, program]) => {
    const file = compilation.getSourceFile(path);
    if (file === undefined) throw new Error(`${program.name} was not compiled`);
    const found = [...compilation.getSyntacticDiagnostics(file), ...compilation.getSemanticDiagnostics(file)];
    return found.map(({ start = 0, messageText }) => {
      const line = program.lines[file.getLineAndCharacterOfPosition(start).line] ?? 0;
      return `${program.name.replace(/:\d+$/, '')}:${String(line)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}
