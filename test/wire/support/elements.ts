import { NS } from 'xmpp-broker';

/** Stream features, as a server writes them. */
export const features = (...inner: readonly string[]): string => `<stream:features>${inner.join('')}</stream:features>`;

export const STARTTLS = `<starttls xmlns='${NS.TLS}'/>`;
export const PROCEED = `<proceed xmlns='${NS.TLS}'/>`;
export const BIND = `<bind xmlns='${NS.BIND}'/>`;
export const SM = `<sm xmlns='${NS.SM}'/>`;

export const mechanisms = (...names: readonly string[]): string =>
  `<mechanisms xmlns='${NS.SASL}'>${names.map((name) => `<mechanism>${name}</mechanism>`).join('')}</mechanisms>`;

export const streamError = (condition: string, rest = ''): string =>
  `<stream:error><${condition} xmlns='${NS.STREAMS}'/>${rest}</stream:error>`;

/** Our opening tag, however it is written. */
export const OPENING = /<stream:stream[^>]*>/;
