/** A plot as SVG: lines over logarithmic axes. */

const WIDTH = 760;
const HEIGHT = 460;
const MARGIN = { left: 70, right: 210, top: 50, bottom: 60 };
const COLOURS = ['#1f5fa8', '#c2571a', '#2f7d4f', '#8a3f8f', '#7a6a1f', '#5b5b5b', '#b0304a'];

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Powers of ten that enclose the values. */
function decades(values) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  return Array.from({ length: Math.max(1, high - low) + 1 }, (_, i) => low + i);
}

/**
 * @param series `{ name, points: [[x, y], …] }`; one point alone is a line over the whole width
 * @param xs names of the places on the horizontal axis, left to right; a point's x is one of them
 */
export function plot({ title, x, y, xs, series }) {
  const marks = decades(series.flatMap(({ points }) => points.map(([, value]) => value)));
  const [low, high] = [marks[0], marks[marks.length - 1]];
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const across = (name) => MARGIN.left + ((right - MARGIN.left) * (xs.indexOf(name) + 0.5)) / xs.length;
  const up = (value) => bottom - ((bottom - MARGIN.top) * (Math.log10(value) - low)) / (high - low);
  const text = (left, top, content, more = '') =>
    `<text x="${left.toFixed(1)}" y="${top.toFixed(1)}" ${more}>${escape(content)}</text>`;
  const line = (x1, y1, x2, y2, more) =>
    `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${more}/>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(MARGIN.left, 24, title, 'font-size="15" font-weight="bold"'),
    text(MARGIN.left, 42, y),
    text((MARGIN.left + right) / 2, HEIGHT - 16, x, 'text-anchor="middle"'),
  ];
  for (const mark of marks) {
    const top = up(10 ** mark);
    parts.push(line(MARGIN.left, top, right, top, 'stroke="#ddd"'));
    parts.push(text(MARGIN.left - 8, top + 4, (10 ** mark).toLocaleString('en'), 'text-anchor="end"'));
  }
  for (const name of xs) parts.push(text(across(name), bottom + 20, name, 'text-anchor="middle"'));
  const labels = [];
  for (const [index, { name, points }] of series.entries()) {
    const stroke = `stroke="${COLOURS[index % COLOURS.length]}"`;
    if (points.length === 1) {
      const top = up(points[0][1]);
      parts.push(line(MARGIN.left, top, right, top, `${stroke} stroke-width="1.5" stroke-dasharray="6 4"`));
    } else {
      const path = points.map(([at, value]) => `${across(at).toFixed(1)},${up(value).toFixed(1)}`).join(' ');
      parts.push(`<polyline points="${path}" fill="none" ${stroke} stroke-width="2"/>`);
    }
    for (const [at, value] of points) {
      if (points.length > 1) {
        parts.push(
          `<circle cx="${across(at).toFixed(1)}" cy="${up(value).toFixed(1)}" r="3" fill="${COLOURS[index % COLOURS.length]}"/>`,
        );
      }
    }
    labels.push({ name, top: up(points[points.length - 1][1]), colour: COLOURS[index % COLOURS.length] });
  }
  // Labels stand at the height of their lines, but never on each other.
  labels.sort((a, b) => a.top - b.top);
  let free = 0;
  for (const { name, top, colour } of labels) {
    const at = Math.max(top, free);
    free = at + 16;
    parts.push(text(right + 8, at + 4, name, `fill="${colour}"`));
  }
  return `${[...parts, '</svg>'].join('\n')}\n`;
}
