// Charts by Apache ECharts, all of one look; colours come from the style sheet.

let drawn = [];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// Below its legend a chart has at least this room; on paper no more, so that three rows fit a sheet.
const plotHeight = () => (isPrinting ? 165 : 200);
const color = (at) => css(`--series-${(at % 8) + 1}`);

// A card with a chart in it, and the same figures as a table.
function chartCard({ title, names = [], figuresOf = names, about, filters, note, wide, height = 280, tools, id, by = null, anytime = false }, made) {
  const lack = notLoaded(figuresOf, by);
  if (!made || lack) return card({ title, names, figuresOf, about, filters, note, wide, tools, id, anytime }, emptyOf(figuresOf, by));
  const place = h("div", { class: "chart", style: `height:${made.height || heightOf(made, height)}px`, role: "img", "aria-label": title, "data-chart": id });
  const numbers = h("div", { class: "numbers scroll", hidden: true });
  const button = h("button", {
    class: "as-table", type: "button", title: t("as_table"), "aria-label": `${t("as_table")}: ${title}`, "aria-pressed": "false",
    onclick: () => {
      const isTable = numbers.hidden;
      button.setAttribute("aria-pressed", String(isTable));
      if (isTable) numbers.replaceChildren(plainTable(made.table), exportButtons(id, () => ({ head: made.table.head, rows: made.table.rows.map((row) => row.map((cell) => (cell && cell.text !== undefined ? cell.value ?? cell.text : cell))) })));
      [numbers.hidden, place.hidden] = [!isTable, isTable];
    },
  }, "☰");
  drawn.push({ place, option: made.option, open: made.open });
  return card({ title, names, figuresOf, about, filters, note, wide, id, anytime, tools: h("div", { class: "tools" }, tools, button) }, place, numbers);
}

function heightOf({ option }, height) {
  const least = plotHeight() + (option.grid.top || 0);
  return isPrinting ? least : Math.max(height, least);
}

// A cell of a chart's table: its figure, and what it opens.
const cellOf = (value, unit, spec = null) => ({ value: isGiven(value) ? value : null, text: inUnit(value, unit), spec: isGiven(value) ? spec : null });
const plainTable = ({ head, rows }) =>
  h("table", {}, h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((text, at) => h(at ? "td" : "th", {}, text && text.text !== undefined ? openable(text.text, text.spec) : text))))));

function draw() {
  for (const item of drawn) {
    item.chart = echarts.init(item.place, null, { renderer: "svg", locale: "EN" });
    // What opens nothing does not look as if it did.
    item.chart.setOption({ ...base(), ...item.option, series: item.option.series.map((series) => ({ cursor: SOURCE.isLive && item.open ? "pointer" : "default", ...series })) });
    if (SOURCE.isLive && item.open) item.chart.on("click", (point) => openRows(item.open(point.seriesIndex, point.dataIndex)));
  }
}
function forgetCharts() {
  for (const item of drawn) if (item.chart) item.chart.dispose();
  drawn = [];
}
const resizeCharts = () => drawn.forEach((item) => item.chart && !item.place.hidden && item.chart.resize());

const base = () => ({
  animationDuration: 250,
  animationDurationUpdate: 200,
  // Paper does not wait for a line to be drawn.
  animation: !isPrinting && !matchMedia("(prefers-reduced-motion: reduce)").matches,
  textStyle: { fontFamily: css("--font"), color: css("--ink") },
  // Hatching works with aria alone; no series is hatched by itself.
  aria: { enabled: true, label: { enabled: false }, decal: { show: true, decals: [{ symbol: "none" }] } },
});
const axisText = () => ({ color: css("--muted"), fontSize: 11.5, hideOverlap: true, lineHeight: 15 });
const tooltip = (formatter, trigger = "axis") => ({
  trigger, formatter, confine: true,
  axisPointer: { type: "shadow", shadowStyle: { color: css("--hover") } },
  backgroundColor: css("--card"), borderColor: css("--line"), borderWidth: 1, padding: [8, 12],
  textStyle: { color: css("--ink"), fontSize: 12.5 }, extraCssText: "box-shadow:0 4px 16px rgba(0,0,0,.14);border-radius:8px",
});
const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const tipLine = (marker, name, text) => `<div class="tip-line">${marker}<span>${escaped(name)}</span><b>${escaped(text)}</b></div>`;
const legend = (names, text = (name) => name) => ({ type: "plain", top: 0, left: 0, icon: "roundRect", itemWidth: 10, itemHeight: 10, itemGap: 14, data: names, formatter: text, textStyle: { color: css("--ink"), fontSize: 12 }, inactiveColor: css("--faint") });
const pen = document.createElement("canvas").getContext("2d");
// Where a chart may begin below its legend of so many lines.
function belowLegend(names, width) {
  pen.font = `12px ${css("--font")}`;
  let [lines, used] = [1, 0];
  for (const name of names) {
    // Its mark, the text, and the gap before the next one.
    const need = 15 + pen.measureText(name).width;
    if (used && used + need > width) { lines += 1; used = 0; }
    used += need + 14;
  }
  return 10 + 24 * lines;
}
// How wide a card's chart is now: legends are laid out by it.
const chartWidth = (wide) => {
  if (isPrinting) return wide ? 660 : 300;
  const page = Math.min(innerWidth - (innerWidth > 1000 ? 232 : 0), 1240);
  return innerWidth <= 760 || wide ? page - 72 : page / 2 - 76;
};

