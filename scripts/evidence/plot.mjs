// Plots as SVG, without anything to install.

const WIDTH = 720;
const LEFT = 250;
const ROW = 22;
const FONT = 'font-family="sans-serif" font-size="12"';

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const text = (x, y, anchor, what) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${escape(what)}</text>`;

const frame = (height, what, inner) =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" ${FONT} role="img" aria-label="${escape(what)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    ...inner,
    '</svg>',
    '',
  ].join('\n');

/** One bar for each row, on a scale of powers of ten. What is wrong is red. */
export function bars(rows, unit) {
  const most = Math.max(1, ...rows.map(({ value }) => Math.log10(1 + value)));
  const room = WIDTH - LEFT - 90;
  const inner = rows.flatMap(({ name, value, wrong }, index) => {
    const y = 10 + index * ROW;
    const length = Math.round((Math.log10(1 + value) / most) * room);
    const colour = wrong > 0 ? '#c22' : '#26a';
    return [
      text(LEFT - 8, y + 14, 'end', name),
      `<rect x="${LEFT}" y="${y + 3}" width="${length}" height="${ROW - 6}" fill="${colour}"/>`,
      text(LEFT + length + 6, y + 14, 'start', `${value.toLocaleString('en')}${wrong > 0 ? `, ${wrong} wrong` : ''}`),
    ];
  });
  return frame(20 + rows.length * ROW + 16, unit, [...inner, text(LEFT, 24 + rows.length * ROW, 'start', unit)]);
}

const COLOURS = ['#26a', '#c52', '#283', '#829', '#888', '#b80'];

/** Values over their place in a sequence; `bound` is drawn as a line across. */
export function lines(series, { unit, bound }) {
  const height = 260;
  const values = series.flatMap((one) => one.values);
  const most = Math.max(bound ?? 0, ...values) * 1.05 || 1;
  const x = (index, of) => Math.round(60 + (index / Math.max(1, of - 1)) * (WIDTH - 340));
  const y = (value) => Math.round(height - 30 - (value / most) * (height - 50));
  const curves = series.flatMap(({ name, values }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const points = values.map((value, at) => `${x(at, values.length)},${y(value)}`).join(' ');
    return [
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${WIDTH - 265}" y="${30 + index * 18}" fill="${colour}">${escape(name)}</text>`,
    ];
  });
  const limit =
    bound === undefined
      ? []
      : [
          `<line x1="60" x2="${WIDTH - 280}" y1="${y(bound)}" y2="${y(bound)}" stroke="#c22" stroke-dasharray="4"/>`,
          text(54, y(bound) + 4, 'end', String(bound)),
        ];
  return frame(height, unit, [
    text(54, y(0) + 4, 'end', '0'),
    text(60, height - 8, 'start', unit),
    ...limit,
    ...curves,
  ]);
}
