// Pieces of the page.

function h(tag, attributes = {}, ...children) {
  const isSvg = ["svg", "path", "title"].includes(tag);
  const element = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// What a metric means, on hover, focus or touch.
function info(texts) {
  const lines = (Array.isArray(texts) ? texts : [texts]).filter(Boolean);
  if (!lines.length) return null;
  return h("button", { class: "info", type: "button", "aria-label": `${t("what_is_it")}: ${lines.map((line) => (line.join ? line.join(" — ") : line)).join(" ")}`, onclick: (event) => event.stopPropagation() },
    h("span", { "aria-hidden": "true" }, "i"),
    h("span", { class: "tip", role: "tooltip" }, lines.map((line) => (Array.isArray(line) ? h("span", {}, h("b", {}, line[0]), ` — ${line[1]}`) : h("span", {}, line)))));
}
const infoOf = (names) => info(names.length === 1 ? aboutOf(names[0]) : names.map((name) => [label(name), aboutOf(name)]));

// A text whose mark never stands alone on a line.
const titled = (text, mark) => h("h3", {}, ...marked(text, mark));
function marked(text, mark) {
  const words = text.split(" ");
  const last = words.pop();
  return [words.length ? `${words.join(" ")} ` : "", h("span", { class: "nowrap" }, last, mark)];
}

// What the figures of a card do not hold in the shown periods, in words.
function remarksOf(names, periods) {
  const metrics = names.map((name) => DATA.metrics[name] || {});
  const known = names.filter((name) => !lackOf(name).length);
  const partly = [...new Set(known.flatMap((name) => DATA.metrics[name]?.partly || []))];
  const gaps = new Map(known.flatMap((name) => (DATA.metrics[name]?.lacks || []).map(([, gap]) => [gap, filtersOf(name)])));
  const count = (gap, filters) => (gap in STATES ? figures(gap, periods.slice(-1))[0] : sums(gap, periods, null, filters)[0].reduce((sum, value) => sum + value, 0));
  const blind = [...new Set(metrics.map((metric) => metric.blind).filter(Boolean))];
  const last = periods[periods.length - 1];
  const late = last && last.running ? known.filter((name) => ABOUT.later[name]) : [];
  return [
    partly.length ? t("partly", { tables: partly.map(tableName).join(", ") }) : null,
    ...[...gaps].map(([gap, filters]) => [gap, count(gap, filters)]).filter(([, rows]) => rows).map(([gap, rows]) => [plural(`gap_${gap}`, rows), withoutRate(gap)].filter(Boolean).join(" ")),
    ...blind.map((gap) => [gap, figures(gap, periods).reduce((sum, value) => sum + value, 0)]).filter(([, rows]) => rows).map(([gap, rows]) => plural(`blind_${gap}`, rows)),
    late.length ? t("later_not_in", { day: dayLabel(ABOUT.end), figures: late.map((name) => `${label(name)} ${inUnit(ABOUT.later[name], unitOf(name), true)}`).join(", ") }) : null,
  ].filter(Boolean);
}

// The currencies that have no rate, each with its rows of all time; empty where none is known.
const withoutRate = (gap) => {
  const found = ABOUT.without_rate[gap] || [];
  if (!found.length) return "";
  const named = found.slice(0, 5).map(([currency, rows]) => `${currency} (${number(rows)})`);
  return t("no_rate_of", { currencies: found.length > 5 ? `${named.join(", ")}…` : named.join(", ") });
};

// The tables without which none of the figures can be known, in words; null where one can.
function notLoaded(names, by = null) {
  if (unseen(names, by)) return t("unseen");
  const lacks = names.map((name) => lackOf(name, by));
  if (!names.length || lacks.some((clauses) => !clauses.length)) return null;
  const all = new Map(lacks.flat().map((clause) => [clause.join(), clause]));
  return tableNames([...all.values()]);
}

// Which filters the cards of the screen follow, the period among them: its top says which do not act.
let reached = [];
const forgetReach = () => { reached = []; };
const follows = (title, filters, isOfPeriod = true) => { reached.push({ title: title.split(" · ")[0].replace(`, ${dayLabel(ABOUT.end)}`, ""), filters: isOfPeriod ? [...filters, "period"] : filters }); };
const mostNamed = () => (innerWidth <= 760 && !isPrinting ? 2 : 4);

// In words, by filter: of those without a word all cards follow it.
function reach() {
  const most = mostNamed();
  const titles = (test) => [...new Set(reached.filter(test).map((item) => item.title))];
  const about = (name) => {
    const doesAct = (item) => item.filters.includes(name);
    const [deaf, others] = [titles((item) => !doesAct(item)), titles(doesAct)];
    if (!deaf.length) return null;
    const filter = t(name === "manager" ? "reach_manager" : `filter_${name}`);
    // The shorter list says the same.
    const isOnly = others.length < deaf.length && others.length <= most;
    const list = isOnly ? others : deaf;
    const named = list.slice(0, most).map((title) => t("quoted", { text: title })).join(", ");
    const more = list.length > most ? ` ${t("and_more", { count: number(list.length - most) })}` : "";
    return h("span", { "data-deaf": name, title: deaf.join(", ") }, others.length ? t(isOnly ? "reach_only" : "reach_partly", { filter, cards: named + more }) : t("reach_none", { filter }));
  };
  const lines = ["period", "manager", ...(ABOUT.has_sources ? ["source"] : [])].map(about).filter(Boolean);
  return lines.length ? h("p", { class: "reach" }, lines) : null;
}

// A card with a title; the foot says which chosen filter it cannot follow, and what it lacks.
function card({ title, names = [], figuresOf = names, about, filters, note, wide = false, tools = null, id = null, anytime = false }, ...children) {
  if (filters) follows(title, filters, !anytime);
  const ignored = filters ? activeFilters().filter((name) => !filters.includes(name)) : [];
  const notes = [note, ...remarksOf(figuresOf, shown()), ignored.length ? t("not_filtered", { filters: ignored.map((name) => t(`filter_${name}`)).join(", ") }) : null].filter(Boolean);
  return h("section", { class: `card${wide ? " wide" : ""}`, "data-card": id },
    title ? h("header", {}, titled(title, about ? info(about) : names.length ? infoOf(names) : null), tools) : null,
    children,
    notes.length ? h("footer", {}, notes.join(" ")) : null);
}

const empty = (text = t("nothing_here")) => h("p", { class: "empty" }, text);
// Nothing to show: because nothing was loaded, or because there is nothing.
function emptyOf(names, by = null) {
  const lack = notLoaded(names, by);
  if (unseen(names, by)) return empty(t("unseen"));
  if (lack) return empty(`${t("not_loaded")}. ${t("needs", { tables: lack })}`);
  // Rows of others are not told from rows that are not there.
  if (ABOUT.is_limited) return empty(t("unseen_or_nothing"));
  const isUnpriced = names.length && names.every((name) => unitOf(name) === "currency") && remarksOf(names.filter((name) => DATA.metrics[name].lacks), shown()).length;
  return empty(t(isUnpriced ? "unpriced_all" : "nothing_here"));
}
const section = (title, lead, ...children) => h("div", { class: "section" }, h("h2", {}, title), lead ? h("p", { class: "lead" }, lead) : null, ...children);
const grid = (...cards) => h("div", { class: "grid" }, ...cards);

// Buttons of which one is chosen.
function choice(name, options, chosen, onchoose) {
  return h("div", { class: "choice", role: "group", "aria-label": name },
    options.map(([value, text]) => h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => onchoose(value) }, text)));
}

