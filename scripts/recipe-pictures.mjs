// `node scripts/recipe-pictures.mjs`: draws the recipes of scripts/recipes.mjs as docs/pictures/RECIPE.svg. A test compares.
import { mkdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { RECIPES } from './recipes.mjs';

const BOX = { width: 130, height: 66 };
const STEP = { across: 200, down: 92 };
const MARGIN = { left: 20, top: 64, bottom: 22 };
const FILLS = { program: '#eef3fa', nats: '#fdf3e3', broker: '#e6f4ea', idle: '#f4f4f4', server: '#f3eaf7' };
const STROKES = { program: '#1f5fa8', nats: '#b26a00', broker: '#2f7d4f', idle: '#8a8a8a', server: '#7a3f8f' };

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Edges of the box of a node. */
function boxOf({ at: [column, row] }) {
  const left = MARGIN.left + column * STEP.across;
  const top = MARGIN.top + row * STEP.down;
  return { left, top, right: left + BOX.width, middle: top + BOX.height / 2 };
}

function drawnNode(node) {
  const { left, top, middle } = boxOf(node);
  const dash = node.kind === 'idle' ? ' stroke-dasharray="5 4"' : '';
  const first = middle - ((node.text.length - 1) * 16) / 2 + 4;
  return [
    `<rect x="${left}" y="${top}" width="${BOX.width}" height="${BOX.height}" rx="6" fill="${FILLS[node.kind]}" stroke="${STROKES[node.kind]}"${dash}/>`,
    ...node.text.map((text, i) => {
      const weight = i === 0 ? ' font-weight="bold"' : '';
      return `<text x="${left + BOX.width / 2}" y="${first + i * 16}" text-anchor="middle"${weight}>${escape(text)}</text>`;
    }),
  ];
}

/** From side to side; lines to one box end a little apart. */
function drawnLine({ from, to, waits = false, both = false, many = false }, nodes) {
  const [start, end] = [from, to].map((id) => nodes.find((node) => node.id === id));
  const [a, b] = [boxOf(start), boxOf(end)];
  const isLeftwards = b.left < a.left;
  const [x1, x2] = isLeftwards ? [a.left, b.right] : [a.right, b.left];
  const apart = (one, other) => Math.max(-18, Math.min(18, (other.middle - one.middle) / 5));
  const [y1, y2] = [a.middle + apart(a, b), b.middle + apart(b, a)];
  const gap = isLeftwards ? -4 : 4;
  const style = `stroke="${waits ? '#aaa' : '#444'}" stroke-width="1.4"${waits ? ' stroke-dasharray="5 4"' : ''}`;
  const tips = `${both ? ' marker-start="url(#tip)"' : ''} marker-end="url(#tip)"`;
  const shifts = many ? [-7, 0, 7] : [0];
  return shifts.map(
    (shift) =>
      `<line x1="${x1 + gap}" y1="${(y1 + shift).toFixed(1)}" x2="${x2 - gap}" y2="${(y2 + shift).toFixed(1)}" ${style}${tips}/>`,
  );
}

/** The picture of a recipe. */
export function pictureOf({ title, caption, nodes, lines }) {
  const width = Math.max(...nodes.map((node) => boxOf(node).right)) + MARGIN.left;
  const height = Math.max(...nodes.map((node) => boxOf(node).top)) + BOX.height + MARGIN.bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<title>${escape(`${title}: ${caption}`)}</title>`,
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="#444"/></marker></defs>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${MARGIN.left}" y="24" font-size="15" font-weight="bold">${escape(title)}</text>`,
    `<text x="${MARGIN.left}" y="44" fill="#555">${escape(caption)}</text>`,
    ...lines.flatMap((line) => drawnLine(line, nodes)),
    ...nodes.flatMap(drawnNode),
    '</svg>',
    '',
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = new URL('../docs/pictures/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  for (const [name, recipe] of Object.entries(RECIPES))
    writeFileSync(new URL(`${name}.svg`, folder), pictureOf(recipe));
}
