// Charts of what may come: bars, marks across them (a plan, a forecast), and intervals.

// An interval that is wider than so many times all else would leave nothing else to see.
const WIDEST_INTERVAL = 2.5;

// Figures by place on the axis. Parts are stacked: name, values, color; marks: name, values, color,
// symbol, size; bounds: name, values (pairs or null), color.
function intervalChart(ticks, heads, { parts, marks, bounds, unit, wide = false, stackName = null }) {
  const all = [...parts, ...marks];
  const spans = bounds.values.map((pair, at) => (pair ? [at, ...pair] : null)).filter((span) => span && span[2] > span[1]);
  if (!all.some((item) => item.values.some((value) => isGiven(value) && value !== 0)) && !spans.length) return null;
  const stack = (at) => parts.reduce((sum, item) => sum + Math.max(0, item.values[at] || 0), 0);
  const most = Math.max(...ticks.map((_, at) => Math.max(stack(at), ...marks.map((item) => item.values[at] || 0))));
  const isCut = spans.some(([, , high]) => high > WIDEST_INTERVAL * most);
  const step = isCut ? roundStep((1.5 * most) / 4) : undefined;
  const names = [...all.map((item) => item.name), ...(spans.length ? [bounds.name] : [])];
  const blank = new Set(all.filter((item) => !item.values.some(isGiven)).map((item) => item.name));
  const named = (text) => (blank.has(text) ? `${text} — ${t("no_figures")}` : text);
  const between = (pair) => (pair ? `${inUnit(pair[0], unit, true)} – ${inUnit(pair[1], unit, true)}` : nothing);
  const option = {
    legend: legend(names, named),
    grid: { left: 4, right: 10, top: belowLegend(names.map(named), chartWidth(wide)), bottom: 0, containLabel: true },
    tooltip: tooltip((points) => {
      const at = points.find((point) => point.seriesType !== "custom").dataIndex;
      const lines = points.filter((point) => point.seriesType !== "custom" && isGiven(point.value)).map((point) => tipLine(point.marker, point.seriesName, inUnit(point.value, unit)));
      if (stackName && parts.every((item) => isGiven(item.values[at]))) lines.push(tipLine("", stackName, inUnit(parts.reduce((sum, item) => sum + item.values[at], 0), unit)));
      if (bounds.values[at]) lines.push(tipLine("", bounds.name, between(bounds.values[at])));
      return `<div class="tip-head">${escaped(heads[at])}</div>${lines.join("")}`;
    }),
    xAxis: { type: "category", data: ticks, axisLine: { lineStyle: { color: css("--line") } }, axisTick: { show: false }, axisLabel: axisText() },
    yAxis: { type: "value", max: isCut ? 4 * step : undefined, interval: step, splitNumber: 4, axisLabel: { ...axisText(), formatter: (value) => onAxis(value, unit) }, splitLine: { lineStyle: { color: css("--grid") } } },
    series: [
      ...parts.map((item) => ({ name: item.name, type: "bar", stack: "parts", color: item.color, barMaxWidth: 64, barCategoryGap: "38%", emphasis: { focus: "none" }, data: item.values })),
      ...marks.map((item) => ({ name: item.name, type: "scatter", symbol: item.symbol, symbolSize: item.size, color: item.color, z: 6, itemStyle: { opacity: 1 }, emphasis: { scale: false }, data: item.values })),
      ...(spans.length ? [whiskers(bounds.name, spans, bounds.color)] : []),
    ],
  };
  return {
    option, isCut, open: (which, at) => all[which] && all[which].open && all[which].open(at),
    table: {
      head: ["", ...all.map((item) => named(item.name)), bounds.name],
      rows: heads.map((head, at) => [head, ...all.map((item) => cellOf(item.values[at], unit, item.open && item.open(at))), between(bounds.values[at])]),
    },
  };
}

// The next step of an axis that people like: 1, 2, 2.5, 5 and zeros.
function roundStep(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].find((digit) => digit * power >= value) * power;
}

// From low to high, with an end across each; what lies beyond the axis is cut.
const whiskers = (name, spans, shade) => ({
  name, type: "custom", color: shade, z: 7, clip: true, silent: true, data: spans, encode: { x: 0, y: [1, 2] },
  renderItem: (_, api) => {
    const [x, low] = api.coord([api.value(0), api.value(1)]);
    const [, high] = api.coord([api.value(0), api.value(2)]);
    const end = Math.min(9, api.size([1, 0])[0] / 5);
    const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style: { stroke: shade, lineWidth: 1.8 } });
    return { type: "group", children: [line(x, low, x, high), line(x - end, low, x + end, low), line(x - end, high, x + end, high)] };
  },
});
