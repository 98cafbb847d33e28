import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './markdown.js';
import { toJavaScript, Workshop, type ProgramFolder } from './workshop.js';

/**
 * A user's project that has the package installed, in place of a {@link Workshop}: scripts/check-recipes.mjs makes one and
 * names it in `XMPP_BROKER_PROJECT`. Programs are put there as they are.
 */
class Project implements ProgramFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    for (const name of ['launch', 'detour']) {
      const source = readFileSync(join(ROOT, `test/docs/support/${name}.ts`), 'utf8');
      writeFileSync(join(path, `${name}.js`), toJavaScript(`${name}.ts`, source));
    }
  }

  get launcher(): string {
    return join(this.path, 'launch.js');
  }

  add(name: string, source: string): string {
    const path = join(this.path, name.replaceAll('/', '-'));
    writeFileSync(path, source);
    return path;
  }

  /** Who made it takes it away. */
  [Symbol.dispose](): void {}
}

/** Where programs for users are run: with the sources, or as a user would. */
export function openProgramFolder(): ProgramFolder {
  const project = process.env['XMPP_BROKER_PROJECT'];
  return project === undefined ? new Workshop() : new Project(project);
}