// A line as small as a word; the last point is marked, a running period's is hollow.
function spark(values, periods, unit, width = 96, height = 26) {
  const given = values.filter(isGiven);
  if (given.length < 2) return h("span", { class: "spark" });
  let [low, high] = [Math.min(...given), Math.max(...given)];
  if (!["ratio", "score"].includes(unit)) low = Math.min(low, 0);
  // Small moves of a share must not look like falls.
  const spare = ({ ratio: 0.2, score: 10 }[unit] || 0) - (high - low);
  if (spare > 0) [low, high] = [low - spare / 2, high + spare / 2];
  const x = (at) => 3 + (at * (width - 8)) / Math.max(1, values.length - 1);
  const y = (value) => height - 4 - ((value - low) / (high - low || 1)) * (height - 8);
  const points = values.map((value, at) => (isGiven(value) ? [x(at), y(value)] : null));
  let path = "";
  points.forEach((point, at) => { if (point) path += `${at && points[at - 1] ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`; });
  const last = points.map((point, at) => (point ? at : -1)).reduce((a, b) => Math.max(a, b));
  const words = values.map((value, at) => `${periodLabel(periods[at])}: ${inUnit(value, unit)}`);
  return h("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, preserveAspectRatio: "none", role: "img", "aria-label": `${words[0]} … ${words[last]}` },
    h("title", {}, words.slice(-13).join("\n")),
    h("path", { d: path }),
    h("path", { class: "dot", d: `M${points[last].join(" ")}h0` }),
    periods[last].running ? h("path", { class: "hole", d: `M${points[last].join(" ")}h0` }) : null);
}

