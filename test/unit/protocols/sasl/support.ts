import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { expect } from 'vitest';
import { BrokerError } from '../../../../src/errors.js';
import { runExchange, type SaslStream } from '../../../../src/protocols/sasl/exchange.js';
import type { Mechanism, MechanismSettings } from '../../../../src/protocols/sasl/mechanism.js';
import { makeOffer } from '../../../../src/protocols/sasl/offer.js';
import { SASL } from '../../../../src/protocols/sasl/profile.js';
import { xml } from '../../../../src/xml/builder.js';
import type { Element } from '../../../../src/xml/element.js';
import { NS } from '../../../../src/xml/namespaces.js';

/** The BrokerError that an action throws or rejects with. */
export async function refusal(action: () => unknown): Promise<BrokerError> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerError);
    return error as BrokerError;
  }
  throw new Error('nothing was refused');
}

export const codeOf = async (action: () => unknown): Promise<string> => (await refusal(action)).code;

/** The server's side of SCRAM, written from RFC 5802 for these tests. */
export class ScramServer {
  bare = '';
  first = '';
  serverNonce = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
  salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  iterations = 4096;
  extension = '';

  constructor(
    readonly hash: 'sha1' | 'sha256' | 'sha512',
    readonly password: string,
  ) {}

  challenge(initial: Buffer): Buffer {
    const [, , ...rest] = initial.toString().split(',');
    this.bare = rest.join(',');
    const nonce = /r=([^,]*)/.exec(this.bare)?.[1] ?? '';
    const fields = `r=${nonce}${this.serverNonce},s=${this.salt.toString('base64')},i=${this.iterations}`;
    this.first = fields + this.extension;
    return Buffer.from(this.first);
  }

  /** Checks the proof and gives the server-final message. */
  final(response: Buffer): Buffer {
    const text = response.toString();
    const [withoutProof = '', proof = ''] = text.split(',p=');
    const hmac = (key: Buffer, data: string) => createHmac(this.hash, key).update(data).digest();
    const length = { sha1: 20, sha256: 32, sha512: 64 }[this.hash];
    const salted = pbkdf2Sync(this.password, this.salt, this.iterations, length, this.hash);
    const clientKey = hmac(salted, 'Client Key');
    const authMessage = `${this.bare},${this.first},${withoutProof}`;
    const signature = hmac(createHash(this.hash).update(clientKey).digest(), authMessage);
    const expected = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64');
    if (proof !== expected) return Buffer.from('e=invalid-proof');
    return Buffer.from(`v=${hmac(hmac(salted, 'Server Key'), authMessage).toString('base64')}`);
  }
}

/** What a mechanism works with, unless a test says otherwise. */
export const mechanismSettings = (own: Partial<MechanismSettings> = {}): MechanismSettings => ({
  domain: 'example.com',
  username: 'user',
  password: 'pencil',
  certificate: null,
  offer: makeOffer([]),
  binding: { chosen: null, flag: 'n', suspicious: false, lacks: null },
  ...own,
});

/**
 * One run of a mechanism over the real exchange, step by step. Each step gives what the client says next, and rejects when
 * the run fails.
 */
export class MechanismRun {
  readonly settings: MechanismSettings;
  aborted = false;
  #over: Promise<Element> | null = null;
  #said: (element: Element) => void = () => undefined;
  #heard: ((element: Element) => void) | null = null;
  readonly #inbox: Element[] = [];

  constructor(
    readonly mechanism: Mechanism,
    own: Partial<MechanismSettings> = {},
  ) {
    this.settings = mechanismSettings(own);
  }

  get name(): string {
    return this.mechanism.name;
  }

  /** The initial response; null when there is none. */
  async start(): Promise<Buffer | null> {
    const said = this.#listenToClient();
    const stream: SaslStream = {
      send: (element) => {
        if (element.localName === 'abort') this.aborted = true;
        else this.#said(element);
      },
      next: () => this.#next(),
    };
    this.#over = runExchange(stream, SASL, this.mechanism, this.settings);
    const auth = await Promise.race([said, this.#over]);
    expect(auth.getAttribute('mechanism')).toBe(this.name);
    return auth.firstChild === null ? null : decode(auth);
  }

  /** What the client says to a challenge. */
  async challenge(data: Buffer): Promise<Buffer> {
    if (this.#over === null) throw new Error('it has not begun');
    const said = this.#listenToClient();
    this.#hear(sasl('challenge', data));
    return decode(await Promise.race([said, this.#over]));
  }

  /** Fulfils when the client takes the success. */
  async success(data: Buffer | null): Promise<void> {
    if (this.#over === null) throw new Error('it has not begun');
    this.#hear(sasl('success', data?.length === 0 ? '=' : (data ?? undefined)));
    expect((await this.#over).localName).toBe('success');
  }

  /** Never fulfils. */
  async failure(condition: string): Promise<void> {
    this.#hear(sasl('failure', undefined, sasl(condition)));
    await this.#over;
  }

  #hear(element: Element): void {
    const heard = this.#heard;
    this.#heard = null;
    if (heard === null) this.#inbox.push(element);
    else heard(element);
  }

  #next(): Promise<Element> {
    const element = this.#inbox.shift();
    if (element !== undefined) return Promise.resolve(element);
    return new Promise((resolve) => {
      this.#heard = resolve;
    });
  }

  #listenToClient(): Promise<Element> {
    return new Promise((resolve) => {
      this.#said = resolve;
    });
  }
}

const decode = (element: Element) => Buffer.from(element.textContent === '=' ? '' : element.textContent, 'base64');

/** A stream whose other end is a function from what was sent to what comes back. */
export class ScriptedStream implements SaslStream {
  readonly sent: Element[] = [];
  readonly secrets: boolean[] = [];
  readonly events: [string, unknown][] = [];
  #inbox: Element[] = [];

  constructor(readonly reply: (element: Element, stream: ScriptedStream) => Element[]) {}

  send(element: Element, { secret = false }: { secret?: boolean } = {}): void {
    this.sent.push(element);
    this.secrets.push(secret);
    this.#inbox.push(...this.reply(element, this));
  }

  next(): Promise<Element> {
    const element = this.#inbox.shift();
    return element === undefined ? Promise.reject(new Error('the script is over')) : Promise.resolve(element);
  }

  publish = (event: string, payload?: unknown): void => {
    this.events.push([event, payload]);
  };

  /** Names of what was sent. */
  get names(): string[] {
    return this.sent.map((element) => element.localName);
  }
}

/** An element of the SASL namespace. */
export const sasl = (name: string, text?: string | Buffer, ...children: Element[]): Element =>
  xml(name, { xmlns: NS.SASL }, typeof text === 'string' ? text : text?.toString('base64'), ...children);

/** Stream features that offer these mechanisms and channel bindings. */
export const featuresOf = (mechanisms: readonly string[], bindings?: readonly string[]): Element =>
  xml(
    'stream:features',
    { 'xmlns:stream': NS.STREAM },
    sasl('mechanisms', undefined, ...mechanisms.map((name) => sasl('mechanism', name))),
    bindings === undefined
      ? undefined
      : xml(
          'sasl-channel-binding',
          { xmlns: NS.SASL_CHANNEL_BINDING },
          bindings.map((type) => xml('channel-binding', { type })),
        ),
  );
