// Calls: when they come, what is missed and won back, how well people talk.

let heatShows = "calls";

function calls() {
  const periods = shown();
  const people = DATA.managers.map((manager, at) => ({ manager, at }));
  const quality = ["evaluated_calls", "avg_call_score", "needs_found_rate", "presentation_rate", "objections_rate", "next_step_rate"];
  const heard = figures("evaluated_calls", [current()], "manager");
  const outcomes = [["recovered_by_agent", color(2)], ["recovered_by_client", color(0)], ["missed_calls_lost", css("--bad-fill")], ["missed_calls_open", css("--series-quiet")]];
  return [
    kpis("calls", "answer_rate", "calls_60s", "talk_minutes", "avg_answer_wait_seconds", "avg_missed_wait_seconds", "missed_recovery_rate", "missed_calls_lost", "responded_in_5min_rate", "median_response_minutes"),
    hoursCard(),
    grid(
      chartCard({ id: "calls_answered", title: label("calls"), names: ["calls", "calls_answered"], filters: filtersOf("calls") }, timeChart(periods, [
        metricSeries("calls_answered", periods, { stack: "sum" }),
        { name: t("not_answered"), open: (at) => specOf("calls", periods[at], { call__is_answered: false }), values: figures("calls", periods).map((all, at) => (isGiven(all) ? all - figures("calls_answered", periods)[at] : null)), stack: "sum", color: css("--series-quiet") },
      ], { unit: "count", stackName: label("calls") })),
      chartCard({ id: "missed", title: t("title_missed"), names: outcomes.map(([name]) => name), filters: filtersOf("missed_calls") },
        timeChart(periods, outcomes.map(([name, shade]) => metricSeries(name, periods, { stack: "sum", color: shade })), { unit: "count", stackName: label("missed_calls") })),
      chartCard({ id: "waiting", title: t("title_waiting"), names: ["avg_answer_wait_seconds", "avg_missed_wait_seconds"], filters: filtersOf("avg_answer_wait_seconds") },
        timeChart(periods, ["avg_answer_wait_seconds", "avg_missed_wait_seconds"].map((name) => metricSeries(name, periods, { kind: "line" })), { unit: "seconds" })),
      chartCard({ id: "quality", title: t("title_quality"), names: quality.slice(2), filters: filtersOf("next_step_rate") }, timeChart(periods, quality.slice(2).map((name) => metricSeries(name, periods, { kind: "line" })), { unit: "ratio", max: 1 })),
      chartCard({ id: "call_kinds", title: t("title_call_kinds"), names: ["first_calls", "followup_calls"], filters: filtersOf("first_calls") },
        timeChart(periods, ["first_calls", "followup_calls"].map((name) => metricSeries(name, periods, { stack: "sum" })), { unit: "count" })),
      chartCard({ id: "speed", title: label("median_response_minutes"), names: ["median_response_minutes"], filters: filtersOf("median_response_minutes") }, timeChart(periods, [metricSeries("median_response_minutes", periods, { kind: "line" })], { unit: "minutes" })),
    ),
    waitingTable(periods),
    card({ id: "quality_by_manager", wide: true, title: `${t("title_quality_people")} · ${periodLabel(current())}`, filters: filtersOf("next_step_rate") }, notLoaded(quality, "manager") ? emptyOf(quality, "manager") : table({
      id: "quality", sort: ["avg_call_score", false],
      rows: people.filter(({ at }) => isChosen("manager", at) && heard[at][0]),
      columns: [
        { key: "name", label: t("manager"), text: true, value: (row) => nameOf(row.manager), cell: (row) => person(row.manager) },
        sparkColumn("next_step_rate", "manager", periods),
        ...quality.map((name) => metricColumn(name, "manager", periods)),
      ],
    })),
  ];
}