// Series over periods. Each: name, values, unit, kind (bar or line), stack, color, dashed.
function timeChart(periods, series, { unit, wide = false, max = null, tick = periodTick, name = periodLabel, stackName = null } = {}) {
  if (!periods.length || !series.some((item) => item.values.some((value) => isGiven(value) && value !== 0))) return null;
  series = [...series, ...comparedSeries(series, periods)];
  const names = series.map((item) => item.name);
  // What has no figure stays in the legend and says why, so that nothing else is taken for it.
  const blank = new Map(series.filter((item) => !item.values.some(isGiven)).map((item) => [item.name, t(item.isLacking ? "not_loaded_short" : "no_figures")]));
  const named = (text) => (blank.has(text) ? `${text} — ${blank.get(text)}` : text);
  const most = Math.max(...series.flatMap((item) => item.values.filter(isGiven)));
  // A share that comes near the whole ends there.
  const limit = max ?? (unit === "ratio" && most > 0.8 && most <= 1 ? 1 : null);
  const top = belowLegend(names.map(named), chartWidth(wide));
  const option = {
    legend: legend(names, named),
    grid: { left: 4, right: 10, top, bottom: 0, containLabel: true },
    tooltip: tooltip((points) => {
      const period = periods[points[0].dataIndex];
      const lines = points.filter((point) => isGiven(point.value)).map((point) => tipLine(point.marker, point.seriesName, inUnit(point.value, series[point.seriesIndex].unit || unit)));
      const stacked = series.filter((item) => item.stack);
      if (stackName && stacked.length > 1) lines.push(tipLine("", stackName, inUnit(stacked.reduce((sum, item) => sum + (item.values[points[0].dataIndex] || 0), 0), unit)));
      return `<div class="tip-head">${escaped(name(period))}${period.running ? ` · ${t("running")}` : ""}</div>${lines.join("")}`;
    }),
    xAxis: { type: "category", boundaryGap: true, data: periods.map((period, at) => tick(period, at)), axisLine: { lineStyle: { color: css("--line") } }, axisTick: { show: false }, axisLabel: axisText() },
    yAxis: { type: "value", max: limit, interval: limit === 1 ? 0.25 : undefined, splitNumber: 4, axisLabel: { ...axisText(), formatter: (value) => onAxis(value, unit) }, splitLine: { lineStyle: { color: css("--grid") } }, minInterval: unit === "count" ? 1 : 0 },
    series: series.map((item, at) => {
      const shade = item.color || color(at);
      if (item.kind === "line") {
        return {
          name: item.name, type: "line", color: shade,
          // The point of a period that still runs is hollow.
          data: item.values.map((value, place) => (periods[place].running && !item.dashed ? { value, symbol: "emptyCircle", symbolSize: 8 } : value)), symbol: "circle", symbolSize: item.dashed ? 0 : 6, showSymbol: periods.length <= 26, connectNulls: false, z: 5,
          lineStyle: { width: item.dashed ? 1.6 : 2.2, type: item.dashed ? [5, 4] : "solid" }, emphasis: { focus: "none" },
          areaStyle: item.area ? { opacity: 0.75 } : undefined, stack: item.stack,
        };
      }
      const isTop = !series.slice(at + 1).some((other) => other.stack === item.stack && other.kind !== "line");
      return {
        name: item.name, type: "bar", stack: item.stack || undefined, color: shade, barMaxWidth: 38, barCategoryGap: "32%", emphasis: { focus: "none" },
        itemStyle: { borderRadius: !item.stack || isTop ? [3, 3, 0, 0] : 0 },
        // A period that still runs is paler and hatched.
        data: item.values.map((value, place) => (periods[place].running ? { value, itemStyle: { opacity: 0.55, decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [3, 4], rotation: -Math.PI / 4, color: css("--card") } } } : value)),
      };
    }),
  };
  const tableRows = periods.map((period, at) => [name(period) + (period.running ? ` (${t("running")})` : ""), ...series.map((item) => cellOf(item.values[at], item.unit || unit, item.open && item.open(at)))]);
  return { option, open: (which, at) => series[which].open && series[which].open(at), table: { head: [t("period"), ...names.map(named)], rows: tableRows } };
}

