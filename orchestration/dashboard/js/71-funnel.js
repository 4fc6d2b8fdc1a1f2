// Funnel: from the lead to the money, and stage by stage.

let funnelPipeline = null;
// The one in the address, else the first.
const chosenPipeline = (places) => places.find((at) => DATA.pipelines[at].id === state.pipeline) ?? places[0] ?? null;
// What leads on from a step of the way, where the catalogue has such a share.
const WAY_RATES = { leads_created: "target_lead_rate", meetings_set: "meeting_show_rate", deals_created: "won_share" };
const WAY = ["leads_created", "leads_target", "meetings_set", "set_meetings_held", "deals_created", "deals_won"];

function funnel() {
  const months = shownMonths();
  const byPipeline = cubeSums("funnel", ["reached"], "pipeline", () => true, months);
  const pipelines = [...byPipeline.entries()].sort((a, b) => b[1].reached - a[1].reached).map(([at]) => at).filter((at) => DATA.pipelines[at]);
  funnelPipeline = chosenPipeline(pipelines);
  const range = monthsText(months);
  return [
    section(t("funnel_period"), t("funnel_period_lead", { period: periodLabel(current()) }), grid(wayCard(), wayRatesCard(), touchesCard(), offersCard())),
    section(t("funnel_cohort"), `${t("funnel_cohort_lead", { range })} ${leftOutNote("funnel", months[0])}`.trim(),
      pipelines.length > 1 ? choice(t("pipeline"), pipelines.map((at) => [at, nameOf(DATA.pipelines[at])]), funnelPipeline, (at) => change({ pipeline: DATA.pipelines[at].id })) : null,
      pipelines.length ? [grid(stagesCard(months), lostHereCard(months)), grid(reasonsCard(), cohortsCard(months)), grid(funnelTable("manager", months), funnelTable("source", months))] : emptyOf(["reached"])),
  ];
}

const monthsPeriod = ([from, to]) => daysFrom(from, to);
const monthsText = ([from, to]) => {
  const [first, last] = [monthName(isoOf(dateOf(from))), monthName(isoOf(dateOf(to - 1)))];
  return first === last ? first : `${first} – ${last}`;
};

function wayCard() {
  const period = [current()];
  const values = WAY.map((name) => figures(name, period)[0]);
  const lacking = WAY.filter((name) => lackOf(name).length);
  const stepOf = (name) => {
    const share = name ? figures(name, period)[0] : null;
    return isGiven(share) ? [share, `${label(name)} ${percent(share)}`] : null;
  };
  const rows = WAY.map((name, at) => ({ name: label(name), values: [values[at]], text: number(values[at]), details: [], open: () => specOf(name, current(), {}, values[at]), step: stepOf(WAY_RATES[name]) }));
  return chartCard({ id: "way", title: t("title_way"), names: [...WAY, ...Object.values(WAY_RATES)], figuresOf: WAY, filters: filtersOf("leads_created"), note: [t("way_note"), lacking.length ? t("not_loaded_of", { names: lacking.map(label).join(", "), tables: notLoaded(lacking) }) : ""].join(" ") }, rowChart(rows, [{ name: periodLabel(current()), color: color(0) }], { unit: "count", rowHeight: 42, steps: t("title_rates") }));
}

function wayRatesCard() {
  const periods = shown();
  const names = ["lead_conversion_rate", "call_to_meeting_rate", "meeting_show_rate", "held_to_paid_rate", "win_rate"];
  return chartCard({ id: "way_rates", title: t("title_rates"), names, filters: filtersOf("win_rate") }, timeChart(periods, names.map((name) => metricSeries(name, periods, { kind: "line" })), { unit: "ratio" }));
}

// What people did: calls have a screen of their own.
const TOUCHES = ["emails_sent", "messages_sent", "social_touches"];
const OFFERS = ["proposals_sent", "presentations", "demos_held", "visits_held"];
function actionsCard(id, names) {
  const periods = shown();
  return chartCard({ id, title: t(`title_${id}`), names, filters: filtersOf(names[0]) }, timeChart(periods, names.map((name) => metricSeries(name, periods, { stack: "sum" })), { unit: "count" }));
}
const touchesCard = () => actionsCard("touches", TOUCHES);
const offersCard = () => actionsCard("offers", OFFERS);

// The stages of the chosen pipeline that deals pass, in their order.
function funnelStages(months) {
  const columns = ["reached", "advanced", "lost_here", "won_here", "still_here", "skipped"];
  const found = cubeSums("funnel", columns, "stage", (at) => at("pipeline") === funnelPipeline, months);
  return [...found.entries()].map(([at, sum]) => ({ stage: DATA.stages[at], ...sum })).sort((a, b) => a.stage.no - b.stage.no);
}

