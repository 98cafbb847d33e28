// Writes the man page of the command, which it makes of its own table of commands. Run after the bundle was made.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { status, stdout, stderr } = spawnSync(process.execPath, [`${root}/dist/cli/main.js`, '--man'], {
  encoding: 'utf8',
});
if (status !== 0) throw new Error(`the command gives no man page\n${stderr}`);
writeFileSync(`${root}/dist/xmpp-broker.1`, stdout);
