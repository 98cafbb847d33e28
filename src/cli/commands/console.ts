import { Broker } from '../../broker/broker.js';
import { xml } from '../../xml/builder.js';
import { ACCOUNT, accountOf, portOf } from '../account.js';
import type { Command } from '../command.js';
import { namespacesOf, NAMESPACES } from '../filter-arguments.js';
import { tellTrouble } from '../trouble.js';

/** A page in the browser that shows what happens. */
export const console: Command = {
  name: 'console',
  summary: 'connects, and shows on a page in the browser what happens',
  operands: '',
  count: [0, 0],
  details: [
    'It prints the address to open, stays connected, and comes back when the link is lost, until it is interrupted. The page is',
    'for this machine only, and who opens it needs the whole address: there is a token in it, another one each time.',
  ],
  options: {
    ...ACCOUNT,
    'console-port': { value: 'PORT', help: 'port of the page; default: any that is free' },
    'read-only': { help: 'the page can only look: it sends nothing' },
    xpath: {
      value: 'EXPRESSION',
      help: 'a filter to be added; may be given more than once',
      multiple: true,
      short: 'x',
    },
    ...NAMESPACES,
    invisible: { help: 'sends no presence, so that no messages for the account are drawn here' },
  },
  async run(given, terminal) {
    const port = portOf(given, 'console-port');
    const namespaces = namespacesOf(given);
    const broker = new Broker({ ...(await accountOf(given, terminal)), reconnect: { initial: true } });
    for (const expression of given.texts('xpath')) {
      broker.match(expression, () => undefined, { namespaces });
    }
    tellTrouble(broker, terminal);
    broker.subscribe('PCJ_READY', ({ resumed }) => {
      if (!resumed && broker.config.username !== undefined && !given.has('invisible')) broker.output(xml('presence'));
    });
    // It has to stay a file of its own, beside the files of the page: scripts/bundle.mjs.
    const { openConsole } = await import('../../console/index.js');
    await using page = await openConsole(broker, { port, readOnly: given.has('read-only') });
    terminal.out(given.has('json') ? JSON.stringify({ url: page.url }) : `open in a browser: ${page.url}`);
    const end = (): void => void broker.shutdown();
    terminal.signal.addEventListener('abort', end, { once: true });
    try {
      await broker.connect({ signal: terminal.signal });
      const { error } = await broker.closed;
      if (error !== undefined) throw error;
    } catch (error) {
      // Whoever interrupts it wants it to end, at whatever point it is.
      if (!terminal.signal.aborted) throw error;
    } finally {
      terminal.signal.removeEventListener('abort', end);
      broker.halt();
    }
    return 0;
  },
};