// How long people wait, by where they come from.
const WAITING = ["avg_answer_wait_seconds", "avg_missed_wait_seconds", "missed_calls", "missed_calls_lost", "missed_recovery_rate", "avg_recovery_minutes", "responded_in_5min_rate"];
function waitingTable(periods) {
  if (!ABOUT.has_sources) return null;
  const last = [current()];
  const lists = WAITING.map((name) => figures(name, last, "source"));
  const rows = DATA.sources.map((source, at) => ({ source, at })).filter(({ at }) => isChosen("source", at) && lists.some((list) => list[at][0]));
  return card({ id: "waiting_by_source", wide: true, title: `${t("title_waiting_by_source")} · ${periodLabel(current())}`, filters: ["source"], figuresOf: WAITING }, !rows.length ? emptyOf(WAITING, "source") : table({
    id: "waiting_by_source", rows, sort: ["avg_answer_wait_seconds", false],
    columns: [
      { key: "name", label: t("source"), text: true, value: (row) => nameOf(row.source), cell: (row) => nameOf(row.source) },
      sparkColumn("avg_answer_wait_seconds", "source", periods),
      ...WAITING.map((name) => metricColumn(name, "source", periods)),
    ],
  }));
}

function hoursCard() {
  const months = shownMonths();
  const found = cubeSums("hours", ["calls", "calls_answered", "calls_missed"], (at) => `${at("hour")}|${at("weekday")}`, () => true, months);
  const hours = [...new Set([...found.keys()].map((key) => Number(key.split("|")[0])))].sort((a, b) => a - b);
  const value = (entry) => (!entry ? null : heatShows === "answer_rate" ? entry.calls_answered / entry.calls : entry[heatShows]);
  // Ends of the day with hardly a call would only widen the map.
  const total = [...found.values()].reduce((sum, entry) => sum + entry.calls, 0);
  const busy = hours.filter((hour) => [1, 2, 3, 4, 5, 6, 7].reduce((sum, day) => sum + ((found.get(`${hour}|${day}`) || {}).calls || 0), 0) > total / 2000);
  const range = busy.length ? Array.from({ length: busy[busy.length - 1] - busy[0] + 1 }, (_, at) => busy[0] + at) : [];
  const cells = range.flatMap((hour, x) => [1, 2, 3, 4, 5, 6, 7].map((day, y) => [x, y, value(found.get(`${hour}|${day}`))]));
  const leftOut = [...found].filter(([key]) => !range.includes(Number(key.split("|")[0]))).reduce((sum, [, entry]) => sum + entry.calls, 0);
  const days = t("weekdays").split(",");
  const options = [["calls", label("calls")], ["answer_rate", label("answer_rate")], ["calls_missed", label("calls_missed")]];
  const isRate = heatShows === "answer_rate";
  const made = heatChart(range.map((hour) => `${hour}:00`), days, cells, {
    unit: isRate ? "ratio" : "count", max: isRate ? 1 : null, labels: innerWidth > 760,
    open: (x, y) => specOf(heatShows, daysFrom(months[0], Math.min(months[1], LAST_DAY + 1)), { call__hour_of_day: range[x], date__weekday: y + 1 }),
    tip: ([x, y]) => {
      const entry = found.get(`${range[x]}|${y + 1}`);
      return `<div class="tip-head">${days[y]}, ${range[x]}:00–${range[x] + 1}:00</div>${tipLine("", label("calls"), number(entry.calls))}${tipLine("", label("calls_answered"), number(entry.calls_answered))}${tipLine("", label("calls_missed"), number(entry.calls_missed))}`;
    },
  });
  return chartCard({ id: "hours", wide: true, title: t("title_hours"), names: ["calls", "answer_rate", "calls_missed"], filters: cutsOf("hours"), note: `${t("whole_months", { range: monthsText(months) })} ${leftOutNote("hours", months[0])}`.trim() + (leftOut ? ` ${plural("hours_left_out", leftOut)}` : ""), tools: choice(t("title_hours"), options, heatShows, (chosen) => { heatShows = chosen; show(); }) }, made);
}
