// The documentation as one static site: the guides and the reference, with a search that needs no server.
//
//   npm run docs:build             into .cache/site; a link that leads nowhere is a failure
//   npm run docs [-- --port 8000]  builds it, and shows it on the loopback
//
// `--out FOLDER` builds it elsewhere.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Application, Converter, ReflectionKind } from 'typedoc';
import { addressOf, CATEGORY_ORDER, categoryOf, guidesOf, titleOf, weightOf } from './site/guides.mjs';
import { checkLinks } from './site/links.mjs';
import { pagesRouter } from './site/router.mjs';
import { serve } from './site/serve.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(root, '.cache', 'site') },
    serve: { type: 'boolean', default: false },
    port: { type: 'string', default: '0' },
  },
});
const out = resolve(values.out);
const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The source of each entry, and what it is imported as. */
const entries = new Map(
  Object.entries(exports).flatMap(([subpath, { default: path }]) =>
    path === undefined ? [] : [[path.replace('./dist/', 'src/').replace(/\.js$/, '.ts'), subpath.replace('.', name)]],
  ),
);

async function build() {
  const addresses = new Map();
  const app = await Application.bootstrap({
    entryPoints: [...entries.keys()].map((path) => join(root, path)),
    projectDocuments: guidesOf(root).map((path) => join(root, path)),
    readme: join(root, 'README.md'),
    basePath: root,
    tsconfig: join(root, 'tsconfig.build.json'),
    // The compiler has its own step.
    skipErrorChecking: true,
    excludeInternal: true,
    excludePrivate: true,
    disableSources: true,
    hideGenerator: true,
    includeHierarchySummary: false,
    headings: { readme: false, document: false },
    searchInComments: true,
    searchInDocuments: true,
    categorizeByGroup: false,
    categoryOrder: CATEGORY_ORDER,
    defaultCategory: 'Reference',
    navigation: { includeCategories: true, includeGroups: false },
    highlightLanguages: [
      'bash',
      'ini',
      'javascript',
      'js',
      'json',
      'lua',
      'sh',
      'sql',
      'text',
      'typescript',
      'xml',
      'yaml',
    ],
    customCss: join(root, 'scripts/site/look.css'),
    favicon: join(root, 'scripts/site/icon.svg'),
    customJs: join(root, 'scripts/site/find.js'),
    validation: { notExported: false, invalidLink: true, invalidPath: true, rewrittenLink: false },
    treatWarningsAsErrors: true,
    markdownItLoader: headingsWithCode,
    logLevel: 'Warn',
    router: 'pages',
  });
  app.renderer.defineRouter('pages', pagesRouter(addresses));
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
    const path = relative(root, page.project.files.getReflectionPath(page)).replaceAll(sep, '/');
    addresses.set(page, addressOf(path));
    page.name = titleOf(page.content) ?? path;
    page.relevanceBoost = weightOf(path);
    page.frontmatter.category = categoryOf(path);
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
      const path = relative(root, project.files.getReflectionPath(module) ?? '').replaceAll(sep, '/');
      module.name = entries.get(path) ?? module.name;
    }
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('the sources cannot be read');
  app.validate(project);
  await app.generateDocs(project, out);
  if (app.logger.hasErrors() || app.logger.hasWarnings()) throw new Error('see above');
  const { broken, count } = checkLinks(out);
  for (const line of broken) console.error(`docs: ${line}`);
  if (broken.length > 0) throw new Error(`${broken.length} links lead nowhere`);
  console.log(`docs: ${out} is built, and its ${count} links lead somewhere`);
}

/** Code in a heading is part of its anchor, as it is where the pages are read without the site. */
function headingsWithCode(parser) {
  parser.core.ruler.push('headings-with-code', ({ tokens }) => {
    for (const [at, token] of tokens.entries()) {
      if (token.type !== 'heading_open') continue;
      for (const child of tokens[at + 1].children.filter(({ type }) => type === 'code_inline')) {
        child.children = [{ type: 'text', content: child.content }];
      }
    }
  });
}

try {
  await build();
  if (values.serve) {
    const server = serve(out, Number(values.port));
    await once(server, 'listening');
    console.log(`docs: http://127.0.0.1:${server.address().port}/ until Ctrl-C`);
  }
} catch (error) {
  console.error(`docs: ${error.message}`);
  process.exitCode = 1;
}
