// Customers: who stays, who leaves, what they bring.

let COHORTS = [];
takingPart("cohorts", (cohorts) => { COHORTS = records(cohorts); });

function customers() {
  const periods = shown();
  const line = (names, unit) => timeChart(periods, names.map((name) => metricSeries(name, periods, { kind: "line" })), { unit });
  const bars = (names) => timeChart(periods, names.map((name) => metricSeries(name, periods)), { unit: "count" });
  return [
    kpis("active_customers", "new_customers", "churned_customers", "churn_rate", "arpc", "clv", "csat", "surveys"),
    cohortMap(),
    grid(
      chartCard({ id: "active", title: label("active_customers"), names: ["active_customers"], filters: [] }, line(["active_customers"], "count")),
      chartCard({ id: "come_and_go", title: t("title_come_and_go"), names: ["new_customers", "churned_customers"], filters: [] }, bars(["new_customers", "churned_customers"])),
      chartCard({ id: "retention", title: t("title_retention"), names: ["retention_rate", "churn_rate"], filters: [] }, line(["retention_rate", "churn_rate"], "ratio")),
      chartCard({ id: "clv", title: t("title_clv"), names: ["clv", "arpc"], filters: [], note: state.grain === "month" ? null : t("clv_month") }, line(["clv", "arpc"], "currency")),
      chartCard({ id: "csat", title: label("csat"), names: ["csat"], filters: filtersOf("csat") }, line(["csat"], "ratio")),
      cumulativeCard(),
      customersBySource(),
      satisfactionTable(),
    ),
  ];
}

function cohortMap() {
  const months = [...new Set(COHORTS.filter((row) => row.months_since > 0).map((row) => row.cohort_month))].sort().slice(-24);
  const rows = COHORTS.filter((row) => months.includes(row.cohort_month));
  const last = rows.reduce((most, row) => Math.max(most, row.months_since), 0);
  const sizes = new Map(rows.map((row) => [row.cohort_month, row.customers]));
  // The month of the first payment is always whole: it would only take the colours.
  const cells = rows.filter((row) => row.months_since > 0).map((row) => [row.months_since - 1, months.indexOf(row.cohort_month), row.active_share]);
  const made = last < 1 ? null : heatChart(Array.from({ length: last }, (_, at) => t("months_later", { months: at + 1 })), months.map((month) => `${monthTick(month)} (${number(sizes.get(month))})`), cells, {
    unit: "ratio", labels: innerWidth > 500 || last < 7,
    open: (x, y) => { const row = rows.find((item) => item.cohort_month === months[y] && item.months_since === x + 1); let month = periodAt(new Date(months[y]), "month"); for (let step = 0; step <= x; step++) month = periodAt(dateOf(month.to), "month"); return row && specOf("active", month, { payment__cohort_month: months[y], manager: null, team: null, source: null }, row.active); },
    tip: ([x, y, value]) => {
      const row = rows.find((item) => item.cohort_month === months[y] && item.months_since === x + 1);
      return `<div class="tip-head">${escaped(monthName(months[y]))}, ${t("months_later", { months: x + 1 })}</div>${tipLine("", t("paid_again"), `${number(row.active)} ${t("of")} ${number(row.customers)} (${percent(value)})`)}${tipLine("", label("revenue"), money(row.revenue))}`;
    },
  });
  return chartCard({ id: "cohort_map", wide: true, title: t("title_cohort_map"), figuresOf: ["active"], about: t("cohort_map_about"), filters: [], anytime: true, note: t("cohort_map_note") }, made);
}

// What a customer of a month has brought by now, month after month.
function cumulativeCard() {
  const months = [...new Set(COHORTS.map((row) => row.cohort_month))].sort().slice(-8);
  const last = COHORTS.reduce((most, row) => Math.max(most, row.months_since), 0);
  const steps = Array.from({ length: last + 1 }, (_, at) => ({ at, running: false }));
  const series = months.map((month) => ({
    name: monthTick(month), kind: "line",
    values: steps.map(({ at }) => { const row = COHORTS.find((item) => item.cohort_month === month && item.months_since === at); return row && row.customers ? row.cumulative_revenue / row.customers : null; }),
  }));
  const step = ({ at }) => t("months_later", { months: at });
  return chartCard({ id: "cumulative", title: t("title_cumulative"), figuresOf: ["active"], about: aboutOf("cumulative_revenue"), filters: [], anytime: true, note: withoutRate("payments_unpriced") }, timeChart(steps, series, { unit: "currency", tick: step, name: step }));
}

// Whose customers are content.
function satisfactionTable() {
  const periods = shown();
  const asked = figures("surveys", periods, "manager");
  const rows = DATA.managers.map((manager, at) => ({ manager, at })).filter(({ at }) => isChosen("manager", at) && asked[at].some((value) => value));
  return card({ id: "satisfaction", title: `${label("csat")} · ${periodLabel(current())}`, names: ["csat", "surveys"], filters: filtersOf("csat") }, !rows.length ? emptyOf(["csat"], "manager") : table({
    id: "satisfaction", rows, sort: ["csat", true],
    columns: [
      { key: "name", label: t("manager"), text: true, value: (row) => nameOf(row.manager), cell: (row) => person(row.manager) },
      sparkColumn("csat", "manager", periods), metricColumn("csat", "manager", periods), metricColumn("surveys", "manager", periods),
    ],
  }));
}

function customersBySource() {
  const rows = [...cubeSums("customers", columnsOf("customers"), "source")].map(([at, row]) => ({ at, ...row })).filter((row) => DATA.sources[row.at] && isChosen("source", row.at));
  const column = (key, text, read, write) => ({ key, label: text, value: read, cell: (row) => write(read(row)) });
  return card({ id: "customers_by_source", title: t("title_customers_by_source"), filters: ["source"], anytime: true, note: [t("all_history"), withoutRate("payments_unpriced")].filter(Boolean).join(" ") }, !rows.length ? emptyOf(["active"]) : table({
    id: "customers_by_source", rows, sort: ["customer_revenue", false],
    columns: [
      { key: "name", label: t("source"), text: true, value: (row) => nameOf(DATA.sources[row.at]), cell: (row) => nameOf(DATA.sources[row.at]) },
      column("customers", t("customers"), (row) => row.customers, number),
      column("active", t("active_share"), (row) => row.customers_active / row.customers, percent),
      column("customer_revenue", label("revenue"), (row) => row.customer_revenue, (value) => money(value, true)),
      column("each", t("revenue_each"), (row) => row.customer_revenue / row.customers, (value) => money(value, true)),
    ],
  }));
}
