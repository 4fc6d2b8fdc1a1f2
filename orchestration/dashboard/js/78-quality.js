// Data: what the figures rest on.

let QUALITY = NO_PARTS.quality;
takingPart("quality", (part) => { QUALITY = part; });

function quality() {
  const { quarantine, checks, kinds, tables, found, drift } = QUALITY;
  const kept = tables.reduce((sum, row) => sum + row.rows_kept, 0);
  const fact = (name, value, verdict = "") => h("div", { class: `fact ${verdict}` }, h("span", { class: "muted" }, name), h("b", {}, value));
  const bad = ABOUT.checks_failed;
  const reasons = isPrinting ? quarantine.slice(0, MOST_PRINTED) : quarantine;
  const byTable = tables.map((row) => [row.table_name, row.rows_quarantined]);
  const months = withQuietMonths([...new Set(found.map((row) => row.month))].sort());
  const periods = months.map((month) => periodAt(new Date(month), "month"));
  const names = [...new Set(found.map((row) => row.check_name))].sort();
  const column = (key, text, isText = false) => ({ key, label: text, text: isText, value: (row) => row[key], cell: (row) => (isText ? row[key] : number(row[key])) });
  return [
    h("div", { class: "facts-row" },
      fact(t("as_of"), ABOUT.as_of ? dayLabel(ABOUT.end) : nothing),
      fact(t("published_at"), `${dayLabel(ABOUT.published_at)}, ${dateFormat(new Date(ABOUT.published_at), { hour: "2-digit", minute: "2-digit" })} UTC`),
      fact(t("publication"), ABOUT.publication_id),
      fact(t("raw_rows"), `${number(ABOUT.raw_rows)} · ${plural("files", ABOUT.raw_files)}`),
      fact(t("kept"), number(kept)),
      fact(t("quarantined"), number(ABOUT.rows_quarantined), ABOUT.rows_quarantined ? "warn" : "good"),
      fact(t("checks_passed"), number(ABOUT.checks_passed), "good"),
      fact(t("checks_warned"), number(ABOUT.checks_warned), ABOUT.checks_warned ? "warn" : "good"),
      fact(t("checks_failed"), number(bad), bad ? "bad" : "good")),
    leftOutCard(),
    notLoadedCard(),
    grid(
      card({ id: "checks", title: t("title_checks"), about: t("checks_about") },
        checks.length ? h("ul", { class: "remarks" }, checks.map((row) => checkRemark(row))) : empty(t("checks_fine")),
        h("p", { class: "muted" }, kinds.map((row) => t("kind_line", { kind: wordFor("kind", row.kind), passed: number(row.passed), all: number(row.passed + row.warned + row.failed) })).join(" · "))),
      chartCard({ id: "quarantine_tables", title: t("title_quarantine"), about: t("quarantine_about") }, rowChart(byTable.sort((a, b) => b[1] - a[1]).slice(0, 12).map(([name, rows]) => ({ name: wordFor("table", name.replace(".", "_")), values: [rows], color: css("--warn-fill") })), [{ name: t("rows") }], { unit: "count", rowHeight: 26 })),
      card({ id: "reasons", title: t("title_quarantine_reasons"), note: reasons.length < quarantine.length ? t("deals_shown", { shown: number(reasons.length), all: number(quarantine.length) }) : null }, table({ id: "quarantine", rows: reasons, sort: ["rows", false], columns: [{ ...column("reason", t("reason"), true), cell: (row) => reasonText(row.reason) }, { ...column("table", t("table"), true), cell: (row) => tableCell(row.table) }, column("rows", t("rows"))] })),
      chartCard({ id: "found", title: t("title_found"), names: ["rows"] }, timeChart(periods, names.map((name) => ({ name: wordFor("found", name), stack: "sum", values: months.map((month) => found.filter((row) => row.month === month && row.check_name === name).reduce((sum, row) => sum + row.rows, 0)) })), { unit: "count" })),
    ),
    card({ id: "tables", wide: true, title: t("title_tables"), about: t("tables_about") }, table({
      id: "tables", rows: tables, sort: ["rows_read", false],
      columns: [{ key: "table_name", label: t("table"), text: true, value: (row) => row.table_name, cell: (row) => h("span", {}, tableCell(row.table_name), row.rows_kept ? null : h("small", { class: "lacking" }, ` ${t("not_loaded")}`)) }, column("files", t("files_column")), column("rows_read", t("rows_read")), column("rows_kept", t("rows_kept")), column("rows_quarantined", t("quarantined"))],
    })),
    drift.length ? card({ id: "drift", wide: true, title: t("title_drift"), about: t("drift_about") }, table({ id: "drift", rows: drift, sort: ["table_name", true], columns: [{ ...column("table_name", t("table"), true), cell: (row) => tableCell(row.table_name) }, column("column_name", t("column"), true), column("data_type", t("type"), true), column("files", t("files_column"))] })) : null,
    backtest(),
  ];
}

