import type { Command } from '../command.js';
import { completion } from './completion.js';
import { console } from './console.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { explain } from './explain.js';
import { queue } from './queue.js';
import { record } from './record.js';
import { replay } from './replay.js';
import { request } from './request.js';
import { send } from './send.js';
import { serve } from './serve.js';
import { watch } from './watch.js';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  doctor,
  watch,
  console,
  send,
  request,
  queue,
  explain,
  serve,
  record,
  replay,
  demo,
  completion(() => COMMANDS),
];