function metricSeries(name, periods, more = {}) {
  const values = figures(name, periods);
  return { name: label(name), values, unit: unitOf(name), isLacking: lackOf(name).length > 0, metric: name, open: (at) => specOf(name, periods[at], {}, values[at]), ...more };
}

// The same metrics a year before or, for free dates, before them: as a thin line. A chart of the last
// periods shows those before by itself.
const MOST_COMPARED = 2;
function comparedSeries(series, periods) {
  if (state.compare === "none" || (state.compare === "before" && !state.from) || !series.every((item) => item.metric || item.dashed)) return [];
  const span = periods.length ? periods[periods.length - 1].to - periods[0].from : 0;
  const earlier = periods.map((period) => (state.compare === "year" ? comparable(period) : shiftedBack(period, span)));
  const valuesOf = (item) => { const known = earlier.filter(Boolean); const found = figures(item.metric, known); return earlier.map((period) => (period ? found[known.indexOf(period)] : null)); };
  const line = (name, values, open) => ({ name: `${t(state.compare === "year" ? "year_before" : "before_series")}: ${name}`, values, open, kind: "line", dashed: true, color: css("--muted"), unit: series[0].unit });
  const [stacked, apart] = [series.filter((item) => item.metric && item.stack), series.filter((item) => item.metric && !item.stack)];
  if (stacked.length) {
    const lists = stacked.map(valuesOf);
    const values = earlier.map((_, at) => (lists.every((list) => isGiven(list[at])) ? lists.reduce((sum, list) => sum + list[at], 0) : null));
    return values.some(isGiven) ? [line(t("compare_all"), values)] : [];
  }
  if (apart.length > MOST_COMPARED) return [];
  return apart.map((item) => line(item.name, valuesOf(item), (at) => earlier[at] && specOf(item.metric, earlier[at]))).filter((item) => item.values.some(isGiven));
}
// The part of the dates before that stands where a period stands in these.
function shiftedBack(period, span) {
  const from = period.from - span;
  const back = { ...period, start: isoOf(dateOf(from)), from, to: period.to - span, grain: "range", cut: true, running: false, clipped: true };
  return back.from >= 0 && hasDays(back) ? back : null;
}
function planSeries(name, periods) {
  const planned = plan(name, periods);
  const fact = figures(name, periods);
  // A line across everybody's bars is only fair where everybody has a plan.
  const isAll = planned && planned.every((entry, at) => !entry || Math.abs(entry.actual - fact[at]) <= 0.005 * Math.abs(fact[at]));
  return isAll ? [{ name: `${t("plan")}: ${label(name)}`, values: planned.map((entry) => (entry ? entry.target : null)), kind: "line", dashed: true, color: css("--ink"), unit: unitOf(name) }] : [];
}

