// What will come: the forecast against the plan, and open deals by what their next step gains.

let [FORECAST, LISTED_DEALS, FORECAST_MONTHS, PHRASES] = [[], [], [], []];
const [MOST_LISTED, MOST_PRINTED] = [100, 20];
const FORECAST_PARTS = ["paid_so_far", "expected_won_unpaid", "expected_open", "expected_new", "expected_repeat"];
// Of a month that is over nothing is left to be told: the managers' table opens with the next one.
let forecastMonth = null;
takingPart("outlook", (outlook) => {
  [FORECAST, LISTED_DEALS, PHRASES] = [records(outlook.forecast), records(outlook.deals), outlook.phrases];
  FORECAST_MONTHS = [...new Set(FORECAST.map((row) => row.period_start))].sort();
  forecastMonth = FORECAST_MONTHS.find((start) => periodAt(new Date(start), "month").running || dayOf(start) > LAST_DAY) || FORECAST_MONTHS[0];
});

// What the marts say, in the page's language; a number and its unit stay on one line.
const phrase = (at) => PHRASES[at].split("\n")[state.lang === "ru" ? 0 : 1].replace(/(\d) (п\.) (п\.)/g, "$1\u00a0$2\u00a0$3").replace(/(\d) (pp|дн\.|days)/g, "$1\u00a0$2");
const isTeam = () => Boolean(state.team && !state.manager);

// The forecast of a month for who is chosen: a row of the mart; a team's is its managers' added up.
function forecastOf(start) {
  const kept = mask("manager");
  const rows = FORECAST.filter((row) => row.period_start === start && (kept ? !row.is_company && kept[row.manager_id] : row.is_company));
  if (!rows.length || !isTeam()) return rows[0] || null;
  const sum = (name) => (rows.every((row) => isGiven(row[name])) ? rows.reduce((all, row) => all + row[name], 0) : null);
  const target = rows.some((row) => isGiven(row.target)) ? rows.reduce((all, row) => all + (row.target || 0), 0) : null;
  const forecast = sum("forecast");
  return {
    ...Object.fromEntries(FORECAST_PARTS.map((name) => [name, sum(name)])),
    period_start: start, forecast, target, attainment_forecast: target && isGiven(forecast) ? forecast / target : null, forecast_low: null, forecast_high: null,
  };
}

// The tables without which nobody knows what will come.
const forecastLack = () => ["revenue", "open_deals"].filter((name) => lackOf(name).length).slice(0, 1);

function forecastSection() {
  const rows = FORECAST_MONTHS.map(forecastOf);
  const known = rows.filter(Boolean);
  const lack = forecastLack();
  const lead = t("forecast_lead", { day: dayLabel(ABOUT.end) });
  const figure = (name) => rows.map((row) => (row ? row[name] : null));
  const interval = rows.map((row) => (row && isGiven(row.forecast_low) && isGiven(row.forecast_high) ? [row.forecast_low, row.forecast_high] : null));
  const colors = [color(2), color(0), color(5), css("--series-quiet"), color(3)];
  const made = !known.length ? null : intervalChart(
    FORECAST_MONTHS.map((start, at) => `${monthTick(start)}\n${money(figure("forecast")[at], true)}`),
    FORECAST_MONTHS.map(forecastHead),
    {
      parts: FORECAST_PARTS.map((name, at) => ({ name: t(`part_${name}`), values: figure(name), color: colors[at] })),
      marks: [{ name: t("plan"), values: figure("target"), color: color(1), symbol: "rect", size: [72, 3] }],
      bounds: { name: t("interval"), values: interval, color: css("--ink") },
      unit: "currency", stackName: t("forecast"),
    });
  return section(t("title_forecast"), lead, grid(
    chartCard({ id: "forecast", title: t("title_forecast_chart"), figuresOf: lack, about: t("forecast_about"), filters: ["manager"], anytime: true, note: lack.length ? null : forecastNotes(rows, made), height: 330 }, made),
    card({ id: "forecast_table", title: t("title_forecast_table"), figuresOf: lack, about: FORECAST_PARTS.map((name) => [t(`part_${name}`), t(`part_${name}_about`)]), filters: ["manager"], anytime: true },
      lack.length || !known.length ? emptyOf(lack) : forecastTable(rows)),
    state.manager || lack.length || !known.length ? null : forecastPeople()));
}

