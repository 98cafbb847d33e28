// The writer thread, as the thread of the brokers sees it.
import { Worker } from 'node:worker_threads';
import { Deferred } from '../deferred.js';
import type { Reply, Request, WriterData } from './requests.js';
import { failed, unpacked } from './store-faults.js';

/** Somebody who does what is asked, one request after the other. */
export interface AsyncWriter {
  /** @throws BrokerError */
  ask(request: Request): Promise<Exclude<Reply, { fault: unknown }>>;
}

/** Starts the writer of a file. @param died it ended before it was told to; what was asked is rejected */
export type StartWriter = (data: WriterData, died: () => void) => AsyncWriter;

/** Of what Node was started with. The rest is about the program: `--input-type` and `--import` are not for this thread. */
const PASSED_ON = /^--(?:no-warnings|disable-warning=.*|experimental-sqlite)$/;

export class WriterThread implements AsyncWriter {
  readonly #worker: Worker;
  readonly #file: string;
  readonly #asked: Deferred<Exclude<Reply, { fault: unknown }>>[] = [];
  #closing = false;

  constructor(data: WriterData, died: () => void) {
    this.#file = data.file;
    // Beside this file in the package, too: scripts/bundle.mjs.
    this.#worker = new Worker(new URL('./sqlite-writer.js', import.meta.url), {
      workerData: data,
      name: 'xmpp-broker queue',
      execArgv: process.execArgv.filter((argument) => PASSED_ON.test(argument)),
    });
    this.#worker.unref();
    this.#worker.on('message', (reply: Reply) => this.#settle(reply));
    let cause: unknown;
    this.#worker.on('error', (error) => (cause = error));
    this.#worker.on('messageerror', (error) => (cause = error));
    this.#worker.on('exit', () => {
      const error = failed(this.#file, 'lost the thread that writes it', cause);
      for (const asked of this.#asked.splice(0)) asked.reject(error);
      if (!this.#closing) died();
    });
  }

  ask(request: Request): Promise<Exclude<Reply, { fault: unknown }>> {
    const asked = new Deferred<Exclude<Reply, { fault: unknown }>>();
    // A program does not end before what it asked for is written, and is not kept alive by a file that is only open.
    if (this.#asked.push(asked) === 1) this.#worker.ref();
    if (request.kind === 'close') this.#closing = true;
    this.#worker.postMessage(request);
    return asked.promise;
  }

  #settle(reply: Reply): void {
    const asked = this.#asked.shift();
    if (this.#asked.length === 0) this.#worker.unref();
    if ('fault' in reply) asked?.reject(unpacked(reply.fault));
    else asked?.resolve(reply);
  }
}
