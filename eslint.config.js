import eslint from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/**
 * Which rooms of `src` a room may import from: the import direction of docs/architecture.md.
 * A room not named in a list is closed to it.
 */
const mayImport = {
  xml: [],
  stream: ['xml'],
  protocols: ['xml', 'stream', 'queue'],
  filters: ['xml'],
  queue: ['xml'],
  connection: ['xml', 'protocols', 'broker'],
  testing: ['xml', 'stream', 'protocols', 'broker'],
  cli: ['xml', 'protocols', 'broker', 'testing'],
};

const rooms = Object.keys(mayImport);

/** One config per room: forbids the relative paths that lead into rooms it may not know. */
const boundaries = rooms.map((room) => {
  const closed = rooms.filter((other) => other !== room && !mayImport[room].includes(other));
  const patterns = closed.map((other) => ({
    regex: `^(\\.\\./)+${other}/`,
    message: `src/${room} may not import src/${other} (import direction, docs/architecture.md)`,
  }));
  if (!mayImport[room].includes('broker')) {
    patterns.push({
      regex: '^(\\.\\./)+(broker|core|index|router|requests|options|link|lifecycle|attempt)(/[^/]+)?(\\.js)?$',
      message: `src/${room} lies below the broker and may not import it (import direction, docs/architecture.md)`,
    });
  }
  return { files: [`src/${room}/**/*.ts`], rules: { 'no-restricted-imports': ['error', { patterns }] } };
});

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'node_modules/', 'bench/results/']),
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
    },
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
        performance: 'readonly',
      },
    },
  },
  ...boundaries,
);
