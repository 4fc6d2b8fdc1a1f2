// Overview: where the company stands, and what needs attention.

const HEADLINES = ["revenue", "new_customers", "deals_won", "win_rate", "leads_created", "target_lead_rate", "set_meetings_held", "set_meetings_paid"];

function overview() {
  const periods = shown();
  const lines = (names) => names.map((name) => metricSeries(name, periods, { kind: "line" }));
  return [
    attention(),
    kpis(...HEADLINES),
    grid(
      chartCard({ id: "revenue", title: label("revenue"), names: ["revenue", "revenue_new", "revenue_repeat"], filters: filtersOf("revenue") },
        timeChart(periods, [
          metricSeries("revenue_new", periods, { stack: "sum" }),
          metricSeries("revenue_repeat", periods, { stack: "sum", color: color(2) }),
          ...planSeries("revenue", periods),
        ], { unit: "currency", stackName: label("revenue") })),
      chartCard({ id: "meetings", title: t("title_meetings"), names: ["meetings_set", "set_meetings_held", "set_meetings_paid"], filters: filtersOf("meetings_set") },
        timeChart(periods, ["meetings_set", "set_meetings_held", "set_meetings_paid"].map((name) => metricSeries(name, periods)), { unit: "count" })),
      chartCard({ id: "leads", title: t("title_leads"), names: ["leads_target", "leads_non_target"], filters: filtersOf("leads_target") },
        timeChart(periods, [
          metricSeries("leads_target", periods, { stack: "sum", color: color(2) }),
          metricSeries("leads_non_target", periods, { stack: "sum", color: css("--series-quiet") }),
        ], { unit: "count", stackName: t("judged") })),
      chartCard({ id: "rates", title: t("title_rates"), names: ["target_lead_rate", "meeting_show_rate", "held_to_paid_rate", "win_rate"], filters: filtersOf("win_rate") },
        timeChart(periods, lines(["target_lead_rate", "meeting_show_rate", "held_to_paid_rate", "win_rate"]), { unit: "ratio" })),
      attainmentCard(),
      chartCard({ id: "pipeline_amount", title: label("open_amount"), names: ["open_amount", "presale_amount"], filters: filtersOf("open_amount"), note: t("at_period_end") },
        timeChart(periods, ["open_amount", "presale_amount"].map((name) => metricSeries(name, periods, { kind: "line" })), { unit: "currency" })),
    ),
  ];
}

// The headline figures that can be compared with those of the period before, filters and all.
function compared() {
  // A day against the day before would call every Saturday a fall: the week that ended is taken.
  const period = state.grain === "day" ? lastWeek() : current();
  const before = period && comparable(period, "before");
  if (!before) return [];
  return HEADLINES.map((name) => ({ name, period, before, now: figures(name, [period])[0], earlier: figures(name, [before])[0] })).filter(({ now, earlier }) => isGiven(now) && isGiven(earlier) && earlier > 0);
}
// Those that fell, by the measure of the diagnosis.
const falls = () => compared().filter(({ name, now, earlier }) => (goodOf(name) === "down" ? now * ABOUT.drop > earlier : now < ABOUT.drop * earlier));
function lastWeek() {
  const week = periodAt(dateOf(current().from), "week");
  return week.running ? previousOf(week) : week;
}

const whoIsChosen = () => nameOf(DATA.managers.find((item) => item.id === state.manager) || { name: state.team || t("company") });

// What fell and what the diagnosis found in the shown periods, newest first; and what nobody judged.
function attention(most = 6) {
  const fallen = falls();
  const found = situations(diagnosisGrain()).sort((a, b) => b.period.from - a.period.from || b.causes.length - a.causes.length);
  const silent = unjudged(diagnosisGrain());
  const isBad = fallen.length + found.length > 0;
  const isCompared = compared().length > 0;
  // Of days the week is compared.
  const isElsewhere = state.grain === "day";
  const isSure = isCompared && !silent.length;
  const title = isBad ? "attention" : isSure ? "attention_none" : "attention_unjudged";
  const line = (attributes, lead, text) => h("li", {}, h("a", attributes, h("b", {}, lead), text));
  return h("section", { class: `attention${isBad ? "" : isSure ? " calm" : " unsure"}` },
    h("h2", {}, t(title)),
    isBad ? h("ul", {},
      fallen.map(({ name, period, before, now, earlier }) => line({ href: isElsewhere ? address({ grain: period.grain, period: period.start, from: "", to: "" }) : address(), "data-fall": name, onclick: (event) => { if (!isElsewhere) { event.preventDefault(); document.querySelector(`[data-metric="${name}"]`).scrollIntoView({ block: "center" }); } } },
        `${whoIsChosen()}, ${periodLabel(period)}. `,
        `${label(name)} ${inUnit(earlier, unitOf(name), true)} → ${inUnit(now, unitOf(name), true)} (${changeText(now, earlier, unitOf(name))}${before.cut && period.running ? `, ${t("same_days_short")}` : ""})`)),
      found.slice(0, most).map((item) => line({ "data-situation": item.situation, href: address({ screen: "diagnosis", manager: item.manager.id, team: "", source: "", grain: item.period.grain, period: item.period.start, from: "", to: "" }) },
        `${nameOf(item.manager)}, ${periodLabel(item.period)}. `,
        `${wordFor("situation", item.situation)}: ${item.causes.length ? item.causes.map((cause) => causeText(cause)).join("; ") : t("cause_unknown")}`)),
      found.length > most ? line({ href: address({ screen: "diagnosis" }) }, "", t("and_more", { count: number(found.length - most) })) : null) : h("p", {}, t(!isCompared ? "attention_unknown_about" : silent.length ? "attention_unjudged_about" : "attention_none_about")),
    silentNote(silent));
}

// How far the plans of the chosen period are met, by those who have one; the worst first.
function attainmentCard() {
  const period = [current()];
  const names = plannedNames(period[0]);
  const rows = names.map((name) => ({ name, planned: (plan(name, period) || [])[0] })).filter((row) => row.planned && row.planned.target && isGiven(figures(row.name, period)[0])).map(({ name, planned }) => {
    const share = planned.actual / planned.target;
    const expected = period[0].running && planned.due ? planned.actual / planned.due : share;
    const unit = unitOf(name);
    return {
      name: label(name), values: [share], text: percent(share, 0), color: css(expected >= 1 ? "--good-fill" : expected < 0.9 ? "--bad-fill" : "--series-1"),
      open: () => specOf(name, period[0]),
      details: [[t("fact"), inUnit(planned.actual, unit)], [t("plan"), inUnit(planned.target, unit)], [t("with_plan_title"), plural("people", planned.people)]],
    };
  }).sort((a, b) => a.values[0] - b.values[0]);
  return chartCard({ id: "attainment", title: `${label("attainment")} · ${periodLabel(period[0])}`, names: ["attainment"], filters: ["manager"], note: lackOf("attainment").length ? null : t("attainment_note") },
    state.source ? null : rowChart(rows, [{ name: label("attainment") }], { unit: "ratio" }));
}
