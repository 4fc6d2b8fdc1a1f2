// Data: how good forecasts and probabilities would have been, on the company's own past.

let [METHODS_IN_USE, BACKTEST, CALIBRATION, PAST_FORECASTS] = [[], [], [], []];
takingPart("outlook", (outlook) => {
  [METHODS_IN_USE, BACKTEST, CALIBRATION, PAST_FORECASTS] = ["methods", "backtest", "calibration", "forecasts"].map((name) => records(outlook[name]));
});
const METHODS = ["model", "stage_rate", "company_rate"];
// A share of fewer deals says little.
const FEW_DEALS = 20;

let judgedPipeline = null;
let monthsAhead = 0;

const methodColor = (method) => ({ model: color(0), stage_rate: color(1), company_rate: css("--series-8") })[method];
const inPipeline = (rows) => rows.filter((row) => row.pipeline_id === judgedPipeline);
const pipelineName = (at) => nameOf(DATA.pipelines[at]);

function backtest() {
  const judged = new Map();
  for (const row of BACKTEST) judged.set(row.pipeline_id, (judged.get(row.pipeline_id) || 0) + row.deals);
  const pipelines = [...judged.keys()].sort((a, b) => judged.get(b) - judged.get(a));
  if (!pipelines.includes(judgedPipeline)) judgedPipeline = pipelines[0] ?? null;
  return section(t("title_backtest"), t("backtest_lead"),
    methodsCard(),
    pipelines.length > 1 ? choice(t("pipeline"), pipelines.map((at) => [at, pipelineName(at)]), judgedPipeline, (at) => { judgedPipeline = at; show(); }) : null,
    pipelines.length ? grid(errorCard(), calibrationCard(), backtestTable()) : card({ id: "backtest_none", title: t("title_backtest_error") }, empty(t(ABOUT.is_limited ? "unseen" : "backtest_none"))),
    pastForecastsCard());
}

// Which method a pipeline's probabilities come from, and why.
function methodsCard() {
  const error = (pipeline, method) => {
    // Over the month ends that both can be judged on.
    const of = (name) => BACKTEST.filter((row) => row.pipeline_id === pipeline && row.method === name);
    const days = new Set(of("model").filter((row) => of("stage_rate").some((other) => other.as_of_on === row.as_of_on)).map((row) => row.as_of_on));
    const rows = of(method).filter((row) => days.has(row.as_of_on));
    const deals = rows.reduce((sum, row) => sum + row.deals, 0);
    return deals ? rows.reduce((sum, row) => sum + row.brier * row.deals, 0) / deals : null;
  };
  const column = (method) => ({ key: method, label: t("error_of", { method: t(`method_${method}`) }), about: `${t("error_about")} ${t("error_both_about")}`, value: (row) => error(row.pipeline_id, method), cell: (row) => h("span", { "data-error": method, "data-value": error(row.pipeline_id, method) ?? "" }, inUnit(error(row.pipeline_id, method), "error")) });
  return card({ id: "methods", wide: true, title: t("title_methods"), about: t("methods_about") }, !METHODS_IN_USE.length ? empty(t("no_open_deals")) : table({
    id: "methods", rows: METHODS_IN_USE, sort: ["deals", false],
    columns: [
      { key: "pipeline", label: t("pipeline"), text: true, value: (row) => pipelineName(row.pipeline_id), cell: (row) => pipelineName(row.pipeline_id) },
      { key: "deals", label: t("open_deals_now"), value: (row) => row.deals, cell: (row) => h("span", { "data-method": row.method, "data-deals": row.deals }, number(row.deals)) },
      { key: "method", label: t("method"), text: true, value: (row) => t(`method_${row.method}`), cell: (row) => h("span", {}, h("b", {}, t(`method_${row.method}`)), h("small", {}, t(`method_${row.method}_about`))) },
      column("model"), column("stage_rate"),
    ],
  }));
}

function errorCard() {
  const rows = inPipeline(BACKTEST);
  const months = withQuietMonths([...new Set(rows.map((row) => `${row.as_of_on.slice(0, 8)}01`))].sort());
  const series = METHODS.filter((method) => rows.some((row) => row.method === method)).map((method) => ({
    name: t(`method_${method}`), kind: "line", color: methodColor(method),
    values: months.map((month) => rows.find((row) => row.method === method && row.as_of_on.slice(0, 7) === month.slice(0, 7))?.brier ?? null),
  }));
  return chartCard({ id: "backtest_error", title: t("title_backtest_error"), about: t("error_about"), note: t("error_note") }, timeChart(months.map((month) => periodAt(new Date(month), "month")), series, { unit: "error" }));
}

