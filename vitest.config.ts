import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { mutants, setupFiles } from './scripts/evidence/mutants/plugin.mjs';
import { LongestFirst } from './test/support/order.js';
import { threads } from './test/support/threads.js';

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The package's own name resolves to the sources, so tests, examples and docs import what users import. */
const alias = [
  { find: /^xmpp-broker$/, replacement: source('./src/index.ts') },
  { find: /^xmpp-broker\/queue\/sqlite$/, replacement: source('./src/stores/sqlite.ts') },
  { find: /^xmpp-broker\/nats$/, replacement: source('./src/nats/index.ts') },
  { find: /^xmpp-broker\/opentelemetry$/, replacement: source('./src/monitoring/opentelemetry.ts') },
  { find: /^xmpp-broker\/prometheus$/, replacement: source('./src/monitoring/prometheus.ts') },
  { find: /^xmpp-broker\/muc$/, replacement: source('./src/muc/index.ts') },
  { find: /^xmpp-broker\/console$/, replacement: source('./src/console/index.ts') },
  { find: /^xmpp-broker\/testing$/, replacement: source('./src/testing/index.ts') },
];

/** The time limits are for what hangs: nothing is judged by them, and a busy machine takes several times as long. */
const project = (name: string, extra: object = {}) => ({
  resolve: { alias },
  plugins: [mutants, threads],
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    setupFiles,
    expect: { poll: { interval: 20, timeout: 20_000 } },
    ...extra,
  },
});

export default defineConfig({
  test: {
    // Servers, examples and time limits are waited for: one file more than there are processors keeps them busy.
    maxWorkers: availableParallelism() + 1,
    projects: [
      project('unit'),
      project('wire'),
      project('conformance', { testTimeout: 300_000 }),
      project('docs', { testTimeout: 180_000 }),
      // Real servers and browsers are not ours, and take their time on a busy machine: what fails there is tried once more.
      // scripts/test.mjs names what needed that.
      project('servers', { testTimeout: 180_000, retry: 1 }),
      project('browser', { retry: 1 }),
      project('stores'),
    ],
    sequence: { sequencer: LongestFirst },
    coverage: { provider: 'v8', include: ['src/**/*.ts'] },
  },
});
