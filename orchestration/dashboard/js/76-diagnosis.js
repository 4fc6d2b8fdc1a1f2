// Diagnosis: why a manager's results fell, in words and figures.

const CHIEF = {
  few_meetings_set: ["meetings_set"],
  meetings_not_held: ["meetings_set", "set_meetings_held"],
  meetings_without_payments: ["set_meetings_held", "set_meetings_paid"],
};

// The checks of each situation, in the mart's order: seeds/reference/diagnostic_checks.csv.
const CHECKS = {"meetings_without_payments": ["target_lead_rate", "new_source_share", "call_quality"], "meetings_not_held": ["target_lead_rate", "new_source_share", "call_quality", "meeting_confirmation_rate", "confirmed_to_held_rate"], "few_meetings_set": ["calls_60s", "talk_minutes", "leads_taken", "target_lead_rate"]};
// What the checks look at that are no metrics.
const CHECKED = { call_quality: ["needs_found_rate", "next_step_rate"], new_source_share: ["meetings_set"] };
const diagnosisGrain = () => (["week", "month"].includes(state.grain) ? state.grain : "month");

// The tables without which a situation cannot be judged: its figures', and people to judge.
const situationLack = (situation) => [
  ...(ABOUT.empty.includes("crm.managers") ? [["crm.managers"]] : []),
  ...(CHIEF[situation] || []).flatMap((name) => lackOf(name, "manager")),
];

// What the diagnosis could not judge and why, in sentences.
function unjudged(grain) {
  const ended = choices(grain).filter((period) => !period.running);
  if (ended.length < 2) return [t("unjudged_history", { grain: t(`two_${grain}s`) })];
  const periods = shown();
  if (periods.length && periods[0].from < sinceDay("diagnosis")) return [t("left_out_since", { day: dayLabel(leftOut("diagnosis").since) })];
  const byTables = new Map();
  const add = (text, clauses) => {
    const tables = tableNames([...new Map(clauses.map((clause) => [clause.join(), clause])).values()]);
    if (clauses.length) byTables.set(tables, new Set([...(byTables.get(tables) || []), text]));
  };
  const judged = Object.keys(CHIEF).filter((situation) => {
    add(t("quoted", { text: t(`situation_${situation}`) }), situationLack(situation));
    return !situationLack(situation).length;
  });
  const checks = new Set(judged.flatMap((situation) => CHECKS[situation]));
  for (const check of checks) {
    const lacks = (CHECKED[check] || [check]).map((name) => lackOf(name, "manager"));
    // Of two figures that a check looks at, one will do.
    if (lacks.every((clauses) => clauses.length)) add(t("unjudged_check", { check: label(CHECKED[check]?.[0] || check) }), lacks[0]);
  }
  return [...byTables].map(([tables, texts]) => t("unjudged_tables", { what: [...texts].join(", "), tables }));
}
const silentNote = (sentences) => (sentences.length ? h("div", { class: "silent", "data-unjudged": sentences.length }, h("b", {}, t("unjudged")), h("ul", {}, sentences.map((text) => h("li", {}, text)))) : null);

// The mart's rows by situation, the newest first; each with its checks in their order.
function situations(grain) {
  const periods = shown();
  const [from, to] = periods.length ? [periods[0].from, periods[periods.length - 1].to] : [0, 0];
  const found = new Map();
  for (const row of SOURCE.rows("diagnosis", grain, [[from - 31, to]])) {
    const period = periodAt(new Date(row.period_start), grain);
    if (row.period_grain !== grain || period.to <= from || period.from >= to || !isChosen("manager", row.manager_id)) continue;
    if (situationLack(row.situation).length) continue;
    const key = `${row.period_start}|${row.manager_id}|${row.situation}`;
    const item = found.get(key) || { period, manager: DATA.managers[row.manager_id], at: row.manager_id, situation: row.situation, checks: [] };
    item.checks.push(lackOf(row.metric, "manager").length ? { ...row, verdict: "not_loaded", current_value: null, previous_value: null } : row);
    found.set(key, item);
  }
  return [...found.values()].map((item) => ({ ...item, causes: item.checks.filter((row) => row.verdict === "cause") })).sort((a, b) => b.period.from - a.period.from || a.at - b.at);
}

const causeText = (row) => `${label(row.metric)} ${inUnit(row.previous_value, unitOf(row.metric))} → ${inUnit(row.current_value, unitOf(row.metric))}`;

function diagnosis() {
  follows(t("screen_diagnosis"), ["manager"]);
  const grain = diagnosisGrain();
  const found = situations(grain);
  const silent = silentNote(unjudged(grain));
  const quiet = state.grain === grain ? null : h("p", { class: "lead" }, t("diagnosis_grain"));
  const lead = h("p", { class: "lead" }, t("diagnosis_lead"));
  if (!found.length) return [lead, quiet, silent, empty(t(!Object.keys(CHIEF).some((situation) => !situationLack(situation).length) ? "diagnosis_nothing" : silent ? "diagnosis_none_judged" : "diagnosis_none"))];
  return [lead, quiet, silent, h("div", { class: "cases" }, found.map(caseCard))];
}

function caseCard(item) {
  const pair = [previousOf(item.period), item.period];
  const mainFigures = (CHIEF[item.situation] || []).map((name) => {
    const [before, now] = withoutFilters(() => figures(name, pair, "manager")[item.at]);
    return h("div", {}, h("span", { class: "muted" }, label(name)), h("b", {}, openable(inUnit(now, unitOf(name)), specOf(name, item.period, { manager: item.manager.id, source: null }, now))), h("span", {}, changeOf(now, before, name), h("span", { class: "muted" }, ` ${t("before")} ${inUnit(before, unitOf(name))}`)));
  });
  const advice = item.causes.map((row) => row[`advice_${state.lang}`]);
  return h("section", { class: "card case", "data-case": `${item.period.start}|${item.manager.id}|${item.situation}` },
    h("header", {}, h("h3", {}, nameOf(item.manager), h("small", {}, periodLabel(item.period)))),
    h("p", { class: "situation" }, wordFor("situation", item.situation)),
    h("div", { class: "facts" }, mainFigures),
    advice.length ? h("div", { class: "advice" }, h("b", {}, t("what_to_do")), h("ul", {}, advice.map((text) => h("li", {}, text)))) : h("p", { class: "advice none" }, t("no_cause")),
    h("div", { class: "scroll" }, h("table", { class: "checks" },
      h("thead", {}, h("tr", {}, ["check", "was", "now", "verdict"].map((key, at) => h("th", { scope: "col", class: at === 0 || at === 3 ? "text" : null }, t(key))))),
      h("tbody", {}, item.checks.map((row) => h("tr", { class: row.verdict },
        h("th", { scope: "row", class: "text" }, ...marked(label(row.metric), info(aboutOf(row.metric)))),
        ["previous_value", "current_value"].map((key, at) => h("td", {}, openable(inUnit(row[key], unitOf(row.metric)), isGiven(row[key]) && specOf(row.metric, pair[at], { manager: item.manager.id, source: null })))),
        h("td", { class: "text" }, h("span", { class: `verdict ${row.verdict}` }, wordFor("verdict", row.verdict)))))))));
}

// The diagnosis is about all of a manager's work: the source filter does not cut its figures.
function withoutFilters(read) {
  const kept = state.source;
  state.source = "";
  forgetSums();
  try { return read(); } finally { state.source = kept; forgetSums(); }
}