const forecastHead = (start) => monthName(start) + (periodAt(new Date(start), "month").running && dayOf(start) <= LAST_DAY ? ` (${t("running_short")})` : "");
const monthsOf = (test) => FORECAST_MONTHS.filter((_, at) => test(at)).map(monthName).join(", ");

// What the forecast does not know, in words.
function forecastNotes(rows, made) {
  const unknown = monthsOf((at) => rows[at] && !isGiven(rows[at].forecast));
  const unbounded = monthsOf((at) => rows[at] && isGiven(rows[at].forecast) && !isGiven(rows[at].forecast_low));
  const unplanned = monthsOf((at) => rows[at] && !isGiven(rows[at].target));
  const company = FORECAST.filter((row) => row.is_company);
  return [
    unknown ? t("forecast_unknown", { months: unknown }) : null,
    isTeam() ? t("forecast_interval_team") : unbounded ? t("forecast_unbounded", { months: unbounded }) : null,
    made && made.isCut ? t("forecast_cut") : null,
    unplanned ? t("forecast_unplanned", { months: unplanned }) : null,
    company.every((row) => !row.expected_new && !row.expected_repeat) ? t("forecast_no_new") : null,
  ].filter(Boolean).join(" ");
}

// Of a month that is over both ends are what came.
const intervalText = (row) => (isGiven(row.forecast_low) && row.forecast_high > row.forecast_low ? `${money(row.forecast_low, true)} – ${money(row.forecast_high, true)}` : nothing);

