// Overview: where the company stands, and what needs attention.

function overview() {
  const periods = shown();
  const lines = (names) => names.map((name) => metricSeries(name, periods, { kind: "line" }));
  return [
    attention(),
    kpis("revenue", "new_customers", "deals_won", "win_rate", "leads_created", "target_lead_rate", "set_meetings_held", "set_meetings_paid"),
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

// What the diagnosis found in the shown periods, newest first.
function attention() {
  const found = situations(["week", "month"].includes(state.grain) ? state.grain : "month").filter((item) => item.causes.length);
  return h("section", { class: `attention${found.length ? "" : " calm"}` },
    h("h2", {}, t(found.length ? "attention" : "attention_none")),
    found.length ? h("ul", {}, found.slice(0, 6).map((item) => h("li", {},
      h("a", { href: address({ screen: "diagnosis" }) },
        h("b", {}, `${nameOf(item.manager)}, ${periodLabel(item.period)}. `),
        `${wordFor("situation", item.situation)}: ${item.causes.map((cause) => causeText(cause)).join("; ")}`)))) : h("p", {}, t("attention_none_about")));
}

// How far the plans of the chosen period are met, by those who have one.
function attainmentCard() {
  const period = [current()];
  const names = [...new Set(PLANS.map((row) => row.metric))].filter((name) => DATA.metrics[name]);
  const rows = names.map((name) => ({ name, planned: (plan(name, period) || [])[0] })).filter((row) => row.planned && row.planned.target).map(({ name, planned }) => {
    const share = planned.actual / planned.target;
    const expected = period[0].running && planned.due ? planned.actual / planned.due : share;
    const unit = unitOf(name);
    return {
      name: label(name), values: [share], text: percent(share, 0), color: css(expected >= 1 ? "--good-fill" : expected < 0.9 ? "--bad-fill" : "--series-1"),
      details: [[t("fact"), inUnit(planned.actual, unit)], [t("plan"), inUnit(planned.target, unit)], [t("with_plan_title"), plural("people", planned.people)]],
    };
  }).sort((a, b) => b.values[0] - a.values[0]);
  return chartCard({ id: "attainment", title: `${label("attainment")} · ${periodLabel(period[0])}`, names: ["attainment"], filters: ["manager"], note: t("attainment_note") },
    state.source ? null : rowChart(rows, [{ name: label("attainment") }], { unit: "ratio" }));
}
