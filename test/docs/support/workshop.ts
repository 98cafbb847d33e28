import { createHash, randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './markdown.js';

/** A folder in which programs are run that import `xmpp-broker` by its name. */
export interface ProgramFolder extends Disposable {
  readonly path: string;
  /** The script that runs one of them. */
  readonly launcher: string;
  /** Puts a program there. @returns the path of what can be run */
  add(name: string, source: string): string;
}

/**
 * A folder in which programs run as a user's would: plain JavaScript that imports `xmpp-broker` by its name. The library
 * in it is made of the sources as they are, so no build is needed before the tests.
 */
export class Workshop implements ProgramFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'xmpp-broker-docs-'));

  constructor() {
    // A package may import itself by its own name.
    const manifest = {
      name: 'xmpp-broker',
      type: 'module',
      exports: {
        '.': './src/index.js',
        './queue/sqlite': './src/stores/sqlite.js',
        './nats': './src/nats/index.js',
        './opentelemetry': './src/monitoring/opentelemetry.js',
        './prometheus': './src/monitoring/prometheus.js',
        './muc': './src/muc/index.js',
        './console': './src/console/index.js',
        './testing': './src/testing/index.js',
      },
    };
    writeFileSync(join(this.path, 'package.json'), JSON.stringify(manifest));
    symlinkSync(join(ROOT, 'node_modules'), join(this.path, 'node_modules'));
    for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (file.endsWith('.ts')) this.add(join('src', file), readFileSync(join(ROOT, 'src', file), 'utf8'));
    }
    for (const file of ['launch.ts', 'detour.ts']) {
      this.add(join('support', file), readFileSync(join(ROOT, 'test/docs/support', file), 'utf8'));
    }
  }

  get launcher(): string {
    return join(this.path, 'support/launch.js');
  }

  /** Puts a program there. @returns the path of the JavaScript */
  add(name: string, source: string): string {
    const path = join(this.path, name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(path), { recursive: true });
    written(path, toJavaScript(name, source));
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** What was compiled in earlier runs, by what it was compiled from: all of the sources take many seconds. */
const CACHE = join(ROOT, '.cache/workshop');

const COMPILER = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
};

export function toJavaScript(fileName: string, source: string): string {
  const about = JSON.stringify([ts.version, COMPILER, source]);
  const kept = join(CACHE, `${createHash('sha256').update(about).digest('hex')}.js`);
  if (existsSync(kept)) return readFileSync(kept, 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: COMPILER, fileName });
  mkdirSync(CACHE, { recursive: true });
  written(kept, outputText);
  return outputText;
}

/** Others may be about to do the same, or to read it: nobody must see half of it, or an empty program. */
function written(path: string, text: string): void {
  const fresh = join(dirname(path), randomUUID());
  writeFileSync(fresh, text);
  renameSync(fresh, path);
}
