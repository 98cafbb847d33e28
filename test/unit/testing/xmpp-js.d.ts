/** What the tests of the loopback server use of xmpp.js beside what is declared elsewhere: it brings no types. */
declare module '@xmpp/component' {
  import type { ForeignElement } from '@xmpp/client';
  export function component(options: { service: string; domain: string; password: string }): {
    on(event: 'error', listener: (error: Error) => void): void;
    on(event: 'stanza', listener: (stanza: ForeignElement) => void): void;
    start(): Promise<unknown>;
    stop(): Promise<unknown>;
    send(element: ForeignElement): Promise<void>;
  };
}

declare module '@xmpp/client' {
  interface ForeignClient {
    readonly streamManagement: { enabled: boolean; on(event: 'resumed' | 'fail', listener: () => void): void };
    on(event: 'online' | 'disconnect' | 'offline', listener: () => void): void;
  }
}
