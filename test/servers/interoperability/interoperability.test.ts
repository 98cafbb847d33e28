import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Cell } from './cell.js';
import { clientCases } from './client-cases.js';
import { componentCases } from './component-cases.js';
import type { Launch } from './foreign-program.js';
import { PEERS, type Peer } from './peers.js';
import { serverCases, serverNames, serverVersion } from './server-cases.js';

const { env } = process;
const folder = mkdtempSync(join(tmpdir(), 'xmpp-broker-interoperability-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let kept = 0;
/** Each server has an authority of its own. */
const keepCa = (pem: string): string => {
  const path = join(folder, `ca-${String((kept += 1))}.pem`);
  writeFileSync(path, pem);
  return path;
};

/** `npm run evidence` names one; `npm test` has those that are quick. */
const wanted = (name: string, { quick }: Peer) => (env['XMPP_BROKER_PART'] ?? (quick ? name : '')) === name;

function note(peer: string, version: string, kind: string, cells: readonly Cell[]): void {
  const book = env['XMPP_BROKER_OUTCOME'];
  if (book === undefined) return;
  for (const cell of cells) appendFileSync(book, `${JSON.stringify({ peer, version, kind, ...cell })}\n`);
}

/** What a program writes lies in the folder of the test. */
const launched = ({ command, env: found }: Launch): Launch => ({ command, env: { ...found, TMPDIR: folder } });

const wrong = (cells: readonly Cell[]) => cells.filter(({ verdict }) => verdict === 'wrong');

describe.concurrent.each(Object.entries(PEERS).filter(([name, peer]) => wanted(name, peer)))('%s', (name, peer) => {
  const found = peer.find();
  const cannot = `${name} cannot be had here (${peer.from})`;
  if (found === null && env['CI'] === 'true')
    it('is here', () => {
      throw new Error(`${cannot}; CI must not leave it out`);
    });
  if (found === null) console.warn(`LEFT OUT: ${cannot}`);

  const { client, component } = peer;
  it.runIf(found !== null && client !== undefined)('a client of the loopback server', async () => {
    if (found === null || client === undefined) return;
    const cells = await clientCases({ launch: launched(found.launch), ...client }, keepCa);
    note(name, found.version, 'client', cells);
    expect(wrong(cells)).toEqual([]);
  });

  it.runIf(found !== null && component !== undefined)('a component of the loopback server', async () => {
    if (found === null || component === undefined) return;
    const cells = await componentCases({ launch: launched(found.launch), ...component });
    note(name, found.version, 'component', cells);
    expect(wrong(cells)).toEqual([]);
  });
});

// The other tests of this folder have much more of it.
describe.each(serverNames.filter((name) => env['XMPP_BROKER_PART'] === name))('%s', (name) => {
  it('has our client and our component', async () => {
    const cells = await serverCases(name);
    note(name, serverVersion(name), 'server', cells);
    expect(wrong(cells)).toEqual([]);
  });
});
