/** The part of @xmpp/client that the tests use. The package has no types of its own. */
declare module '@xmpp/client' {
  export interface ForeignElement {
    readonly name: string;
    readonly attrs: Readonly<Record<string, string | undefined>>;
    is(name: string, xmlns?: string): boolean;
    getChild(name: string, xmlns?: string): ForeignElement | undefined;
    getChildText(name: string, xmlns?: string): string | null;
    toString(): string;
  }

  export interface ForeignClient {
    readonly jid: { toString(): string } | null;
    readonly reconnect: { stop(): void };
    readonly iqCaller: { request(iq: ForeignElement, timeout?: number): Promise<ForeignElement> };
    readonly iqCallee: {
      get(xmlns: string, name: string, answer: (context: unknown) => ForeignElement | boolean): void;
    };
    start(): Promise<unknown>;
    stop(): Promise<unknown>;
    send(element: ForeignElement): Promise<void>;
    on(event: 'stanza', listener: (stanza: ForeignElement) => void): void;
    on(event: 'error', listener: (error: Error) => void): void;
  }

  export function client(options: {
    service: string;
    domain: string;
    username: string;
    password: string;
    resource?: string;
  }): ForeignClient;

  export function xml(
    name: string,
    attributes?: Record<string, string>,
    ...children: (ForeignElement | string)[]
  ): ForeignElement;
}