// Months across: three columns fit a phone.
function forecastTable(rows) {
  const line = (key, text, show, isMain = false) => h("tr", { "data-part": key, class: isMain ? "sum" : null },
    h("th", { scope: "row", class: "text" }, text), rows.map((row, at) => h("td", { "data-month": FORECAST_MONTHS[at] }, row ? show(row) : nothing)));
  const amount = (key) => (row) => h("span", { "data-value": isGiven(row[key]) ? row[key] : "", title: money(row[key]) }, openable(money(row[key], true), isGiven(row[key]) && forecastSpec(key, row)));
  return h("div", { class: "scroll", tabindex: "0" }, h("table", { "data-table": "forecast" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text" }, t("forecast")), FORECAST_MONTHS.map((start) => h("th", { scope: "col" }, monthTick(start))))),
    h("tbody", {},
      FORECAST_PARTS.map((name) => line(name, t(`part_${name}`), amount(name))),
      line("forecast", t("forecast_sum"), amount("forecast"), true),
      line("interval", t("interval"), (row) => h("span", { "data-value": isGiven(row.forecast_low) ? `${row.forecast_low}|${row.forecast_high}` : "" }, intervalText(row))),
      line("target", t("plan"), amount("target")),
      line("attainment_forecast", t("forecast_of_plan"), (row) => h("span", { "data-value": isGiven(row.attainment_forecast) ? row.attainment_forecast : "" }, percent(row.attainment_forecast, 0))))));
}

// What has been paid has rows; what is expected is computed, and says of what.
function forecastSpec(key, row) {
  if (!SOURCE.isLive) return null;
  const month = periodAt(new Date(row.period_start), "month");
  const who = state.manager ? { manager: state.manager } : state.team ? { team: state.team } : {};
  const paid = { metric: "revenue", period: month, where: who, value: row.paid_so_far };
  if (key === "paid_so_far") return paid;
  const parts = FORECAST_PARTS.filter((name) => key === "forecast" || name === key);
  return {
    title: `${key === "forecast" ? t("forecast_sum") : key === "target" ? t("plan") : t(`part_${key}`)} · ${monthName(row.period_start)}`,
    about: key === "target" ? aboutOf("target") : key === "forecast" ? t("forecast_about") : null,
    parts: parts.map((name) => [t(`part_${name}`), t(`part_${name}_about`), money(row[name]), name === "paid_so_far" ? paid : null]),
  };
}

// Whose money it will be. The rows add up to the company's or the team's; intervals do not.
function forecastPeople() {
  const rows = FORECAST.filter((row) => row.period_start === forecastMonth && !row.is_company && isChosen("manager", row.manager_id) && [row.forecast, row.target].some((value) => value !== 0 && isGiven(value)));
  const amount = (key, text) => ({ key, label: text, value: (row) => row[key], cell: (row) => h("span", { "data-manager": DATA.managers[row.manager_id]?.id, [`data-${key.replace(/_/g, "-")}`]: row[key] ?? "", title: money(row[key]) }, money(row[key], true)) });
  const name = (row) => nameOf(DATA.managers[row.manager_id]);
  return card({
    id: "forecast_people", title: t("title_forecast_people"), about: t("forecast_people_about"), filters: ["manager"], anytime: true,
    tools: choice(t("grain_month"), FORECAST_MONTHS.map((start) => [start, monthTick(start)]), forecastMonth, (start) => { forecastMonth = start; show(); }),
  }, table({
    id: "forecast_people", rows, sort: ["forecast", false],
    columns: [
      { key: "manager", label: t("manager"), text: true, value: name, cell: name },
      amount("paid_so_far", t("part_paid_so_far")), amount("forecast", t("forecast_sum")),
      { key: "interval", label: t("interval"), cell: intervalText },
      amount("target", t("plan")),
      { key: "attainment", label: t("forecast_of_plan"), value: (row) => row.attainment_forecast, cell: (row) => percent(row.attainment_forecast, 0) },
    ],
  }));
}

// Open deals by expected gain.

const NO_CONTACT_TABLES = ["telephony.calls", "crm.activities", "crm.meetings"];

function dealsAhead() {
  const [sum] = cubeSums("outlook", columnsOf("outlook"), () => 0).values();
  const rows = LISTED_DEALS.filter((row) => isChosen("manager", row.manager_id) && isChosen("source", row.source_id)).slice(0, isPrinting ? MOST_PRINTED : MOST_LISTED);
  const isUnjudged = rows.length && rows.every((row) => row.method === "none");
  const notes = !sum ? [] : [
    sum.outlook_deals > rows.length ? t(state.source || isTeam() ? "deals_shown_partly" : "deals_shown", { shown: number(rows.length), all: number(sum.outlook_deals) }) : null,
    sum.deals_without_amount ? plural("deals_unpriced", sum.deals_without_amount) : null,
    !isUnjudged && sum.deals_without_probability ? plural("deals_unjudged", sum.deals_without_probability) : null,
    rows.some((row) => isGiven(row.gain)) ? t("deals_went_along") : t("deals_no_evidence"),
    rows.some((row) => isGiven(row.reason_1)) ? t("deals_reasons_note") : null,
  ];
  return section(t("title_deals_ahead"), sum ? dealsLead(sum) : null,
    isUnjudged ? h("p", { class: "notice", "data-unjudged-deals": "" }, t("deals_none_about")) : null,
    card({ id: "deals_ahead", wide: true, title: t("title_deals_list", { day: dayLabel(ABOUT.end) }), figuresOf: [], about: t("deals_ahead_about"), filters: ["manager", "source"], anytime: true, note: notes.filter(Boolean).join(" ") || null },
      rows.length ? table({ id: "deals_ahead", rows, sort: [null, false], columns: dealColumns(rows) }) : lackOf("open_deals").length ? emptyOf(["open_deals"]) : empty(t("no_open_deals"))));
}

const dealsLead = (sum) => h("span", { "data-deals": sum.outlook_deals, "data-stale": sum.stale_deals, "data-amount": sum.amount, "data-expected": sum.expected_amount },
  [
    `${plural("deals_open", sum.outlook_deals)}${sum.deals_without_amount < sum.outlook_deals ? t("deals_worth", { amount: money(sum.amount, true) }) : ""}.`,
    sum.deals_without_probability < sum.outlook_deals && sum.deals_without_amount < sum.outlook_deals ? t("deals_expected", { expected: money(sum.expected_amount, true) }) : null,
    sum.stale_deals ? plural("deals_stale", sum.stale_deals) : null,
  ].filter(Boolean).join(" "));

function dealColumns(rows) {
  const manager = (row) => nameOf(DATA.managers[row.manager_id]);
  const stage = (row) => nameOf(DATA.stages[row.stage_id]);
  const day = (iso) => dateFormat(new Date(iso), { day: "numeric", month: "short", ...(iso.slice(0, 4) === ABOUT.end.slice(0, 4) ? {} : { year: "numeric" }) });
  const isSilenceKnown = NO_CONTACT_TABLES.some((name) => !ABOUT.empty.includes(name));
  return [
    { key: "deal", label: t("deal"), text: true, value: (row) => row.deal_id, cell: (row) => h("span", { "data-deal": row.deal_id }, row.deal_id, row.is_stale ? h("small", { class: "verdict cause", "data-is-stale": "", title: t("stale_about") }, t("stale")) : null) },
    { key: "manager", label: t("manager"), text: true, value: manager, cell: manager },
    { key: "stage", label: t("stage"), text: true, value: stage, cell: stage },
    { key: "amount", label: t("amount"), value: (row) => row.amount, cell: (row) => h("span", {}, money(row.amount, isPrinting), row.paid ? h("small", {}, t("deal_paid", { amount: money(row.paid, true) })) : null) },
    { key: "probability", label: t("probability"), about: t("probability_about"), value: (row) => row.probability, cell: (row) => h("span", { "data-probability": row.probability ?? "", "data-low": row.low ?? "", "data-high": row.high ?? "" }, percent(row.probability, 0), isGiven(row.low) ? h("small", {}, `${number(100 * row.low)}–${percent(row.high, 0)}`) : null, row.method === "model" ? null : h("small", { "data-method": row.method }, t(`by_${row.method}`))) },
    { key: "expected", label: t("expected_amount"), about: t("expected_amount_about"), value: (row) => row.expected, cell: (row) => h("span", { "data-expected": row.expected ?? "" }, money(row.expected, isPrinting)) },
    { key: "close", label: t("expected_close"), about: t("expected_close_about"), value: (row) => (row.expected_close_on ? dayOf(row.expected_close_on) : null), cell: (row) => (row.expected_close_on ? h("span", { class: "nowrap" }, day(row.expected_close_on)) : nothing) },
    { key: "silent", label: t("silent_days"), about: t("silent_days_about"), value: (row) => row.silent ?? (isSilenceKnown ? Infinity : null), cell: (row) => (isGiven(row.silent) ? h("span", { class: row.silent >= 30 ? "old" : null }, number(row.silent)) : isSilenceKnown ? h("span", { class: "old" }, t("never")) : nothing) },
    { key: "gain", label: t("gain"), about: t("gain_about"), value: (row) => row.gain, cell: (row) => h("span", { "data-gain": row.gain ?? "" }, isGiven(row.gain) ? money(row.gain, true) : nothing) },
    { key: "step", label: t("next_step"), text: true, value: (row) => (isGiven(row.step) ? phrase(row.step) : null), cell: stepCell },
    rows.some((row) => isGiven(row.reason_1)) ? { key: "why", label: t("reasons"), text: true, cell: (row) => { const said = [row.reason_1, row.reason_2, row.reason_3].filter(isGiven); return said.length ? h("ul", { class: "why" }, said.map((at) => h("li", {}, phrase(at)))) : nothing; } } : null,
  ].filter(Boolean);
}

// The step, and in small type what it went along with.
function stepCell(row) {
  if (!isGiven(row.step)) return nothing;
  const [step, ...evidence] = phrase(row.step).split(". ");
  return h("span", { "data-step": "" }, h("b", {}, step), evidence.length ? h("small", {}, evidence.join(". ")) : null);
}
