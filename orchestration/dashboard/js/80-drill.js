// The rows behind a figure, on a server: what is counted, what they come to, and each row's place in
// the CRM. What a figure is, is one thing for all screens: a metric, its days, and what cuts it.

const MOST_ROWS = 200;
const CALENDAR = ["day", "week", "month", "quarter", "year"];

// What a figure is; null where nothing opens. `by` names what cuts it beside the filters.
function specOf(name, period, by = {}, value = null) {
  if (!SOURCE.isLive || !DATA.metrics[name] || !period) return null;
  // Null says that a filter does not act on the figure.
  const where = { ...by };
  for (const [key, chosen] of Object.entries(filterValues(name))) if (!(key in where) && !(key === "team" && "manager" in where)) where[key] = chosen;
  return { metric: name, period, where: Object.fromEntries(Object.entries(where).filter(([, chosen]) => chosen !== null)), value };
}
function filterValues(name) {
  const filters = filtersOf(name);
  return {
    ...(filters.includes("manager") ? (state.manager ? { manager: state.manager } : state.team ? { team: state.team } : {}) : {}),
    ...(filters.includes("source") && state.source ? { source: state.source } : {}),
  };
}

function openable(content, spec) {
  return spec ? h("button", { type: "button", class: "open", title: t("open_rows"), onclick: (event) => { event.stopPropagation(); openRows(spec); } }, content) : content;
}

// The days of a figure as the server takes them: a period of the calendar or, for free dates and for
// a part of a period, the first and the last day. States are those of the last day.
function daysOf(metric, period) {
  const last = isoOf(dateOf(endOf(period)));
  if (metric in STATES) return [["grain", "day"], ["period", last]];
  const isPart = period.cut || (period.running && Object.keys(ABOUT.later).length > 0);
  if (CALENDAR.includes(period.grain) && !isPart) return [["grain", period.grain], ["period", period.start]];
  return [["where", `metric_time >= '${isoOf(dateOf(period.from))}'`], ["where", `metric_time <= '${last}'`]];
}
function rowsQuery(metric, { period, where }, more) {
  const conditions = Object.entries(where).map(([key, value]) => ["where", typeof value !== "string" ? `${key} = ${value}` : `${key} = '${String(value).replace(/'/g, "''")}'`]);
  return `api/rows?${new URLSearchParams([["metric", metric], ...daysOf(metric, period), ...conditions, ...more])}`;
}

const partsOfMetric = (name) => (DATA.parts || {})[name];
const nameOfValue = (key, value) => nameOf((LISTS[key] || []).find((item) => item.id === value) || { name: String(value) });

let columnNames = null;
takingPart("columns", (columns) => { columnNames = columns; });

function openRows(spec) {
  if (!spec) return;
  document.querySelector("dialog.drill")?.remove();
  const body = h("div", { class: "drill-body" });
  const close = () => dialog.close();
  const dialog = h("dialog", { class: "drill", "aria-labelledby": "drill-title", onclose: () => dialog.remove(), onclick: (event) => { if (event.target === dialog) close(); } }, body);
  document.body.append(dialog);
  const head = (...more) => h("header", {}, h("div", {}, h("h2", { id: "drill-title" }, spec.title || label(spec.metric)), h("p", { class: "muted" }, [spec.period && periodLabel(spec.period), ...Object.entries(spec.where || {}).map(([key, value]) => `${wordFor("filter", key)}: ${nameOfValue(key, value)}`)].filter(Boolean).join(" · ")), more), h("button", { type: "button", class: "close", "aria-label": t("close"), onclick: close }, "×"));

  if (spec.parts) body.replaceChildren(head(), explained(spec));
  else choosePart([spec.metric]);
  dialog.showModal();

  // From a rate to what it is made of, down to what has rows.
  function choosePart(path) {
    while (partsOfMetric(path[path.length - 1])?.parts.length) path = [...path, partsOfMetric(path[path.length - 1]).parts[0]];
    const choices = path.slice(0, -1).map((name, depth) => h("div", { class: "drill-part", "data-formula": name }, h("span", { class: "muted" }, `${label(name)} = ${formulaText(name)}`), choice(t("choose_part"), partsOfMetric(name).parts.map((part) => [part, label(part)]), path[depth + 1], (part) => choosePart([...path.slice(0, depth + 1), part]))));
    const rows = h("div", { class: "drill-rows", "aria-busy": "true" }, h("p", { class: "empty" }, t("loading")));
    body.replaceChildren(head(), ...choices, rows);
    load(path[path.length - 1], path.length === 1, rows);
  }

  async function load(metric, isItself, place, most = MOST_ROWS) {
    try {
      const [response, columns] = await Promise.all([fetch(rowsQuery(metric, spec, [["limit", most]]), { cache: "no-cache", headers: { Accept: "application/json" } }), columnNames || fetch("api/page?ask=part:columns", { cache: "no-cache" }).then((one) => (one.ok ? one.json() : null)).then((found) => (columnNames = found ? found.answers[0] : {}))]);
      const answer = await response.json().catch(() => ({}));
      if (!response.ok) return said(place, "no_rows_for", [answer.detail, answer.remedy, `${label(metric)}: ${aboutOf(metric)}`]);
      if (answer.publication_id !== SOURCE.publication) { close(); renew(); return; }
      place.replaceChildren(...rowsOf(metric, answer, isItself, columns, () => load(metric, isItself, place, 5 * most)));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      said(place, "failure_unreachable", [t("failure_unreachable_about")], () => load(metric, isItself, place, most));
    } finally {
      place.removeAttribute("aria-busy");
    }
  }
  function said(place, title, lines, retry = null) {
    place.replaceChildren(h("div", { class: "failure", role: "alert" }, h("b", {}, t(title)), lines.filter(Boolean).map((line) => h("p", {}, line)), retry ? h("button", { type: "button", class: "reset", onclick: retry }, t("retry")) : null));
  }

  function rowsOf(metric, answer, isItself, titles, more) {
    const unit = unitOf(metric);
    const exact = (value) => inUnit(value === null ? null : Number(value), unit);
    const isSame = !isItself || !isGiven(spec.value) || Math.abs(Number(answer.figure || 0) - spec.value) <= 1e-6 * Math.max(1, Math.abs(spec.value));
    const sum = [plural("rows_count", answer.count), answer.is_sum ? t("rows_sum", { sum: exact(answer.total) }) : t("rows_figure", { figure: exact(answer.figure), rule: wordFor("rule", (answer.rule || "").replace(/ /g, "_")) })].join(" · ");
    const link = (format) => h("a", { class: "reset", href: rowsQuery(metric, spec, [["format", format], ["lang", state.lang]]), download: "" }, format.toUpperCase());
    return [
      h("div", { class: "drill-sum" }, h("p", { "data-count": answer.count, "data-total": answer.total ?? "", "data-figure": answer.figure ?? "" }, h("b", {}, sum)), answer.count ? h("div", { class: "exports" }, link("csv"), link("xlsx")) : null),
      isSame ? null : h("p", { class: "notice" }, t("rows_differ", { shown: inUnit(spec.value, unit), rows: exact(answer.figure) })),
      !answer.count ? h("p", { class: "empty" }, t("rows_none")) : rowsTable(answer, unit, titles),
      answer.count > answer.rows.length ? h("p", { class: "muted" }, t("rows_first", { shown: number(answer.rows.length), all: number(answer.count) }), " ", h("button", { type: "button", class: "reset", onclick: more }, t("rows_more"))) : null,
      h("p", { class: "muted" }, t("rows_from", { table: answer.table, counted: answer.counted })),
    ].filter(Boolean);
  }
}

