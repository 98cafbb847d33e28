// What the server offers a client: RFC 6120 §6.3.3, XEP-0388 §2.1, XEP-0440.
import { xml } from '../xml/builder.js';
import type { Element } from '../xml/element.js';
import { NS } from '../xml/namespaces.js';
import type { Connection } from './connection.js';
import { channelBindings } from './sasl/channel-binding.js';
import { TOKEN_MECHANISMS } from './sasl/hashed-token.js';
import type { SaslContext } from './sasl/mechanism.js';
import { defaultMechanisms, MECHANISMS } from './sasl/mechanisms.js';
import type { Site } from './site.js';

/** What a client may sign in with, on this connection. */
export interface ClientOffer extends SaslContext {
  readonly starttls: 'required' | 'optional' | 'off';
  /** Whether SASL2 is offered. */
  readonly sasl2: boolean;
  /** Mechanisms for tokens; none where tokens are not offered. */
  readonly tokenMechanisms: readonly string[];
}

/** @param named whether the client has said who it is: tokens are for those only (XEP-0484 §4.1) */
export function offerTo({ stream }: Connection, site: Site, named: boolean): ClientOffer {
  const { settings } = site;
  const { tls } = stream;
  const isPlainTcp = tls === null && stream.framing.name === 'tcp';
  // RFC 7395 §3.9: TLS is below a WebSocket, or not at all.
  const starttls = isPlainTcp ? (settings.tls?.starttls ?? 'off') : 'off';
  const bindings = channelBindings(tls, site.tls?.settings.cert ?? '', settings.sasl.channelBindings);
  const certificate = tls === null ? null : (site.tls?.clientCertificate(tls) ?? null);
  const has = { account: true, certificate: certificate !== null, 'channel-binding': bindings.size > 0 };
  const possible = MECHANISMS.filter(({ needs }) => needs.every((need) => has[need])).map(({ name }) => name);
  const wanted = settings.mechanisms ?? defaultMechanisms(tls !== null);
  const mechanisms = wanted.filter((name) => possible.includes(name));
  const sasl2 = tls === null || mechanisms.length === 0 ? null : settings.sasl2;
  return {
    accounts: site.accounts,
    realm: settings.domain,
    certificate,
    mechanisms: starttls === 'required' ? [] : mechanisms,
    bindings,
    bindingsListed: settings.sasl.listChannelBindings && bindings.size > 0,
    signOffer: settings.sasl.signOffer,
    finalData: settings.sasl.finalData,
    tokens: null,
    starttls,
    sasl2: sasl2 !== null,
    tokenMechanisms: named ? tokenMechanisms(bindings, sasl2?.fast?.mechanisms ?? []) : [],
  };
}

function tokenMechanisms(bindings: ReadonlyMap<string, Buffer>, wanted: readonly string[]): string[] {
  const possible = TOKEN_MECHANISMS.filter(({ binding }) => binding === null || bindings.has(binding));
  return possible.map(({ name }) => name).filter((name) => wanted.includes(name));
}

/** Stream features before the sign-in. */
export function featuresFor(site: Site, offer: ClientOffer): Element {
  const { starttls, mechanisms, bindings, bindingsListed, sasl2 } = offer;
  return xml(
    'stream:features',
    { 'xmlns:stream': NS.STREAM },
    starttls !== 'off' && xml('starttls', { xmlns: NS.TLS }, starttls === 'required' && xml('required')),
    sasl2 && authentication(site, offer),
    mechanisms.length > 0 && xml('mechanisms', { xmlns: NS.SASL }, list(mechanisms)),
    bindingsListed &&
      xml(
        'sasl-channel-binding',
        { xmlns: NS.SASL_CHANNEL_BINDING },
        [...bindings.keys()].map((type) => xml('channel-binding', { type })),
      ),
    site.legacy?.announced === true && starttls !== 'required' && xml('auth', { xmlns: NS.FEATURE_IQ_AUTH }),
  );
}

function authentication({ settings }: Site, { mechanisms, tokenMechanisms }: ClientOffer): Element {
  const { streamManagement } = settings;
  const enables = streamManagement !== null && xml('feature', { var: NS.SM });
  return xml(
    'authentication',
    { xmlns: NS.SASL2 },
    list(mechanisms),
    xml(
      'inline',
      {},
      settings.sasl2?.bind2 === true && xml('bind', { xmlns: NS.BIND2 }, xml('inline', {}, enables)),
      streamManagement?.resume === true && xml('sm', { xmlns: NS.SM }),
      tokenMechanisms.length > 0 && xml('fast', { xmlns: NS.FAST }, list(tokenMechanisms)),
    ),
  );
}

const list = (names: readonly string[]): Element[] => names.map((name) => xml('mechanism', {}, name));

/** Stream features behind the sign-in. @param bound whether the client has an address already */
export function laterFeatures({ settings }: Site, bound: boolean): Element {
  const { session } = settings.bind;
  return xml(
    'stream:features',
    { 'xmlns:stream': NS.STREAM },
    !bound && [
      xml('bind', { xmlns: NS.BIND }),
      session !== 'off' ? xml('session', { xmlns: NS.SESSION }, session === 'optional' && xml('optional')) : null,
      settings.streamManagement === null ? null : xml('sm', { xmlns: NS.SM }),
    ],
    xml('csi', { xmlns: NS.CSI }),
  );
}
