// Finds links of the built site that lead nowhere: pages, anchors, pictures, scripts.
import { readdirSync, readFileSync } from 'node:fs';
import { posix, sep } from 'node:path';

/** @returns a line for each link that leads nowhere, and the count of all that lead somewhere within the site */
export function checkLinks(site) {
  const files = readdirSync(site, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(site.length + 1).replaceAll(sep, '/'));
  const present = new Set(files);
  const pages = files
    .filter((file) => file.endsWith('.html'))
    .map((file) => {
      const html = readFileSync(`${site}/${file}`, 'utf8');
      return { file, html, ids: new Set([...html.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => unescaped(id))) };
    });
  const ids = new Map(pages.map((page) => [page.file, page.ids]));
  let count = 0;
  const broken = pages.flatMap(({ file, html }) =>
    [...html.matchAll(/\s(?:href|src)="([^"]*)"/g)].flatMap(([, escaped]) => {
      const link = unescaped(escaped);
      if (/^(?:https?|mailto|data):/.test(link)) return [];
      count += 1;
      const [path, anchor = ''] = link.split('#');
      const to = path === '' ? file : posix.join(posix.dirname(file), decodeURIComponent(path));
      const page = to === '.' || to.endsWith('/') ? posix.join(to, 'index.html') : to;
      if (!present.has(page)) return [`${file}: ${link}: there is no ${page}`];
      const known = ids.get(page);
      const isThere = anchor === '' || known === undefined || known.has(decodeURIComponent(anchor));
      return isThere ? [] : [`${file}: ${link}: there is no such place on the page`];
    }),
  );
  return { broken: [...new Set(broken)], count };
}

const unescaped = (text) =>
  text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
