import { JID } from '../jid/jid.js';
import { Accounts } from './accounts.js';
import type { LoopbackEvents } from './events.js';
import { Hub } from './hub.js';
import { LegacyAuth } from './legacy-auth.js';
import { Resumption } from './resumption.js';
import type { RouterLink } from './router-link.js';
import { answerRequest } from './service.js';
import type { Host } from './services/host.js';
import { Services } from './services/services.js';
import type { Settings } from './settings.js';
import type { StreamFault } from './stream-fault.js';
import { Tokens } from './tokens.js';
import type { TlsIdentity } from './tls-identity.js';

/** When new client streams are refused. */
export type RefusalStage = 'open' | 'tls' | 'authenticated';

/** What everything that serves a connection shares. */
export interface Site {
  readonly settings: Settings;
  readonly hub: Hub;
  /** Users of the client ports. */
  readonly accounts: Accounts;
  /** Users of the router port. */
  readonly routerAccounts: Accounts;
  /** Secrets by component. */
  readonly secrets: Map<string, string>;
  readonly services: Services;
  readonly resumption: Resumption;
  readonly legacy: LegacyAuth | null;
  /** Tokens for the next sign-in (XEP-0484), or null where there are none. */
  readonly tokens: Tokens | null;
  readonly tls: TlsIdentity | null;
  /** Every link to the router. */
  readonly routers: Set<RouterLink>;
  /** What new client streams are refused with, if they are. */
  refusal: { readonly fault: StreamFault; readonly stage: RefusalStage } | null;
  /** Plays the server's part behind the sign-ins, if something does: then nothing is routed, answered or announced. */
  script: Script | null;
  publish<Name extends keyof LoopbackEvents>(event: Name, payload: LoopbackEvents[Name]): void;
}

/** What takes the place of the server's own doing. It hears by the events. */
export interface Script {
  /** The address that a client gets, whatever it asks for; null leaves that to the server. */
  address(): JID | null;
}

/** Everything a server with these settings needs, with nobody connected. */
export function createSite(settings: Settings, tls: TlsIdentity | null, publish: Site['publish']): Site {
  const { domain, sasl } = settings;
  const accounts = new Accounts(domain, sasl.iterations);
  for (const [name, password] of Object.entries(settings.accounts ?? {})) accounts.set(name, password);
  const routerAccounts = new Accounts(domain, sasl.iterations);
  for (const [name, { password }] of Object.entries(settings.routerUsers ?? {})) routerAccounts.set(name, password);
  const secrets = new Map(Object.entries(settings.components ?? {}));
  const routers = new Set<RouterLink>();
  const hub: Hub = new Hub({
    domain,
    ask: (request, to) => {
      if (services.ask(request, to)) return true;
      const names = [...new Set([...hub.names, ...secrets.keys(), ...hub.services])];
      const { features, accountFeatures } = services;
      const answer = answerRequest(request, to, { names, features, accountFeatures });
      if (answer !== null) hub.route(answer);
      return answer !== null;
    },
    subscription: (presence, to) => services.inbound(presence, to),
    incoming: (message, to) => services.incoming(message, to),
    keep: (message, to) => services.keep(message, to),
    undeliverable: (stanza, condition) => publish('undeliverable', { stanza, condition }),
    knows: (name) => secrets.has(name),
    bound: (name, link) => {
      for (const router of routers) if (router !== link) router.announce(name, true);
    },
    gone: (name) => {
      for (const router of routers) router.announce(name, false);
      publish('ended', { jid: new JID(null, name) });
    },
  });
  const host: Host = {
    domain,
    route: (stanza) => hub.route(stanza),
    addService: (name, service) => hub.addService(name, service),
    resources: (account) => hub.sessions(account),
    hasAccount: (name) => accounts.has(name) || hub.sessions(name).length > 0,
  };
  const services = new Services(host, settings.services);
  return {
    settings,
    hub,
    accounts,
    routerAccounts,
    secrets,
    services,
    resumption: new Resumption(),
    legacy: settings.legacy === null ? null : new LegacyAuth(accounts, settings.legacy),
    tokens: settings.sasl2?.fast == null ? null : new Tokens(settings.sasl2.fast),
    tls,
    routers,
    refusal: null,
    script: null,
    publish,
  };
}
