import type { Msg } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { NatsLink, NatsWatcher } from '../../../src/nats/connection.js';
import { ReportPost, type Letter } from '../../../src/nats/report-post.js';

/** NATS in which nobody listens, until somebody does. */
class Net {
  readonly listening = new Set<string>();
  /** What was published, by subject. */
  readonly published: string[] = [];
  readonly heard: string[] = [];
  isAway = false;
  isClosed = false;
  unsubscribed = 0;
  readonly #watchers: NatsWatcher[] = [];
  #callback: (error: null, message: Msg) => void = () => undefined;

  get link(): NatsLink {
    const connection = {
      publish: (subject: string, text: string, options?: { reply: string }) => {
        if (this.isClosed) throw new Error('closed');
        this.published.push(text);
        if (this.isAway) return;
        if (this.listening.has(subject)) this.heard.push(text);
        else if (options !== undefined) this.#refuse(options.reply);
      },
      subscribe: (_: string, { callback }: { callback: (error: null, message: Msg) => void }) => {
        this.#callback = callback;
        return { unsubscribe: () => (this.unsubscribed += 1) };
      },
      flush: () => (this.isAway ? Promise.reject(new Error('away')) : Promise.resolve()),
    };
    const isClosed = (): boolean => this.isClosed;
    return {
      connection,
      get isClosed() {
        return isClosed();
      },
      newInbox: () => '_INBOX.x',
      watch: (watcher: NatsWatcher) => void this.#watchers.push(watcher),
    } as unknown as NatsLink;
  }

  up(): void {
    this.isAway = false;
    for (const watcher of this.#watchers) watcher.up?.(false);
  }

  #refuse(subject: string): void {
    queueMicrotask(() => {
      this.#callback(null, { subject, headers: { code: 503 } } as unknown as Msg);
    });
  }
}

const letter = (text: string, subject = 's', more: Partial<Letter> = {}): Letter => ({
  subject,
  text,
  tickets: 1,
  copies: [],
  ...more,
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const seconds = (count: number): Promise<unknown> => vi.advanceTimersByTimeAsync(count * 1_000);

it('what nobody listens to is asked once a second with one report, and told when somebody does', async () => {
  const net = new Net();
  const post = new ReportPost(net.link);
  for (const text of ['1', '2']) post.send(letter(text));
  await seconds(0);
  for (const text of ['3', '4']) post.send(letter(text));
  await seconds(3);
  expect(net.published).toEqual(['1', '2', '1', '1', '1']);
  net.listening.add('s');
  await seconds(2);
  expect(net.heard).toEqual(['1', '2', '3', '4']);
  post.send(letter('5'));
  await seconds(5);
  expect(net.heard).toEqual(['1', '2', '3', '4', '5']);
  expect(vi.getTimerCount()).toBe(0);
});

it('what was published before the connection was lost is told again, and kept copies, too', async () => {
  const net = new Net();
  net.listening.add('s');
  const post = new ReportPost(net.link);
  post.send(letter('old'));
  await seconds(5);
  post.send(letter('1'));
  net.isAway = true;
  post.send(letter('2', 's', { copies: [{ subject: 'kept', text: 'copy' }] }));
  await seconds(600);
  net.published.length = 0;
  net.up();
  expect(net.published).toEqual(['1', 'copy', '2']);
  await seconds(5);
  expect(net.heard).toEqual(['old', '1', '1', '2']);
  expect(vi.getTimerCount()).toBe(0);
});

it('nobody listens for a minute: it is let go', async () => {
  const net = new Net();
  const post = new ReportPost(net.link);
  post.send(letter('1'));
  await seconds(30);
  post.send(letter('2'));
  await seconds(33);
  net.listening.add('s');
  await seconds(2);
  expect(net.heard).toEqual(['2']);
});

it.each<[string, Partial<Letter>, number]>([
  ['tickets', { tickets: 4_000 }, 2],
  ['bytes', { text: 'x'.repeat(300_000) }, 3],
])('what waits has a bound of %s, and the oldest goes', async (_, more, most) => {
  const net = new Net();
  const post = new ReportPost(net.link);
  const text = (at: number): string => `${at}${more.text ?? ''}`;
  for (let at = 0; at < 10; at += 1) {
    post.send(letter('', 's', { ...more, text: text(at) }));
    await seconds(0);
  }
  net.listening.add('s');
  await seconds(3);
  expect(net.heard.map(([digit]) => digit)).toEqual(['7', '8', '9'].slice(-most));
});

it('the bound is that of all who do not listen, and of what is in doubt', async () => {
  const net = new Net();
  const post = new ReportPost(net.link);
  for (const subject of ['a', 'b', 'c']) post.send(letter(subject, subject, { tickets: 4_000 }));
  await seconds(0);
  net.isAway = true;
  for (const text of ['1', '2', '3']) post.send(letter(text, 'd', { tickets: 4_000 }));
  for (const subject of ['a', 'b', 'c', 'd']) net.listening.add(subject);
  net.up();
  await seconds(3);
  expect(net.heard).toEqual(['2', '3', 'b', 'c']);
});

it('closed, nothing is told, and nothing runs', async () => {
  const net = new Net();
  const post = new ReportPost(net.link);
  post.send(letter('1'));
  await seconds(0);
  post.close();
  net.listening.add('s');
  post.send(letter('2'));
  net.up();
  await seconds(5);
  expect([net.heard, net.published, net.unsubscribed, vi.getTimerCount()]).toEqual([[], ['1'], 1, 0]);
});

it('a connection that is closed for good ends it', async () => {
  const net = new Net();
  const post = new ReportPost(net.link);
  post.send(letter('1'));
  net.isClosed = true;
  post.send(letter('2'));
  await seconds(2);
  expect([net.unsubscribed, vi.getTimerCount()]).toEqual([1, 0]);
});
