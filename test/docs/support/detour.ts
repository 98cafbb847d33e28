// Loaded into the programs of the documentation before they run. They name hosts and ports as users do; here all of them
// lead to the loopback server of the test.
import dns from 'node:dns';
import net from 'node:net';

const ports = JSON.parse(process.env['DETOUR'] ?? '{}') as Record<string, number>;

type Connect = (this: net.Socket, ...args: unknown[]) => net.Socket;
const prototype = net.Socket.prototype as unknown as { connect: Connect };
const { connect } = prototype;

prototype.connect = function (...args) {
  const given: unknown = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
  if (typeof given === 'object' && given !== null && 'port' in given) {
    const to = given as { host?: string; port: number };
    const port = ports[String(to.port)];
    if (port !== undefined) {
      to.port = port;
      to.host = '127.0.0.1';
    }
  }
  return connect.apply(this, args);
};

const notFound = (name: string) => Object.assign(new Error(`queryAny ENOTFOUND ${name}`), { code: 'ENOTFOUND' });
dns.promises.Resolver.prototype.resolveSrv = (name: string) => Promise.reject(notFound(name));
dns.promises.lookup = (() =>
  Promise.resolve([{ address: '127.0.0.1', family: 4 }])) as unknown as typeof dns.promises.lookup;