// What a file has no room for.
function leftOutCard() {
  const parts = Object.entries(ABOUT.left_out || {});
  if (!parts.length) return null;
  const text = ({ since, days_since: days, without }) => [
    since ? t("left_out_since", { day: dayLabel(since) }) : null,
    days ? t("left_out_days", { day: dayLabel(days) }) : null,
    without ? t("left_out_without", { keys: without.map((key) => t(`filter_${key}`)).join(", ") }) : null,
  ].filter(Boolean).join(" ");
  return card({ id: "left_out", wide: true, title: t("title_left_out"), about: t("left_out_about"), note: t("left_out_serve") },
    h("ul", { class: "remarks" }, ABOUT.is_whole ? null : h("li", {}, t("not_whole", { day: dayLabel(ABOUT.start) })), parts.map(([name, item]) => h("li", {}, h("b", {}, t(`part_of_${name}`)), `: ${text(item)}`))));
}

// What a check asks, in the page's language; what it found stands below as the engineers wrote it.
// dbt names a test after its model and columns: what it asks is in how the name begins.
const GENERIC_CHECKS = ["grain_is_unique", "members_exist", "accepted_values", "not_null", "unique", "relationships"];
function checkRemark(row) {
  const texts = TEXTS[state.lang];
  const named = [row.check_name, ...GENERIC_CHECKS.filter((name) => row.check_name.startsWith(`${name}_`))].map((name) => `check_${name}`).find((key) => key in texts);
  return h("li", { "data-check": row.check_name }, h("b", {}, tableCell(row.asset || row.check_name)), " ", h("span", {}, [named ? t(named) : row.message || row.check_name, row.failing_rows ? plural("rows_found", row.failing_rows) : ""].join(" ")),
    named && row.message ? h("small", { class: "muted", lang: "en" }, row.message) : null);
}

// A table as people call it, and its name in the warehouse.
function tableCell(name) {
  const key = `table_${name.replace(".", "_")}`;
  return key in TEXTS[state.lang] ? h("span", {}, t(key), h("span", { class: "code" }, ` (${name})`)) : name;
}
// “amount: range” as “amount — beyond its bounds”.
const reasonText = (reason) => { const [column, rule] = reason.split(": "); return rule ? `${column}: ${wordFor("rule", rule)}` : reason; };

// Months without a remark are shown as such; a date that is years away stands by itself.
const MOST_QUIET_MONTHS = 24;
function withQuietMonths(months) {
  const all = [];
  for (const month of months) {
    const between = [];
    if (all.length) {
      for (let next = nextOf(new Date(all[all.length - 1]), "month"); isoOf(next) < month && between.length <= MOST_QUIET_MONTHS; next = nextOf(next, "month")) between.push(isoOf(next));
    }
    all.push(...(between.length <= MOST_QUIET_MONTHS ? between : []), month);
  }
  return all;
}

// Which tables have no rows, and what nobody can know without them.
function notLoadedCard() {
  const groups = new Map();
  for (const name of Object.keys(DATA.metrics)) {
    if (!(DATA.metrics[name].missing || []).length) continue;
    const lack = tableNames(DATA.metrics[name].missing);
    groups.set(lack, [...(groups.get(lack) || []), name]);
  }
  if (!groups.size) return null;
  return card({ id: "not_loaded", wide: true, title: t("title_not_loaded"), about: t("not_loaded_about") },
    h("ul", { class: "remarks" }, [...groups].map(([tables, names]) => h("li", {}, h("b", {}, tables), `: ${names.map(label).join(", ")}`))));
}
