#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BrokerError } from '../errors.js';
import { demo } from './demo.js';

const USAGE = `xmpp-broker: connects Node programs to XMPP servers

  xmpp-broker demo                      runs a component and its peer through the main job on a loopback server,
                                        then signs in with the other dialects
  xmpp-broker demo --server HOST:PORT --domain NAME --secret SECRET [--peer-domain NAME --peer-secret SECRET]
                                        the same as a component (XEP-0114) of a real server; without a peer's name
                                        the component talks to itself through the server
  xmpp-broker --version                 the version
  xmpp-broker --help                    this text
`;

/** Runs one command line. Returns the exit code. */
async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === undefined || command === '--help' || command === 'help') {
    process.stdout.write(USAGE);
    return command === undefined ? 2 : 0;
  }
  if (command === '--version') {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    process.stdout.write(`${(JSON.parse(text) as { version: string }).version}\n`);
    return 0;
  }
  if (command !== 'demo') {
    process.stderr.write(`xmpp-broker: there is no command ${JSON.stringify(command)}\n\n${USAGE}`);
    return 2;
  }
  try {
    const { values } = parseArgs({
      args: rest,
      options: {
        server: { type: 'string' },
        domain: { type: 'string' },
        secret: { type: 'string' },
        'peer-domain': { type: 'string' },
        'peer-secret': { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) {
      process.stdout.write(USAGE);
      return 0;
    }
    await demo({
      ...values,
      peerDomain: values['peer-domain'],
      peerSecret: values['peer-secret'],
      print: (line) => process.stdout.write(`${line}\n`),
    });
    return 0;
  } catch (error) {
    const text =
      error instanceof BrokerError
        ? `${error.code}: ${error.message}`
        : error instanceof Error
          ? error.message
          : String(error);
    process.stderr.write(`xmpp-broker: ${text}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));
