// Messages to one page, as server-sent events.
import type { ServerResponse } from 'node:http';
import type { FeedOwner } from './feed.js';
import type { Message } from './messages.js';

/** What may wait for a page that is slow, in bytes. */
const MOST_WAITING = 1_048_576;

/** A response that goes on. What a page does not take is not kept for it. */
export class PageStream implements FeedOwner {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
  }

  get isBehind(): boolean {
    return this.#response.writableLength > MOST_WAITING;
  }

  /** Nothing more follows. */
  end(): void {
    this.#response.end();
  }

  send(message: Message): void {
    if (!this.#response.writableEnded && !this.#response.destroyed)
      this.#response.write(`data: ${JSON.stringify(message)}\n\n`);
  }
}
