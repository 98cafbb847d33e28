import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';

const { argv, exitCode } = process;

afterEach(() => {
  process.argv = argv;
  process.exitCode = exitCode;
  vi.restoreAllMocks();
  vi.resetModules();
});

/** Runs one command line. */
async function run(...args: string[]): Promise<{ code: unknown; out: string; err: string }> {
  const written = { out: '', err: '' };
  const into = (name: keyof typeof written) => (text: string | Uint8Array) => {
    written[name] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(into('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(into('err'));
  process.argv = ['node', 'xmpp-broker', ...args];
  await import('../../../src/cli/main.js');
  return { code: process.exitCode, ...written };
}

describe('the command', () => {
  it('E10: --version says the version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await run('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  it.each(['--help', 'help'])('%s says what there is', async (help) => {
    const { code, out } = await run(help);
    expect(code).toBe(0);
    for (const word of ['demo', '--version', '--help']) expect(out).toContain(word);
  });

  it('without a command it says what there is, and fails', async () => {
    const { code, out } = await run();
    expect(code).toBe(2);
    expect(out).toContain('xmpp-broker demo');
  });

  it('a command that there is not', async () => {
    const { code, out, err } = await run('dmeo');
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain('there is no command "dmeo"');
  });
});
