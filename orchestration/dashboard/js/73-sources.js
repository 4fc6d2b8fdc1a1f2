// Sources: what each brings and what it costs.

// A source keeps its colour whatever is chosen: the greatest have one each.
let sourceRanks = null;
taking(() => { sourceRanks = null; });
function sourceColor(at) {
  if (!sourceRanks) {
    const totals = sums("leads_created", [{ from: -PAD, to: LAST_DAY + 1 }], "source", []).map((list) => list[0]);
    if (SOURCE.isWanting()) return color(0);
    sourceRanks = totals.map((total, place) => [total, place]).sort((a, b) => b[0] - a[0]).map(([, place]) => place);
  }
  const rank = sourceRanks.indexOf(at);
  return rank < 7 ? color(rank) : css("--series-quiet");
}

function sources() {
  const periods = shown();
  const names = ["leads_created", "target_lead_rate", "meetings_set", "set_meetings_held", "new_customers", "revenue", "ad_spend", "cpl", "cost_per_target_lead", "source_cac", "romi"];
  const lists = names.map((name) => figures(name, periods, "source"));
  const rows = DATA.sources.map((source, at) => ({ source, at })).filter(({ at }) => isChosen("source", at) && lists.some((list) => list[at].some((value) => value)));
  if (!ABOUT.has_sources) return [empty(t("no_sources"))];
  if (!rows.length) return [emptyOf(names)];
  const byVolume = [...rows].sort((a, b) => lists[0][b.at].reduce((x, y) => x + (y || 0), 0) - lists[0][a.at].reduce((x, y) => x + (y || 0), 0));
  const bySource = (name, kind, count = 7) => byVolume.slice(0, count).map((row) => ({ name: nameOf(row.source), values: figures(name, periods, "source")[row.at], kind, stack: kind ? undefined : "sum", color: sourceColor(row.at), open: (at) => specOf(name, periods[at], { source: row.source.id }) }));
  const last = [current()];
  const bars = (name, good) => {
    const values = figures(name, last, "source");
    const list = rows.filter((row) => isGiven(values[row.at][0])).sort((a, b) => (values[b.at][0] - values[a.at][0]) * (good ? 1 : -1));
    return chartCard({ id: `sources_${name}`, title: `${label(name)} · ${periodLabel(current())}`, names: [name], filters: filtersOf(name) },
      rowChart(list.map((row) => ({ name: nameOf(row.source), values: [values[row.at][0]], color: sourceColor(row.at), open: () => specOf(name, current(), { source: row.source.id }, values[row.at][0]) })), [{ name: label(name) }], { unit: unitOf(name) }));
  };
  return [
    kpis("leads_created", "target_lead_rate", "ad_spend", "cpl", "cac", "romi"),
    card({ id: "sources", wide: true, title: `${t("screen_sources")} · ${periodLabel(current())}`, filters: filtersOf("cpl"), note: t("sources_note"), figuresOf: names }, table({
      id: "sources", rows, sort: ["leads_created", false],
      columns: [
        { key: "name", label: t("source"), text: true, value: (row) => nameOf(row.source), cell: (row) => nameOf(row.source) },
        sparkColumn("target_lead_rate", "source", periods),
        ...names.map((name) => metricColumn(name, "source", periods)),
      ],
    })),
    grid(
      chartCard({ id: "target_by_source", title: label("target_lead_rate"), names: ["target_lead_rate"], filters: filtersOf("target_lead_rate") }, timeChart(periods, bySource("target_lead_rate", "line"), { unit: "ratio" })),
      chartCard({ id: "leads_by_source", title: label("leads_created"), names: ["leads_created"], filters: filtersOf("leads_created") }, timeChart(periods, bySource("leads_created"), { unit: "count", stackName: label("leads_created") })),
      bars("cpl", false), bars("romi", true),
      chartCard({ id: "spend_by_source", title: label("ad_spend"), names: ["ad_spend"], filters: filtersOf("ad_spend") }, timeChart(periods, bySource("ad_spend"), { unit: "currency", stackName: label("ad_spend") })),
      chartCard({ id: "revenue_by_source", title: label("revenue"), names: ["revenue"], filters: filtersOf("revenue") }, timeChart(periods, bySource("revenue"), { unit: "currency", stackName: label("revenue") })),
    ),
  ];
}
