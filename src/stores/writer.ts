// What the writer thread does with what it is asked.
import type { Driver } from './driver.js';
import { posted } from './posted.js';
import { QueueFile } from './queue-file.js';
import type { Reply, Request, WriterData } from './requests.js';
import { faultOf, packed } from './store-faults.js';

/** Does what is asked, one request after the other. */
export class Writer {
  readonly #data: WriterData;
  readonly #driver: () => Driver;
  #file: QueueFile | null = null;

  /** @param driver loads it; when that fails, every request is answered so */
  constructor(data: WriterData, driver: () => Driver) {
    this.#data = data;
    this.#driver = driver;
  }

  handle(request: Request): Reply {
    try {
      return this.#handled(request);
    } catch (error) {
      return { fault: packed(faultOf(error, this.#data.file)) };
    }
  }

  #handled(request: Request): Reply {
    if (request.kind === 'close') {
      this.#file?.close();
      this.#file = null;
      return { done: true };
    }
    this.#file ??= new QueueFile(this.#data, this.#driver(), this.#data.epochs);
    if (request.kind === 'open') return { opened: posted(this.#file.openQueue(request.queue)) };
    if (request.kind === 'commit') this.#file.commit(request.ops);
    else this.#file.leave(request.queue);
    return { done: true };
  }
}
