// Shows the built site on the loopback, and nothing else.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};
const PLAIN = 'text/plain; charset=utf-8';

/** The file that a path of the site means; null for what is not of the site. */
function fileOf(site, url) {
  try {
    const path = decodeURIComponent(new URL(url, 'http://site').pathname);
    const file = normalize(join(site, path.endsWith('/') ? `${path}index.html` : path));
    return file.startsWith(site + sep) && existsSync(file) && statSync(file).isFile() ? file : null;
  } catch {
    return null;
  }
}

/** @returns a server that is about to listen on the loopback */
export function serve(site, port) {
  const server = createServer(({ url = '/', method }, response) => {
    const file = method === 'GET' || method === 'HEAD' ? fileOf(site, url) : null;
    if (file === null) {
      response.writeHead(404, { 'content-type': PLAIN }).end('There is no such page.\n');
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? PLAIN });
    if (method === 'HEAD') response.end();
    else
      createReadStream(file)
        .on('error', () => response.destroy())
        .pipe(response);
  });
  return server.listen(port, '127.0.0.1');
}
