import { closeSync, openSync, writeSync } from 'node:fs';
import { Broker } from '../../broker/broker.js';
import { usageError } from '../../errors.js';
import { xml } from '../../xml/builder.js';
import { ACCOUNT, accountOf } from '../account.js';
import type { Command, Given, Terminal } from '../command.js';
import { counted } from '../counted.js';
import { escaped } from '../escaped.js';
import { Recorder } from '../recorder.js';
import { tellTrouble } from '../trouble.js';

/** A stream, written down. */
export const record: Command = {
  name: 'record',
  summary: 'connects, and writes both directions of the stream to a file, without what is secret',
  operands: 'FILE',
  count: [1, 1],
  details: [
    'It connects as watch does, until it is interrupted. FILE must not be there yet; only you may read it. There is a JSON object on',
    'each line: whose stream it is, then every element with the milliseconds since the start. What signs somebody in is left out;',
    'what people write is not. See replay.',
  ],
  options: {
    ...ACCOUNT,
    invisible: { help: 'sends no presence, so that no messages for the account are drawn here' },
  },
  async run(given, terminal) {
    const [path = ''] = given.positionals;
    // Before the file is made: a mistake leaves none.
    const account = await accountOf(given, terminal);
    const file = new RecordingFile(path);
    try {
      return await recorded(given, terminal, { account, file, path });
    } finally {
      file.close();
    }
  },
};

interface Task {
  readonly account: Awaited<ReturnType<typeof accountOf>>;
  readonly file: RecordingFile;
  readonly path: string;
}

async function recorded(given: Given, terminal: Terminal, { account, file, path }: Task): Promise<number> {
  const recorder = new Recorder((line) => file.write(line));
  const broker = new Broker(recorder.options({ ...account, reconnect: { initial: true } }));
  recorder.follow(broker);
  tellTrouble(broker, terminal);
  const tell = (facts: { event: string } & Record<string, string | number>, text: string): void =>
    terminal.out(escaped(given.has('json') ? JSON.stringify(facts) : text));
  tell({ event: 'recording', file: path }, `recording to ${path}, until interrupted`);
  broker.subscribe('PCJ_READY', ({ jid, resumed }) => {
    tell({ event: 'ready', jid: jid.toString() }, `signed in as ${jid.toString()}`);
    const isAccount = broker.config.connectionType.addressing !== 'domain';
    if (!resumed && isAccount && !given.has('invisible')) broker.output(xml('presence'));
  });
  const end = (): void => void broker.shutdown();
  terminal.signal.addEventListener('abort', end, { once: true });
  file.onError = () => broker.halt();
  try {
    await broker.connect({ signal: terminal.signal });
    const { error } = await broker.closed;
    if (error !== undefined) throw error;
  } catch (error) {
    // Whoever interrupts it wants it to end, at whatever point it is.
    if (!terminal.signal.aborted) throw file.error ?? error;
  } finally {
    terminal.signal.removeEventListener('abort', end);
    broker.halt();
  }
  if (file.error !== null) throw file.error;
  const { elements } = recorder;
  tell({ event: 'recorded', file: path, elements }, `recorded ${counted(elements, 'element')}`);
  return 0;
}

/** A new file that only its owner may read. Lines are there when they are written, whatever ends the process. */
class RecordingFile {
  readonly #path: string;
  readonly #file: number;
  /** Why nothing more is written. */
  error: Error | null = null;
  onError: () => void = () => undefined;

  /** @throws BrokerError `USAGE_ARGUMENT` when it is there, or cannot be made */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'wx', 0o600);
    } catch (error) {
      const { code = 'it failed' } = error as NodeJS.ErrnoException;
      const text = code === 'EEXIST' ? 'is there already; name a file that is not' : `cannot be made (${code})`;
      throw usageError('USAGE_ARGUMENT', `${path} ${text}`);
    }
  }

  write(line: string): void {
    if (this.error !== null) return;
    try {
      writeSync(this.#file, `${line}\n`);
    } catch (error) {
      const { code = 'it failed' } = error as NodeJS.ErrnoException;
      this.error = new Error(`${this.#path} cannot be written (${code}): the recording ends there`, { cause: error });
      this.onError();
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