// How a figure changed: an arrow and a colour, and words for who sees neither.
function changeOf(now, before, name) {
  const text = changeText(now, before, unitOf(name));
  if (text === null) return null;
  const verdict = /^[+−]?0[^\d,.]/.test(text) ? "" : verdictOf(now, before, goodOf(name));
  const arrow = /^[+−]?0[^\d,.]/.test(text) ? "→" : now > before ? "▲" : "▼";
  return h("span", { class: `change ${verdict}`, title: verdict ? t(verdict === "good" ? "is_better" : "is_worse") : null }, `${arrow} ${text}`);
}

// A headline figure: the period's, against the plan and the period before, with its history.
function kpi(name) {
  const period = current();
  const unit = unitOf(name);
  const value = figures(name, [period])[0];
  const before = comparable(period);
  const earlier = before ? figures(name, [before])[0] : null;
  const history = shown();
  const planned = plan(name, [period]);
  const target = planned && planned[0];
  const ignored = activeFilters().filter((filter) => !filtersOf(name).includes(filter));
  const lack = notLoaded([name]);
  follows(label(name), filtersOf(name));
  if (lack) {
    return h("article", { class: "kpi", "data-metric": name, "data-value": "", "data-lack": "" },
      titled(label(name), infoOf([name])),
      h("div", { class: "figure lacking" }, t(unseen([name]) ? "unseen_short" : "not_loaded")),
      h("footer", {}, unseen([name]) ? lack : t("needs", { tables: lack })));
  }
  const isWholeOnly = !isGiven(value) && period.grain === "range";
  const notes = [...remarksOf([name], [period]), ...(isWholeOnly ? [t("whole_periods_only")] : []), ...(!isGiven(value) && isLate(period) ? [t("later_unknown", { day: dayLabel(ABOUT.end) })] : [])];
  if (ignored.length) notes.push(t("not_filtered", { filters: ignored.map((filter) => t(`filter_${filter}`)).join(", ") }));
  return h("article", { class: "kpi", "data-metric": name, "data-value": isGiven(value) ? value : "" },
    titled(label(name), infoOf([name])),
    h("div", { class: "figure", title: inUnit(value, unit) }, openable(inUnit(value, unit, true), isGiven(value) && specOf(name, period, {}, value))),
    h("div", { class: "against" },
      changeOf(value, earlier, name),
      isGiven(earlier) ? h("span", { class: "muted" }, `${before.cut && period.running ? t(state.compare === "year" ? "same_days_year" : "same_days") : t(state.compare === "year" ? "year_before" : "before")} ${inUnit(earlier, unit, true)}`) : state.compare === "none" ? null : h("span", { class: "muted" }, t("no_comparison"))),
    target && target.target && isGiven(value) ? planBar(target, unit, period.running, value) : null,
    spark(figures(name, history), history, unit, 220, 34),
    notes.length ? h("footer", {}, notes.join(" ")) : null);
}

