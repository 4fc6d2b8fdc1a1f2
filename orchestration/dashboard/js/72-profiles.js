// Profiles: each manager's rates of a month against the team's, and what a step of the funnel costs.

const MOST_GAPS = 3;

// A profile is of a month: the one in which the chosen period ends, as far as the data reach.
const profileMonth = () => periodAt(dateOf(Math.min(current().to - 1, LAST_DAY)), "month");

function profiles(role) {
  const month = profileMonth();
  const found = new Map();
  for (const row of SOURCE.rows("profiles", "month", [[month.from, month.to]])) {
    if (row.period_start !== month.start || !isChosen("manager", row.manager_id) || roleOf(DATA.managers[row.manager_id]) !== role) continue;
    if (lackOf(row.metric, "manager").length) continue;
    found.set(row.manager_id, [...(found.get(row.manager_id) || []), row]);
  }
  if (!found.size) return [];
  follows(t("profiles", { month: "" }), ["manager"]);
  const ignored = activeFilters().filter((name) => name === "source").map((name) => t(`filter_${name}`));
  const lead = [t("profiles_lead"), ignored.length ? t("not_filtered", { filters: ignored.join(", ") }) : null].filter(Boolean).join(" ");
  // The steps of a way to a sale first, in their order.
  const place = (row) => [row.funnel ? 0 : 1, row.funnel || "", row.from_step || 0, row.to_step || 0];
  const inOrder = (a, b) => { const [x, y] = [place(a), place(b)]; const at = x.findIndex((value, i) => value !== y[i]); return at < 0 ? 0 : x[at] < y[at] ? -1 : 1; };
  for (const rows of found.values()) rows.sort(inOrder);
  const cards = [...found].sort(([one], [other]) => one - other).map(([at, rows]) => profileCard(at, rows, month));
  return [section(t("profiles", { month: periodLabel(month) }), lead, h("div", { class: "cases" }, cards))];
}

function profileCard(at, rows, month) {
  const manager = DATA.managers[at];
  const load = SOURCE.rows("loads", "month", [[month.from, month.to]]).find((row) => row.manager_id === at && row.period_start === month.start);
  const isAlone = rows.every((row) => row.team_managers < 2);
  const gaps = isAlone ? [] : dearestGaps(rows);
  const list = (row) => h("li", { "data-gap": row.metric }, `${label(row.metric)}: `, h("b", {}, gapText(row)), row.verdict ? "" : ` · ${t("by_chance")}`, row.is_small_sample ? ` · ${t("small_sample", { count: number(row.denominator) })}` : "");
  return h("section", { class: "card case", "data-profile": manager.id },
    h("header", {}, h("h3", {}, nameOf(manager), manager.gone ? h("small", {}, t("left")) : null)),
    load && load.depth_or_breadth ? h("p", { "data-load": load.depth_or_breadth }, t(`load_${load.depth_or_breadth}`, { deals: number(load.deals_in_work), team: number(load.team_deals_in_work, 1), actions: number(load.actions_per_deal, 1), usual: number(load.team_actions_per_deal, 1) })) : null,
    isAlone ? h("p", { class: "advice none" }, t("profile_alone"))
      : gaps.length ? h("div", { class: "advice" }, h("b", {}, t("gaps_title")), info(t("gaps_about")), h("ul", {}, gaps.map(list))) : null,
    h("div", { class: "scroll", tabindex: "0" }, h("table", { class: "checks", "data-table": `profile_${manager.id}` },
      h("thead", {}, h("tr", {}, ["rate", "own", "team_median", "cases", "verdict"].map((key, column) => h("th", { scope: "col", class: column === 0 || column === 4 ? "text" : null }, t(`profile_${key}`))))),
      h("tbody", {}, rows.map((row) => h("tr", { "data-rate": row.metric, "data-value": row.value, "data-median": row.team_median },
        h("th", { scope: "row", class: "text" }, ...marked(label(row.metric), info(aboutOf(row.metric)))),
        h("td", {}, openable(percent(row.value), specOf(row.metric, month, { manager: manager.id, source: null }))), h("td", {}, row.team_managers < 2 ? nothing : percent(row.team_median)), h("td", {}, number(row.denominator)),
        h("td", { class: "text" }, verdictMark(row))))))));
}

// What the interval says; few cases are marked whatever it says.
function verdictMark(row) {
  const few = row.is_small_sample ? h("span", { class: "verdict", "data-small": "" }, t("few_cases")) : null;
  if (!row.verdict) return few || "";
  return h("span", {}, h("span", { class: `verdict ${row.verdict === "strength" ? "ok" : "cause"}`, "data-verdict": row.verdict }, t(`profile_${row.verdict}`)), few ? " " : null, few);
}

const gapText = (row) => [isGiven(row.gap_in_money) ? money(row.gap_in_money, true) : t("no_price"), t("gap_deals", { deals: number(row.gap_in_deals, 1) })].join(" · ");

// The steps that cost most, of which no two speak of the same part of the way.
function dearestGaps(rows) {
  const overlap = (one, other) => one.funnel === other.funnel && one.from_step < other.to_step && other.from_step < one.to_step;
  const found = [];
  for (const row of rows.filter((item) => item.gap_in_deals > 0).sort((a, b) => b.gap_in_money - a.gap_in_money || b.gap_in_deals - a.gap_in_deals)) {
    if (found.length < MOST_GAPS && !found.some((other) => overlap(row, other))) found.push(row);
  }
  return found;
}
