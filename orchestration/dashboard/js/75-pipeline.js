// Pipeline: what is open, where it stands and for how long.

let openPipeline = null;
let PRESALE = [];
takingPart("presale", (presale) => { PRESALE = records(presale); });

function pipeline() {
  const periods = shown();
  const stages = DATA.stages.map((stage, at) => ({ stage, at })).sort((a, b) => a.stage.pipeline - b.stage.pipeline || a.stage.no - b.stage.no);
  const end = [current()];
  const [amounts, deals] = [figures("open_amount", end, "stage"), figures("open_deals", end, "stage")];
  const history = figures("open_amount", periods, "stage");
  const counts = figures("open_deals", periods, "stage");
  const worth = DATA.pipelines.map((_, place) => stages.filter(({ stage }) => stage.pipeline === place).reduce((sum, { at }) => sum + counts[at].reduce((a, b) => a + (b || 0), 0), 0));
  const pipelines = worth.map((_, place) => place).filter((place) => worth[place]).sort((a, b) => worth[b] - worth[a]);
  openPipeline = chosenPipeline(pipelines);
  const ofPipeline = stages.filter(({ stage }) => stage.pipeline === openPipeline);
  // All stages that deals pass, also those without any: a stage keeps its colour.
  const passed = ofPipeline.filter(({ stage, at }) => ["open", "presale"].includes(stage.kind) && (!stage.gone || history[at].some((value) => value)));
  return [
    kpis("open_deals", "open_amount", "presale_deals", "presale_amount"),
    forecastSection(),
    dealsAhead(),
    h("h2", {}, t("title_where")),
    pipelines.length > 1 ? choice(t("pipeline"), pipelines.map((place) => [place, nameOf(DATA.pipelines[place])]), openPipeline, (place) => change({ pipeline: DATA.pipelines[place].id })) : null,
    chartCard({ id: "open_by_stage", wide: true, title: t("title_open_by_stage"), names: ["open_amount"], filters: filtersOf("open_amount"), note: t("at_period_end"), height: 320 },
      timeChart(periods, passed.map(({ stage, at }, place) => ({ name: nameOf(stage), values: history[at], stack: "sum", color: color(place), open: (when) => specOf("open_amount", periods[when], { stage: stage.id }, history[at][when]) })), { unit: "currency", wide: true, stackName: label("open_amount") })),
    grid(
      chartCard({ id: "stage_amount", title: `${label("open_amount")} · ${asOfText()}`, names: ["open_amount", "open_deals"], figuresOf: ["open_amount"], filters: filtersOf("open_amount") },
        rowChart(ofPipeline.filter(({ at }) => deals[at][0]).map(({ stage, at }) => ({ name: nameOf(stage), values: [amounts[at][0]], text: `${money(amounts[at][0], true)} · ${number(deals[at][0])}`, color: stage.kind === "presale" ? color(2) : color(0), details: [[label("open_deals"), number(deals[at][0])]], open: () => specOf("open_amount", current(), { stage: stage.id }, amounts[at][0]) })), [{ name: label("open_amount") }], { unit: "currency" })),
      ageingCard(),
    ),
    presaleCard(),
  ];
}

const asOfText = () => dayLabel(isoOf(dateOf(Math.min(current().to - 1, LAST_DAY))));

function ageLabel(age) {
  const [from, to] = ABOUT.age_bands[age];
  if (from === 0) return t("age_under", { days: to + 1 });
  return to === null ? t("age_over", { days: from }) : t("age_between", { from, to });
}

function ageingCard() {
  const found = cubeSums("ageing", ["aged_deals"], (at) => `${at("stage")}|${at("age")}`);
  const ages = ABOUT.age_bands.map((_, age) => age);
  const stages = [...new Set([...found.keys()].map((key) => Number(key.split("|")[0])))].filter((at) => DATA.stages[at] && DATA.stages[at].pipeline === openPipeline).sort((a, b) => DATA.stages[a].no - DATA.stages[b].no);
  const rows = stages.map((at) => {
    const values = ages.map((age) => (found.get(`${at}|${age}`) || { aged_deals: 0 }).aged_deals);
    return { name: nameOf(DATA.stages[at]), values, text: number(values.reduce((a, b) => a + b, 0)) };
  });
  return chartCard({ id: "ageing", title: t("title_ageing", { day: dayLabel(ABOUT.end) }), figuresOf: ["open_deals"], about: t("ageing_about"), filters: ["manager", "source"], anytime: true },
    rowChart(rows, ages.map((age) => ({ name: ageLabel(age), color: css(ABOUT.age_bands[age][0] ? `--heat-${Math.min(5, age + 1)}` : "--series-quiet") })), { unit: "count" }));
}

function presaleCard() {
  const found = PRESALE.filter((row) => isChosen("manager", row.manager_id) && isChosen("source", row.source_id));
  const rows = isPrinting ? found.slice(0, MOST_PRINTED) : found;
  return card({ id: "presale", wide: true, title: t("title_presale", { day: dayLabel(ABOUT.end) }), names: ["presale_deals", "presale_amount"], filters: ["manager", "source"], anytime: true, note: rows.length < found.length ? t("deals_shown", { shown: number(rows.length), all: number(found.length) }) : PRESALE.length >= 200 ? t("presale_limit") : null }, !rows.length ? emptyOf(["presale_deals"]) : table({
    id: "presale", rows, sort: ["amount", false],
    columns: [
      { key: "deal", label: t("deal"), text: true, value: (row) => row.deal_id, cell: (row) => row.deal_id },
      { key: "manager", label: t("manager"), text: true, value: (row) => nameOf(DATA.managers[row.manager_id]), cell: (row) => nameOf(DATA.managers[row.manager_id]) },
      { key: "stage", label: t("stage"), text: true, value: (row) => nameOf(DATA.stages[row.stage_id]), cell: (row) => nameOf(DATA.stages[row.stage_id]) },
      { key: "source", label: t("source"), text: true, value: (row) => nameOf(DATA.sources[row.source_id]), cell: (row) => nameOf(DATA.sources[row.source_id]) },
      { key: "amount", label: t("amount"), value: (row) => row.amount, cell: (row) => money(row.amount) },
      { key: "days", label: t("days_in_stage"), value: (row) => row.days, cell: (row) => h("span", { class: row.days >= 30 ? "old" : null, title: row.is_at_least ? t("at_least") : null }, `${row.is_at_least ? "≥ " : ""}${number(row.days)}`) },
    ],
  }));
}
