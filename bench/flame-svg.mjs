/** A CPU profile as a flame graph in SVG. */
const WIDTH = 960;
const ROW = 17;
const TOP = 44;

/** Frames that stand for less are left out. */
const LEAST = 0.005;

/** Width of a character, about. */
const CHARACTER = 6.4;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Where a function is: a folder of the package, Node, or the engine. */
function placeOf(url) {
  if (url.startsWith('node:')) return 'Node';
  const inside = /\/build\/(.*)\.js$/.exec(url)?.[1];
  if (inside !== undefined) return inside;
  if (url === '') return 'engine';
  return url.includes('node_modules') ? 'packages' : 'benchmark';
}

const COLOURS = { xml: '#f2c879', filters: '#9ec9a2', Node: '#c5cbd3', engine: '#dcdcdc', benchmark: '#eeeeee' };
const colourOf = (place) => COLOURS[place.split('/')[0]] ?? '#a9c4e6';

/** The tree of the samples, equal frames of one caller joined, without those that wait. */
function treeOf({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const self = new Map();
  for (const [i, id] of samples.entries()) self.set(id, (self.get(id) ?? 0) + timeDeltas[i]);
  const made = (name, place) => ({ name, place, total: 0, children: new Map() });
  const add = (into, { id, callFrame: { functionName, url }, children = [] }) => {
    if (functionName === '(idle)' || functionName === '(program)') return 0;
    const place = placeOf(url);
    // Whoever measures, and what Node does to call us, is one frame.
    const isOurs = !['benchmark', 'Node'].includes(place);
    const name = functionName === '' ? '(anonymous)' : functionName;
    const key = isOurs ? `${name} ${place}` : place;
    const joined = !isOurs && into.place === place;
    const frame = joined ? into : (into.children.get(key) ?? made(isOurs ? name : place, place));
    if (!joined) into.children.set(key, frame);
    let sum = self.get(id) ?? 0;
    for (const child of children) sum += add(frame, byId.get(child));
    if (!joined) frame.total += sum;
    return sum;
  };
  const root = made('all', '');
  for (const child of nodes[0].children ?? []) root.total += add(root, byId.get(child));
  return root;
}

/** @param text what was profiled */
export function flame(profile, text) {
  const root = treeOf(profile);
  const parts = [];
  let depth = 0;
  const draw = ({ total, children }, level, left) => {
    depth = Math.max(depth, level);
    let at = left;
    for (const frame of [...children.values()].sort((a, b) => b.total - a.total)) {
      const share = frame.total / root.total;
      if (share < LEAST) continue;
      const width = share * WIDTH;
      const where = frame.place === '' || frame.name === frame.place ? '' : ` (${frame.place})`;
      const letters = Math.floor((width - 4) / CHARACTER);
      const shown = letters < 3 ? '' : frame.name.slice(0, letters);
      const top = TOP + level * ROW;
      parts.push(
        `<g><title>${escape(frame.name)}${escape(where)}: ${(share * 100).toFixed(1)} %</title>` +
          `<rect x="${at.toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(frame.place)}"/>` +
          `${shown === '' ? '' : `<text x="${(at + 3).toFixed(1)}" y="${top + 12}">${escape(shown)}</text>`}</g>`,
      );
      draw(frame, level + 1, at);
      at += width;
    }
    // What is left is the function's own time, and what is too small.
    return total;
  };
  draw(root, 0, 0);
  const height = TOP + (depth + 1) * ROW;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11" fill="#222">`,
    `<title>${escape(text)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="4" y="18" font-size="15" font-weight="bold">${escape(text)}</text>`,
    `<text x="4" y="34">callers above, what they call below; the width is the share of CPU time. Yellow: XML, green: filters, blue: the rest of the package, grey: Node and the engine</text>`,
    ...parts,
    '</svg>',
  ].join('\n')}\n`;
}
