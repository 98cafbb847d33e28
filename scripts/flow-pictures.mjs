// `node scripts/flow-pictures.mjs`: draws scripts/flows.mjs, and the orders of events that docs/events.md prints, as
// docs/pictures/flow-*.svg. A test compares. They have a ground of their own, so they can be read on any page, and
// follow the reader's wish for dark.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { CHANGES, DIALECTS, LIFE, PARTS, STATES, STREAMS } from './flows.mjs';

const BOX = { width: 128, height: 52 };
const STEP = { across: 172, down: 88 };
const TOP = 52;
const SIDE = 20;
const MARKS = `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" class="tip"/></marker></defs>`;
const STYLE = `<style>
svg{--ground:#fff;--text:#1b1f24;--soft:#59636e;--line:#59636e;--program:#ddebfa;--out:#fdefd8;--in:#dff3e4;--wire:#eee3f5;--idle:#f0f1f3}
@media (prefers-color-scheme:dark){svg{--ground:#1b1f24;--text:#e6edf3;--soft:#a3adb8;--line:#a3adb8;--program:#1d3a5c;--out:#57400f;--in:#1b4a2c;--wire:#43305a;--idle:#30363d}}
text{fill:var(--text);font:12px sans-serif}.soft{fill:var(--soft)}.bold{font-weight:bold}.title{font:bold 15px sans-serif}.ground{fill:var(--ground)}
rect.box{stroke:var(--line)}.line{stroke:var(--line);stroke-width:1.4;fill:none}.tip{fill:var(--line)}
${['program', 'out', 'in', 'wire', 'idle'].map((kind) => `.${kind}{fill:var(--${kind})}`).join('')}.calm{fill:var(--idle)}.idle{stroke-dasharray:5 4}
</style>`;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const text = (x, y, words, mark = '', anchor = 'start') =>
  `<text x="${x}" y="${y}"${mark === '' ? '' : ` class="${mark}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escape(words)}</text>`;
const box = (x, y, width, height, kind) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" class="box ${kind}"/>`;

