import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './markdown.js';

/**
 * A folder in which programs run as a user's would: plain JavaScript that imports `xmpp-broker` by its name. The library
 * in it is made of the sources as they are, so no build is needed before the tests.
 */
export class Workshop implements Disposable {
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

  /** Puts a program there. @returns the path of the JavaScript */
  add(name: string, source: string): string {
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2023,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
      },
      fileName: name,
    });
    const path = join(this.path, name.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, outputText);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
