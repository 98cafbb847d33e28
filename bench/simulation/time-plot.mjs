/** Lines over time, in panels one below the other; heights are logarithmic. */

const WIDTH = 760;
const PANEL = 250;
const MARGIN = { left: 80, right: 220, top: 70, between: 50, bottom: 50 };
const COLOURS = ['#5b5b5b', '#1f5fa8', '#2f7d4f', '#c2571a', '#8a3f8f', '#7a6a1f', '#b0304a'];

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const text = (x, y, content, more = '') =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escape(content)}</text>`;
const line = (x1, y1, x2, y2, more) =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" ${more}/>`;

/** Points that draw the same line: those on a level are left out, and the line ends where everything is over. */
function drawn(points) {
  const last = points.findLastIndex(([, value]) => value > 0);
  const list = points.slice(0, last + 2);
  return list.filter(([, value], i) => value !== list[i - 1]?.[1] || value !== list[i + 1]?.[1]);
}

/** @param panels `{ y, series: [{ name, points: [[seconds, value], …] }] }` */
export function timePlot({ title, note, panels }) {
  const lines = panels.map(({ series }) => series.map(({ points }) => drawn(points)));
  const end = Math.ceil(Math.max(...lines.flat(2).map(([at]) => at)) / 10) * 10;
  const right = WIDTH - MARGIN.right;
  const height = MARGIN.top + panels.length * PANEL + (panels.length - 1) * MARGIN.between + MARGIN.bottom;
  const across = (at) => MARGIN.left + ((right - MARGIN.left) * at) / end;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12" fill="#222">`,
    `<title>${escape(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    text(MARGIN.left, 22, title, 'font-size="15" font-weight="bold"'),
    text(MARGIN.left, 42, note, 'fill="#555"'),
  ];
  for (const [index, { y, series }] of panels.entries()) {
    const top = MARGIN.top + index * (PANEL + MARGIN.between);
    const bottom = top + PANEL;
    const highest = Math.ceil(Math.log10(Math.max(...lines[index].flat().map(([, value]) => value))));
    // One is the lowest that is shown; nothing lies below it.
    const up = (value) => bottom - (PANEL * Math.max(0, Math.log10(Math.max(value, 0.5)) + 0.3)) / (highest + 0.3);
    parts.push(text(MARGIN.left, top - 8, y));
    for (let power = 0; power <= highest; power += 1) {
      parts.push(line(MARGIN.left, up(10 ** power), right, up(10 ** power), 'stroke="#ddd"'));
      parts.push(text(MARGIN.left - 8, up(10 ** power) + 4, (10 ** power).toLocaleString('en'), 'text-anchor="end"'));
    }
    for (let at = 0; at <= end; at += end > 100 ? 20 : 10) {
      parts.push(line(across(at), bottom, across(at), bottom + 4, 'stroke="#888"'));
      parts.push(text(across(at), bottom + 18, String(at), 'text-anchor="middle"'));
    }
    for (const [number, { name }] of series.entries()) {
      const colour = COLOURS[number % COLOURS.length];
      const path = lines[index][number]
        .map(([at, value]) => `${across(at).toFixed(1)},${up(value).toFixed(1)}`)
        .join(' ');
      parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.6"/>`);
      if (index > 0) continue;
      parts.push(
        line(
          right + 14,
          top + 12 + number * 20,
          right + 34,
          top + 12 + number * 20,
          `stroke="${colour}" stroke-width="2.5"`,
        ),
      );
      parts.push(text(right + 40, top + 16 + number * 20, name));
    }
  }
  parts.push(text((MARGIN.left + right) / 2, height - 12, 'seconds', 'text-anchor="middle"'));
  return `${[...parts, '</svg>'].join('\n')}\n`;
}
