import { readFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What every room may import: files in the root of `src`, and one room. */
const FOR_ALL = ['errors', 'logger', 'deferred', 'stats', 'channels', 'arguments'];

const BROKER = ['broker', 'lifecycle', 'link', 'options', 'requests', 'events', 'protocols', 'stanza', 'queue'];
const GROUND = ['filters', 'stream', 'tls', 'dial', 'pubsub', 'jid', 'xml'];

/**
 * The law of imports: which rooms, folders of `src` and its file `events.ts`, a room may import beside {@link FOR_ALL}.
 * docs/architecture.md has the same table, and a test compares the two. A folder without a row fails.
 */
export const LAW = {
  errors: [],
  logger: [],
  deferred: [],
  stats: [],
  channels: [],
  arguments: [],
  dial: [],
  xml: [],
  jid: [],
  pubsub: [],
  tls: ['dial'],
  stream: ['xml'],
  queue: ['xml'],
  filters: ['xml'],
  stanza: ['xml', 'jid'],
  requests: ['xml', 'jid', 'queue', 'stanza'],
  events: ['xml', 'jid', 'queue', 'tls'],
  protocols: ['events', 'xml', 'jid', 'queue', 'stanza', 'stream', 'tls', 'pubsub'],
  options: ['protocols', 'filters', 'dial', 'tls', 'queue', 'jid', 'xml'],
  link: ['options', 'protocols', 'events', 'stream', 'queue', 'stanza', 'jid', 'xml'],
  lifecycle: ['link', 'options', 'protocols', 'events', 'dial', 'tls', 'stream', 'stanza', 'xml'],
  broker: [...BROKER.slice(1), ...GROUND],
  disco: ['stanza', 'xml'],
  privileges: ['events', 'pubsub', 'queue', 'stanza', 'jid', 'xml'],
  stores: ['xml', 'queue'],
  monitoring: ['broker'],
  nats: ['broker', 'events', 'options', 'pubsub', 'queue', 'requests', 'stanza', 'jid', 'xml'],
  muc: ['broker', 'pubsub', 'queue', 'stanza', 'jid', 'xml'],
  'jabber-connection': [...BROKER, ...GROUND],
  testing: [...BROKER, ...GROUND],
  console: ['broker', 'events', 'stanza', 'queue', 'filters', 'pubsub', 'jid', 'xml'],
  cli: [...BROKER, ...GROUND, 'testing', 'stores', 'console'],
};

const SOURCES = fileURLToPath(new URL('src/', import.meta.url));
const { name: PACKAGE } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** The room of a file below `src`: its folder, or the name of a file in the root. */
const roomOf = (path) =>
  relative(SOURCES, path)
    .split(sep)[0]
    .replace(/\.[jt]sx?$/, '');

/** What is imported, if the source says it. */
const specifierOf = (node) => {
  if (node?.type === 'TemplateLiteral') return node.quasis.length === 1 ? node.quasis[0].value.cooked : null;
  return typeof node?.value === 'string' ? node.value : null;
};

/** Holds the law: whatever imports, types too, may stay in its room, or lead into one that its row names. */
const law = {
  create(context) {
    const from = roomOf(context.filename);
    const row = LAW[from];
    const check = ({ source }) => {
      const specifier = specifierOf(source);
      if (specifier === null) return;
      if (specifier === PACKAGE || specifier.startsWith(`${PACKAGE}/`)) {
        context.report({ node: source, message: `src/${from} may not import the package by its name` });
        return;
      }
      if (!specifier.startsWith('.')) return;
      const to = roomOf(resolve(dirname(context.filename), specifier));
      if (to === from || FOR_ALL.includes(to) || row.includes(to)) return;
      context.report({
        node: source,
        message: `src/${from} may not import src/${to} (LAW in eslint.config.js, docs/architecture.md)`,
      });
    };
    const missing = (node) => {
      context.report({ node, message: `src/${from} has no row in the law of imports (LAW in eslint.config.js)` });
    };
    if (row === undefined) return { Program: missing };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
      TSExternalModuleReference: ({ expression }) => check({ source: expression }),
    };
  },
};

const STRICT = {
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
  '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
  '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
};

export default defineConfig(
  globalIgnores(['.cache/', 'dist/', 'build/', 'coverage/', 'node_modules/', 'bench/results/']),
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    ignores: ['src/console/page/'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: STRICT,
  },
  {
    // What runs in the browser: its types are those of the DOM.
    files: ['src/console/page/**/*.ts', 'src/console/page/**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './src/console/page/tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: STRICT,
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        performance: 'readonly',
      },
    },
  },
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    ignores: ['src/index.ts'],
    plugins: { house: { rules: { law } } },
    rules: { 'house/law': 'error' },
  },
);
