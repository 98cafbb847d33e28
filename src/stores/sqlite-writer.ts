// The thread that writes the file of a SQLite store. It is started by `writer-thread.ts` and does nothing by itself.
import { parentPort, workerData } from 'node:worker_threads';
import { loadDriver } from './driver.js';
import type { Request, WriterData } from './requests.js';
import { Writer } from './writer.js';

const data = workerData as WriterData;
const writer = new Writer(data, () => loadDriver(data.driver ?? undefined));

parentPort?.on('message', (request: Request) => {
  parentPort?.postMessage(writer.handle(request));
  if (request.kind === 'close') parentPort?.close();
});