// Horizontal bars, the first on top. Rows: name, values (one of each series), text, details, and
// step: a share and the words that stand between this bar and the next one, if `steps` names them.
function rowChart(rows, series, { unit, wide = false, rowHeight = 34, labels = true, steps = null } = {}) {
  const isFilled = (row) => row.values.some((value) => isGiven(value) && value !== 0);
  if (!rows.some(isFilled)) return null;
  // Between steps none is missing.
  const filled = steps ? rows : rows.filter(isFilled);
  const names = series.map((item) => item.name);
  const isStacked = series.length > 1;
  const isNarrow = isPrinting || innerWidth <= 760;
  // Bars of one series are named by the card's title.
  const top = isStacked ? belowLegend(names, chartWidth(wide)) : 6;
  const option = {
    legend: isStacked ? legend(names) : { show: false },
    grid: { left: 4, right: labels ? 86 : 16, top, bottom: 0, containLabel: true },
    tooltip: tooltip((points) => {
      const row = filled[points[0].dataIndex];
      return `<div class="tip-head">${escaped(row.name)}</div>${points.filter((point) => point.seriesType !== "custom" && isGiven(point.value)).map((point) => tipLine(point.marker, point.seriesName, inUnit(point.value, unit))).join("")}${(row.details || []).map(([text, value]) => tipLine("", text, value)).join("")}`;
    }),
    xAxis: { type: "value", show: !labels, splitNumber: 4, axisLabel: { ...axisText(), formatter: (value) => onAxis(value, unit) }, splitLine: { lineStyle: { color: css("--grid") } } },
    yAxis: { type: "category", inverse: true, data: filled.map((row) => row.name), axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: css("--ink"), fontSize: isNarrow ? 11.5 : 12.5, lineHeight: isNarrow ? 13 : 15, width: isNarrow ? 112 : 176, overflow: rowHeight < 32 ? "truncate" : "break" } },
    series: [...series.map((item, at) => ({
      name: item.name, type: "bar", stack: isStacked ? "all" : undefined, barMaxWidth: 20, color: item.color || color(at), emphasis: { focus: "none" },
      itemStyle: { borderRadius: isStacked ? 0 : [0, 3, 3, 0] },
      data: filled.map((row) => (row.color ? { value: row.values[at], itemStyle: { color: row.color } } : row.values[at])),
      label: labels && at === series.length - 1 ? { show: true, position: "right", color: css("--ink"), fontSize: 12, formatter: (point) => filled[point.dataIndex].text ?? inUnit(point.value, unit, true) } : undefined,
    })), ...(steps ? [between(steps, filled, isNarrow ? 10 : 11.5)] : [])],
  };
  const extra = filled[0].details ? filled[0].details.map(([text]) => text) : [];
  return {
    option, height: top + filled.length * rowHeight + (labels ? 6 : 26), open: (which, at) => filled[at].open && filled[at].open(which),
    table: { head: ["", ...names, ...extra], rows: filled.map((row) => [row.name, ...row.values.map((value, at) => cellOf(value, unit, row.open && row.open(at))), ...(row.details || []).map(([, value]) => value)]) },
  };
}

// What stands in the gaps between bars: how many of the one above went on to the one below.
const between = (name, rows, size) => ({
  name, type: "custom", color: css("--muted"), silent: true, z: 6, encode: { y: 0 },
  data: rows.map((row, at) => [at, row.step ? row.step[0] : null]).filter(([at, share]) => isGiven(share) && at < rows.length - 1),
  renderItem: (_, api) => {
    const [x, y] = api.coord([0, api.value(0)]);
    return { type: "text", x: x + 1, y: y + api.size([0, 1])[1] / 2, style: { text: `↓ ${rows[api.value(0)].step[1]}`, fill: css("--muted"), font: `${size}px ${css("--font")}`, verticalAlign: "middle" } };
  },
});

// A heat map; cells: [x, y, value]. Dark is much, in one hue, so that everybody can read it.
function heatChart(columns, rows, cells, { unit, max = null, labels = false, tip, open = null }) {
  const given = cells.filter((cell) => isGiven(cell[2]));
  if (!given.length) return null;
  const top = max ?? Math.max(...given.map((cell) => cell[2]));
  const option = {
    grid: { left: 4, right: 8, top: 4, bottom: 4, containLabel: true },
    tooltip: { ...tooltip((point) => tip(point.value), "item"), axisPointer: undefined },
    xAxis: { type: "category", data: columns, axisLine: { show: false }, axisTick: { show: false }, axisLabel: axisText(), splitArea: { show: false } },
    yAxis: { type: "category", inverse: true, data: rows, axisLine: { show: false }, axisTick: { show: false }, axisLabel: { ...axisText(), hideOverlap: false } },
    visualMap: { show: false, min: 0, max: top || 1, dimension: 2, inRange: { color: [1, 2, 3, 4, 5].map((at) => css(`--heat-${at}`)) } },
    series: [{
      type: "heatmap", data: given.map(([x, y, value]) => ({ value: [x, y, value], label: { color: css(value / (top || 1) > 0.55 ? "--heat-ink-high" : "--heat-ink-low") } })),
      itemStyle: { borderColor: css("--card"), borderWidth: 2, borderRadius: 3 },
      label: { show: labels, fontSize: 11, formatter: (point) => (unit === "ratio" ? percent(point.value[2], 0) : onAxis(point.value[2], unit)) },
      emphasis: { itemStyle: { borderColor: css("--ink"), borderWidth: 1.5 } },
    }],
  };
  const found = new Map(given.map(([x, y, value]) => [`${x}|${y}`, value]));
  return {
    option, height: 18 + 30 * rows.length + 26, open: open && ((_, at) => open(given[at][0], given[at][1])),
    table: { head: ["", ...columns], rows: rows.map((row, y) => [row, ...columns.map((_, x) => cellOf(found.get(`${x}|${y}`) ?? null, unit, open && open(x, y)))]) },
  };
}