function planBar(target, unit, isRunning, value) {
  const share = target.actual / target.target;
  const pace = isRunning && target.due ? target.actual / target.due : share;
  const mark = pace >= 1 ? "good" : pace >= 0.9 ? "" : "bad";
  return h("div", { class: "plan", title: t("plan_about", { people: plural("people", target.people), fact: inUnit(target.actual, unit), plan: inUnit(target.target, unit) }) },
    h("div", { class: "bar" }, h("i", { class: mark, style: `width:${Math.min(100, share * 100).toFixed(1)}%` })),
    h("span", {}, t("plan_done", { share: percent(share, 0), fact: inUnit(target.actual, unit, true), plan: inUnit(target.target, unit, true) }),
      // Not everybody has a plan: then the figure above is another one.
      Math.abs(target.actual - value) > 0.005 * Math.abs(value) ? ` · ${plural("with_plan", target.people)}` : ""));
}

const kpis = (...names) => h("div", { class: "kpis" }, names.map(kpi));

// A table that sorts by any column. Columns: key, label, about, cell(row), value(row).
function table({ columns, rows, sort, id }) {
  if (!rows.length) return empty();
  let [key, isUp] = sort;
  const body = h("tbody");
  const heads = columns.map((column) =>
    h("th", { scope: "col", class: column.kind || (column.text ? "text" : null) },
      column.value ? h("button", { type: "button", title: column.about || null, onclick: () => { isUp = key === column.key ? !isUp : Boolean(column.text); key = column.key; fill(); } }, column.label) : column.label,
      column.lack ? h("small", { class: "lacking" }, t("not_loaded")) : null));
  function fill() {
    const by = columns.find((column) => column.key === key);
    // Without a column to sort by, rows stand as they came.
    const sorted = !by ? rows : [...rows].sort((a, b) => {
      const [x, y] = [by.value(a), by.value(b)];
      if (!isGiven(x) || !isGiven(y)) return isGiven(x) ? -1 : isGiven(y) ? 1 : 0;
      return (typeof x === "string" ? x.localeCompare(y, locale()) : x - y) * (isUp ? 1 : -1);
    });
    columns.forEach((column, at) => heads[at].setAttribute("aria-sort", column.key === key ? (isUp ? "ascending" : "descending") : "none"));
    body.replaceChildren(...sorted.map((row) => h("tr", { "data-row": (row.manager || row.source || {}).id }, columns.map((column, at) => h(at ? "td" : "th", { scope: at ? null : "row", class: column.kind || (column.text ? "text" : null), "data-label": column.label, "data-column": column.key }, column.cell(row))))));
  }
  fill();
  const said = (column, row) => { const value = column.value && !column.text ? column.value(row) : null; return typeof value === "number" && Number.isFinite(value) ? value : textOf(column.cell(row)); };
  const shownColumns = columns.filter((column) => column.kind !== "trend");
  return [
    h("div", { class: "scroll", tabindex: "0" }, h("table", { "data-table": id, class: columns.length > 10 ? "dense" : null }, h("thead", {}, h("tr", {}, heads)), body)),
    exportButtons(id, () => ({ head: shownColumns.map((column) => column.label), rows: rows.map((row) => shownColumns.map((column) => said(column, row))) })),
  ];
}

// A metric as a column of a table whose rows are managers or sources.
function metricColumn(name, by, periods) {
  const lists = figures(name, [periods[periods.length - 1]], by);
  const unit = unitOf(name);
  const lack = notLoaded([name], by);
  const about = unseen([name], by) ? lack : lack ? `${t("not_loaded")}. ${t("needs", { tables: lack })}` : aboutOf(name);
  return { key: name, label: label(name), about, lack, value: (row) => lists[row.at][0], cell: (row) => h("span", { "data-metric": name, "data-value": lists[row.at][0] ?? "" }, openable(inUnit(lists[row.at][0], unit, true), isGiven(lists[row.at][0]) && specOf(name, periods[periods.length - 1], { [by]: LISTS[by][row.at].id }, lists[row.at][0]))) };
}
function sparkColumn(name, by, periods) {
  const lists = figures(name, periods, by);
  return { key: `${name}_trend`, kind: "trend", label: t("trend", { metric: label(name) }), cell: (row) => spark(lists[row.at], periods, unitOf(name)) };
}