function calibrationCard() {
  const rows = inPipeline(CALIBRATION);
  const methods = METHODS.filter((method) => rows.some((row) => row.method === method));
  const of = (method) => rows.filter((row) => row.method === method);
  const used = METHODS_IN_USE.find((row) => row.pipeline_id === judgedPipeline && methods.includes(row.method))?.method || methods[0];
  const mean = (name) => of(used).reduce((sum, row) => sum + row[name] * row.predictions, 0) / of(used).reduce((sum, row) => sum + row.predictions, 0);
  const names = methods.map((method) => t(`method_${method}`));
  const axis = (name) => ({ type: "value", min: 0, max: 1, interval: 0.25, name, nameLocation: "middle", nameGap: 32, nameTextStyle: { color: css("--muted"), fontSize: 11.5 }, axisLabel: { ...axisText(), formatter: (value) => percent(value, 0) }, splitLine: { lineStyle: { color: css("--grid") } } });
  const option = {
    legend: legend([...names, t("diagonal")]),
    grid: { left: 22, right: 18, top: belowLegend([...names, t("diagonal")], chartWidth(false)), bottom: 22, containLabel: true },
    tooltip: tooltip((point) => {
      const row = point.seriesIndex < methods.length ? of(methods[point.seriesIndex])[point.dataIndex] : null;
      return row ? `<div class="tip-head">${escaped(point.seriesName)}</div>${[[t("predicted"), percent(row.predicted)], [t("observed"), percent(row.observed)], [t("deals"), number(row.deals)]].map(([name, text]) => tipLine("", name, text)).join("")}` : "";
    }, "item"),
    xAxis: axis(t("predicted")), yAxis: { ...axis(t("observed")), nameGap: 46 },
    series: [
      ...methods.map((method, at) => ({
        name: names[at], type: "line", color: methodColor(method), symbol: "circle", z: 5 - at, lineStyle: { width: 1.6 }, emphasis: { focus: "none" },
        data: of(method).map((row) => ({ value: [row.predicted, row.observed], symbol: row.deals < FEW_DEALS ? "emptyCircle" : "circle", symbolSize: Math.min(16, 5 + Math.sqrt(row.deals) / 2) })),
      })),
      { name: t("diagonal"), type: "line", color: css("--faint"), data: [[0, 0], [1, 1]], symbol: "none", lineStyle: { width: 1.6, type: [5, 4] }, silent: true, z: 1 },
    ],
  };
  const table = {
    head: [t("method"), t("tenth"), t("predicted"), t("observed"), t("deals")],
    rows: methods.flatMap((method) => of(method).map((row) => [t(`method_${method}`), `${10 * row.tenth - 10}–${percent(row.tenth / 10)}`, percent(row.predicted), percent(row.observed), number(row.deals)])),
  };
  return chartCard({ id: "calibration", title: t("title_calibration"), about: t("calibration_about"), note: used ? `${t("calibration_note", { method: t(`method_${used}`), predicted: percent(mean("predicted"), 0), observed: percent(mean("observed"), 0) })} ${t("calibration_few", { deals: FEW_DEALS })}` : null }, methods.length ? { option, table } : null);
}

function backtestTable() {
  const figure = (key, text, show, about = null) => ({ key, label: text, about, value: (row) => row[key], cell: (row) => h("span", { [`data-${key.replace(/_/g, "-")}`]: row[key] ?? "" }, isGiven(row[key]) ? show(row[key]) : nothing) });
  return card({ id: "backtest", title: t("title_backtest_table"), about: t("backtest_table_about") }, table({
    id: "backtest", rows: METHODS.flatMap((method) => inPipeline(BACKTEST).filter((row) => row.method === method)), sort: ["as_of_on", false],
    columns: [
      { key: "as_of_on", label: t("month_end"), value: (row) => dayOf(row.as_of_on), text: true, cell: (row) => h("span", { "data-day": row.as_of_on }, dayLabel(row.as_of_on)) },
      { key: "method", label: t("method"), text: true, value: (row) => t(`method_${row.method}`), cell: (row) => h("span", { "data-method": row.method }, t(`method_${row.method}`)) },
      figure("deals", t("deals"), number), figure("mean_predicted", t("predicted"), (value) => percent(value, 0)), figure("win_rate", t("observed"), (value) => percent(value, 0)),
      figure("brier", t("error"), (value) => inUnit(value, "error"), t("error_about")), figure("auc", t("auc"), (value) => percent(value, 0), t("auc_about")),
    ],
  }));
}

function pastForecastsCard() {
  const lack = forecastLack();
  if (!lack.length && !PAST_FORECASTS.length) return card({ id: "past_forecasts", wide: true, title: t("title_past_forecasts"), about: t("past_forecasts_about") }, empty(t("past_forecasts_none")));
  const rows = PAST_FORECASTS.filter((row) => row.months_ahead === monthsAhead);
  const judged = rows.filter((row) => isGiven(row.is_inside));
  const months = new Set(judged.map((row) => row.period_start)).size;
  const inside = judged.filter((row) => row.is_inside).length;
  const made = intervalChart(
    rows.map((row) => dateFormat(new Date(row.as_of_on), { day: "numeric", month: "short" }).replace(".", "")),
    rows.map((row) => t("forecast_made", { day: dayLabel(row.as_of_on), month: monthName(row.period_start) })),
    {
      parts: [{ name: t("came"), values: rows.map((row) => row.actual), color: color(2) }],
      marks: [{ name: t("forecast_sum"), values: rows.map((row) => row.forecast), color: color(1), symbol: "circle", size: 9 }],
      bounds: { name: t("interval"), values: rows.map((row) => (isGiven(row.low) ? [row.low, row.high] : null)), color: css("--ink") },
      unit: "currency", wide: true,
    });
  const note = judged.length ? t("inside_note", { inside: number(inside), judged: plural("forecasts", judged.length), months: plural("periods_month", months), share: percent(inside / judged.length, 0) }) : t("inside_none");
  return chartCard({
    id: "past_forecasts", wide: true, title: t("title_past_forecasts"), figuresOf: lack, about: t("past_forecasts_about"), height: 320,
    note: rows.length && !lack.length ? [note, made && made.isCut ? t("forecast_cut") : ""].join(" ").trim() : null,
    tools: PAST_FORECASTS.length ? choice(t("months_ahead"), [0, 1, 2].map((ahead) => [ahead, t(`ahead_${ahead}`)]), monthsAhead, (ahead) => { monthsAhead = ahead; show(); }) : null,
  }, made);
}