const formulaText = (name) => { const { formula, parts } = partsOfMetric(name); return parts.reduce((text, part) => text.replace(new RegExp(`\\b${part}\\b`, "g"), label(part)), formula.replace(/::\s*\w+/g, "").replace(/nullif\(([^(),]+), 0\)/g, "$1")); };

function rowsTable(answer, unit, titles) {
  // A key gives way to its name, and so does what is empty or counts each row as one.
  const names = new Set(answer.columns.map(({ name }) => name));
  const isNamed = (name) => names.has(name.replace(/_id$/, "_name")) || names.has(`${name}_name`);
  const isOnes = unit === "count" && answer.rows.every((row) => Number(row[answer.columns.findIndex(({ name }) => name === "value")]) === 1);
  const rank = ({ name, at }) => (at < 2 || name === "value" ? at : /_url$/.test(name) ? 10 : /(_name|^team|^company|^amount)$/.test(name) ? 20 : 100 + at);
  const columns = answer.columns.map((column, at) => ({ ...column, at })).filter(({ name, at }) => (name === "value" ? !isOnes : at < 2 || (!(/(_id|_by)$/.test(name) && isNamed(name)) && answer.rows.some((row) => isGiven(row[at]) && row[at] !== "")))).sort((a, b) => rank(a) - rank(b) || a.at - b.at);
  const isText = ({ at, name }) => name !== "value" && answer.rows.some((row) => isGiven(row[at]) && typeof row[at] !== "number");
  const title = ({ name }) => (name === "value" ? t("row_value") : /_url$/.test(name) ? wordFor("link", name) : state.lang === "ru" ? titles[name] || name : name.replace(/_/g, " "));
  return h("div", { class: "scroll", tabindex: "0" }, h("table", { "data-table": "rows" },
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: isText(column) ? "text" : null }, title(column))))),
    h("tbody", {}, answer.rows.map((row) => h("tr", {}, columns.map((column) => h("td", { class: isText(column) ? "text" : null, "data-column": column.name }, cellOfRow(row[column.at], column.name, unit))))))));
}
function cellOfRow(value, name, unit) {
  if (!isGiven(value)) return "";
  if (/_url$/.test(name)) return /^https?:\/\//i.test(value) ? h("a", { href: value, target: "_blank", rel: "noopener noreferrer" }, wordFor("open_link", name)) : String(value);
  if (name === "value") return inUnit(Number(value), unit);
  if (typeof value === "number") return number(value, 2);
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  const time = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}).*)?$/.exec(value);
  return time ? h("span", { class: "nowrap" }, `${dateFormat(new Date(time[1]), { day: "numeric", month: "short", year: "numeric" }).replace(/\./g, "")}${time[2] && time[2] !== "00:00" ? `, ${time[2]} UTC` : ""}`) : String(value);
}

// A figure that no rows come to: how it comes about, part by part. Parts: name, text, value, spec.
const explained = ({ about, parts }) => h("div", { class: "drill-rows" }, about ? h("p", {}, about) : null, h("table", {}, h("tbody", {}, parts.map(([name, text, value, spec]) => h("tr", {}, h("th", { scope: "row", class: "text" }, name, text ? h("small", {}, text) : null), h("td", {}, openable(value, spec)))))));