function picture(width, height, title, caption, parts) {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(`${title}: ${caption}`)}</title>`,
    STYLE,
    MARKS,
    `<rect width="${width}" height="${height}" rx="8" class="ground"/>`,
    text(SIDE, 26, title, 'title'),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

const centre = ({ at: [column, row] }) => ({
  x: SIDE + column * STEP.across + BOX.width / 2,
  y: TOP + row * STEP.down + BOX.height / 2,
});

/** Where a line from a box's middle leaves it, on the way to a point. */
function edge(from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const share = Math.min((BOX.width / 2 + 3) / Math.abs(dx || 1e-9), (BOX.height / 2 + 3) / Math.abs(dy || 1e-9));
  return { x: from.x + dx * share, y: from.y + dy * share };
}

/** An arrow from box to box, shifted to its right by so much, with words at its middle. */
function arrow(from, to, shift = 0, words = '') {
  const [a, b] = [centre(from), centre(to)];
  const length = Math.hypot(b.x - a.x, b.y - a.y);
  const [sx, sy] = [(-(b.y - a.y) / length) * shift, ((b.x - a.x) / length) * shift];
  const [start, end] = [edge(a, b), edge(b, a)];
  const [x1, y1, x2, y2] = [start.x + sx, start.y + sy, end.x + sx, end.y + sy].map((n) => Math.round(n));
  const [x, y] = [Math.round((x1 + x2) / 2), Math.round((y1 + y2) / 2)];
  const beside =
    Math.abs(y2 - y1) > 40
      ? text(x + 9, y - 5, words, 'soft')
      : text(x, y + (sy > 0 ? 15 : -6), words, 'soft', 'middle');
  const label = words === '' ? [] : [beside];
  return [`<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="line" marker-end="url(#tip)"/>`, ...label];
}

function node({ at, text: lines, kind }) {
  const { x, y } = centre({ at });
  const first = y + 4 - (lines.length - 1) * 8;
  return [
    box(x - BOX.width / 2, y - BOX.height / 2, BOX.width, BOX.height, kind),
    ...lines.map((line, i) => text(x, first + i * 16, line, i === 0 ? 'bold' : 'soft', 'middle')),
  ];
}

const size = (nodes) => ({
  width: Math.max(...nodes.map((one) => centre(one).x)) + BOX.width / 2 + SIDE,
  height: Math.max(...nodes.map((one) => centre(one).y)) + BOX.height / 2 + SIDE,
});

function dataFlow() {
  const { width, height } = size(PARTS);
  const named = new Map(PARTS.map((part) => [part.id, part]));
  const lines = STREAMS.flatMap(([from, to]) => arrow(named.get(from), named.get(to)));
  return picture(width, height, 'How data flows', 'out above, in below, one direction each', [
    ...lines,
    ...PARTS.flatMap(node),
  ]);
}

function ticket() {
  const { width, height } = size(STATES);
  const named = new Map(STATES.map((state) => [state.id, state]));
  const isBoth = ({ from, to }) => CHANGES.some((other) => other.from === to && other.to === from);
  const lines = CHANGES.flatMap((change) => {
    const [from, to] = [named.get(change.from), named.get(change.to)];
    return arrow(from, to, isBoth(change) ? 9 : 0, change.when);
  });
  return picture(
    width,
    height,
    'The states of a ticket',
    CHANGES.map(({ from, to }) => `${from} to ${to}`).join(', '),
    [...lines, ...STATES.flatMap(node)],
  );
}

function life() {
  const row = 46;
  const parts = LIFE.flatMap(({ event, ticket: state, text: words }, i) => {
    const y = TOP + i * row;
    const next =
      i === LIFE.length - 1 || LIFE[i + 1].event === 'match'
        ? []
        : [
            `<line x1="${SIDE + 80}" y1="${y + 32}" x2="${SIDE + 80}" y2="${y + row - 2}" class="line" marker-end="url(#tip)"/>`,
          ];
    return [
      box(SIDE, y, 160, 30, event === null ? 'idle' : state === '' ? 'in' : 'out'),
      text(
        SIDE + 80,
        y + 19,
        event === 'match' ? 'your match() handler' : event === null ? 'ticket' : `PCJ_${event}`,
        'bold',
        'middle',
      ),
      text(SIDE + 176, y + 19, words),
      text(560, y + 19, state, 'soft'),
      ...next,
    ];
  });
  const caption = LIFE.map(({ event, ticket: state }) => event ?? state).join(', ');
  return picture(640, TOP + LIFE.length * row + 4, "A stanza's life, and the state of its ticket", caption, parts);
}

/** What an event is about, by its name. */
const ABOUT = [
  [/^CONNECT/, 'calm'],
  [/^STREAM|^NODESENT$/, 'program'],
  [/^SSL/, 'wire'],
  [/^AUTH/, 'out'],
  [/./, 'in'],
];

/** The order of events that a page prints. */
function printed(order) {
  const page = readFileSync(new URL('../docs/events.md', import.meta.url), 'utf8');
  const block = page.split(`<!-- order: ${order} -->\n\`\`\`text\n`)[1]?.split('```')[0];
  if (block === undefined) throw new Error(`docs/events.md prints no order ${order}`);
  return block.trim().split(/\s+/);
}

function events() {
  const [across, row] = [176, 25];
  const columns = DIALECTS.map(({ order, title }) => ({ title, names: printed(order) }));
  const parts = columns.flatMap(({ title, names }, column) => {
    const x = SIDE + column * across;
    return [
      text(x + 78, TOP + 8, title, 'bold', 'middle'),
      ...names.flatMap((name, i) => {
        const y = TOP + 18 + i * row;
        const [, kind] = ABOUT.find(([pattern]) => pattern.test(name));
        return [box(x, y, 156, 19, kind), text(x + 78, y + 14, name, '', 'middle')];
      }),
    ];
  });
  const most = Math.max(...columns.map(({ names }) => names.length));
  const caption = columns.map(({ title, names }) => `${title}: ${names.join(' ')}`).join('. ');
  const height = TOP + 30 + most * row;
  return picture(
    SIDE + DIALECTS.length * across,
    height,
    'From connect() to PCJ_READY, without the prefix PCJ_',
    caption,
    parts,
  );
}

/** Each picture by the name of its file. */
export const pictures = () => ({
  'flow-data': dataFlow(),
  'flow-ticket': ticket(),
  'flow-stanza': life(),
  'flow-events': events(),
});

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  for (const [name, svg] of Object.entries(pictures())) {
    writeFileSync(new URL(`../docs/pictures/${name}.svg`, import.meta.url), svg);
  }
}