function stagesCard(months) {
  const stages = funnelStages(months);
  const first = stages.length ? stages[0].reached : 0;
  const rows = stages.map((item) => ({
    name: nameOf(item.stage), values: [item.reached], open: () => specOf("reached", monthsPeriod(months), { stage: item.stage.id }, item.reached), text: `${number(item.reached)} · ${percent(item.reached / first, 0)}`,
    step: item.stage.kind === "won" || !item.reached ? null : [item.advanced / item.reached, percent(item.advanced / item.reached)],
    details: [
      ...(item.stage.kind === "won" ? [] : [[label("conversion_to_next"), percent(item.reached ? item.advanced / item.reached : null)]]),
      [label("skipped"), number(item.skipped)],
    ],
  }));
  return chartCard({ id: "stages", title: label("reached"), names: ["reached", "conversion_to_next", "skipped"], filters: cutsOf("funnel") }, rowChart(rows, [{ name: label("reached") }], { unit: "count", rowHeight: 42, steps: label("conversion_to_next") }));
}

function lostHereCard(months) {
  const stages = funnelStages(months);
  const counted = stages.reduce((sum, item) => sum + item.lost_here + item.won_here + item.still_here, 0);
  const unknown = stages.length ? stages[0].reached - counted : 0;
  const rows = stages.filter((item) => item.stage.kind !== "won" || item.lost_here).map((item) => ({ name: nameOf(item.stage), values: [item.lost_here, item.still_here], text: number(item.lost_here + item.still_here), open: (which) => { const name = ["lost_here", "still_here"][which]; return specOf(name, monthsPeriod(months), { stage: item.stage.id }, item[name]); } }));
  if (unknown) rows.push({ name: t("stage_unknown"), values: [0, unknown], text: number(unknown) });
  return chartCard({ id: "lost_here", title: t("title_lost_here"), names: ["lost_here", "still_here"], filters: cutsOf("funnel") },
    rowChart(rows, [{ name: label("lost_here"), color: css("--bad-fill") }, { name: label("still_here"), color: css("--series-quiet") }], { unit: "count", rowHeight: 42 }));
}

function reasonsCard() {
  const found = [...cubeSums("lost", ["deals_lost", "lost_amount"], "reason", () => true, shownDays()).entries()].sort((a, b) => b[1].deals_lost - a[1].deals_lost);
  const reasons = SOURCE.reasons();
  const total = found.reduce((sum, [, item]) => sum + item.deals_lost, 0);
  const rows = found.slice(0, 10).map(([at, item]) => ({
    name: reasons[at] === "unknown" ? t("no_reason") : reasons[at], values: [item.deals_lost], text: `${number(item.deals_lost)} · ${percent(item.deals_lost / total, 0)}`,
    open: () => specOf("deals_lost", daysFrom(...shownDays()), { deal__lost_reason: reasons[at] }, item.deals_lost),
    details: [[label("lost_amount"), money(item.lost_amount)]],
  }));
  return chartCard({ id: "reasons", title: t("title_reasons"), names: ["deals_lost", "lost_amount"], filters: cutsOf("lost"), note: `${t("reasons_note")} ${leftOutNote("lost", shownDays()[0])}`.trim() }, rowChart(rows, [{ name: label("deals_lost"), color: css("--bad-fill") }], { unit: "count" }));
}

// What became of a pipeline's deals, by a key: won + lost + open = all. Open are also those whose
// stage is in no funnel.
function outcomes(by, months) {
  const first = firstStage(months);
  const inPipeline = (at) => at("pipeline") === funnelPipeline;
  const all = cubeSums("funnel", ["reached"], by, (at) => inPipeline(at) && at("stage") === first, months);
  const closed = cubeSums("funnel", ["won_here", "lost_here"], by, inPipeline, months);
  return [...all.entries()].map(([at, { reached }]) => {
    const { won_here: won, lost_here: lost } = closed.get(at);
    return { at, all: reached, won, lost, open: reached - won - lost };
  });
}

// Of the deals created in a month, how many have been won by now.
function cohortsCard(months) {
  const found = outcomes("day", months).sort((a, b) => a.at - b.at);
  const periods = found.map(({ at }) => periodAt(dateOf(at), "month"));
  const share = (key) => found.map((row) => row[key] / row.all);
  return chartCard({ id: "cohorts", title: t("title_cohorts"), about: t("cohorts_about"), filters: cutsOf("funnel") },
    timeChart(periods, [{ name: t("cohort_won"), values: share("won"), stack: "sum", color: color(2) }, { name: t("cohort_open"), values: share("open"), stack: "sum", color: css("--series-quiet") }], { unit: "ratio" }));
}
const firstStage = (months) => { const [first] = funnelStages(months); return first ? DATA.stages.indexOf(first.stage) : -1; };

function funnelTable(by, months) {
  const rows = outcomes(by, months).filter(({ at }) => LISTS[by][at]).map((row) => ({ ...row, item: LISTS[by][row.at] }));
  const count = (key, text) => ({ key, label: text, value: (row) => row[key], cell: (row) => number(row[key]) });
  return card({ id: `funnel_${by}`, title: t(`funnel_by_${by}`), filters: cutsOf("funnel") }, table({
    id: `funnel_${by}`, rows, sort: ["all", false],
    columns: [
      { key: "name", label: t(by), text: true, value: (row) => nameOf(row.item), cell: (row) => nameOf(row.item) },
      count("all", t("deals")), count("won", t("won")), count("lost", t("lost")), count("open", t("open")),
      { key: "share", label: t("share_won"), value: (row) => row.won / row.all, cell: (row) => percent(row.won / row.all) },
    ],
  }));
}
