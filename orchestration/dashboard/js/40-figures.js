// Metrics of any cut: sums of the marts' additive columns, and quotients of such sums as the
// catalogue defines them. What does not add up is taken from the mart that has it, or not shown.

const ADDED_UP = ["daily", "ads", "missed", "waits", "response", "lost", "gaps", "company"];
let CUBE_OF = {};
const STATES = { open_deals: "open_deals", open_amount: "open_amount", open_deals_without_amount: "open_deals_without_amount", presale_deals: "open_deals", presale_amount: "open_amount", presale_deals_without_amount: "open_deals_without_amount" };
// Figures of managers that the marts state, because no sums make them.
const STATED = ["median_response_minutes", "median_cycle_days", "responded_in_5min_rate"];
let STATED_NAMES = [];
taking(() => {
  CUBE_OF = {};
  for (const cube of ADDED_UP) for (const column of columnsOf(cube)) CUBE_OF[column] ||= cube;
  STATED_NAMES = STATED.filter((name) => name in DATA.metrics);
});
// Figures of a period's last day, or of the as-of date in one that still runs.
const AT_THE_END = ["active_customers", "churned_customers", "churn_rate", "retention_rate"];

const dimensionsOf = (column) => ["manager", "source"].filter((key) => keysOf(CUBE_OF[column]).includes(key));

// Which of the filters a metric can follow.
function filtersOf(name) {
  const metric = DATA.metrics[name];
  if (name in STATES) return ["manager", "source"].filter((key) => keysOf("pipeline").includes(key));
  if (!metric || !metric.num) return STATED_NAMES.includes(name) ? ["manager"] : [];
  const columns = [...Object.keys(metric.num), ...Object.keys(metric.den || {})];
  return ["manager", "source"].filter((key) => columns.every((column) => dimensionsOf(column).includes(key)));
}

// The raw tables without which a metric cannot be known, each as a list of which one would do.
function lackOf(name, by = null) {
  const metric = DATA.metrics[name];
  if (!metric) return [];
  const isByManager = by === "manager" || (activeFilters().includes("manager") && filtersOf(name).includes("manager"));
  return [...(metric.missing || []), ...(isByManager ? metric.missing_by_manager || [] : [])];
}

// Whether none of the figures is for the viewer's eyes. What has no sums he sees manager by manager.
function unseen(names, by = null) {
  const isApart = (name) => ABOUT.is_limited && STATED_NAMES.includes(name) && !DATA.metrics[name].num && !state.manager && by !== "manager";
  return names.length > 0 && names.every((name) => DATA.metrics[name]?.hidden || isApart(name));
}

// Whether there are events after the as-of date, which a period that still runs does not hold.
const isLate = (period) => period.running && Object.keys(ABOUT.later).length > 0;

const activeFilters = () => [
  ...(state.manager || state.team ? ["manager"] : []),
  ...(state.source ? ["source"] : []),
];

// Rows that the filters let through, by position in the list; null: all.
function mask(key) {
  if (key === "source") return state.source ? DATA.sources.map((item) => item.id === state.source) : null;
  if (!state.manager && !state.team) return null;
  return DATA.managers.map((item) => (!state.manager || item.id === state.manager) && (!state.team || item.team === state.team));
}
const isChosen = (key, at) => { const kept = mask(key); return !kept || Boolean(kept[at]); };

let sumsMade = new Map();
const forgetSums = () => { sumsMade = new Map(); };

// A column summed by period and, if asked, by manager or source: one list, or one for each.
function sums(column, periods, by, filters) {
  const key = [column, periods.map((period) => `${period.from}-${period.to}`), by, filters].join("|");
  if (sumsMade.has(key)) return sumsMade.get(key);
  const cube = CUBE_OF[column];
  const lists = Array.from({ length: by ? LISTS[by].length : 1 }, () => new Float64Array(periods.length));
  const kept = filters.map((name) => [name, mask(name)]).filter(([, chosen]) => chosen);
  const keys = [...(by ? [by] : []), ...kept.map(([name]) => name)];
  for (const chunk of SOURCE.chunks(cube, [column], rangesOf(periods), keys)) {
    const checks = kept.map(([name, chosen]) => [chunk.keys[name], chosen]);
    const values = chunk.columns[column];
    for (let row = 0; row < chunk.rows; row++) {
      const value = values[row];
      if (!value) continue;
      const slot = chunk.slots ? chunk.slots[chunk.keys.day[row] + PAD] : chunk.slot;
      if (slot < 0 || checks.some(([of, chosen]) => !chosen[of[row]])) continue;
      const list = lists[by ? chunk.keys[by][row] : 0];
      if (list) list[slot] += value;
    }
  }
  sumsMade.set(key, lists);
  return lists;
}
const rangesOf = (periods) => periods.map((period) => [period.from, period.to]);

// A metric by period, null where it is unknown; with `by`, such a list for each manager or source.
function figures(name, periods, by = null) {
  const metric = DATA.metrics[name];
  let lists;
  if (lackOf(name, by).length) lists = unknown(periods, by);
  else if (name in STATES) lists = states(name, periods, by);
  else if (metric && metric.num) lists = quotient(name, metric, periods, by);
  else if (STATED_NAMES.includes(name)) lists = stated(name, periods, by);
  else lists = by ? unknown(periods, by) : [periods.map((period) => companyFigure(name, period))];
  return by ? lists : lists[0];
}

const unknown = (periods, by) => Array.from({ length: by ? LISTS[by].length : 1 }, () => periods.map(() => null));

function quotient(name, metric, periods, by) {
  const columns = Object.keys({ ...metric.num, ...metric.den });
  const isMonthly = columns.some((column) => CUBE_OF[column] === "response");
  if (isMonthly && periods.some((period) => ["day", "week"].includes(period.grain) || period.cut)) return stated(name, periods, by);
  if (by && !columns.every((column) => dimensionsOf(column).includes(by))) return unknown(periods, by);
  const filters = filtersOf(name);
  const [member, spent] = metric.having || [];
  // Over the members that have any of a column only: a source without advertising has no return on it.
  const isOfMembers = member && by !== member;
  const chosen = isOfMembers ? sums(spent, periods, member, filters) : null;
  const sumOf = (column, row, at) => {
    if (!(column in CUBE_OF)) return companyFigure(column, periods[at]);
    if (!isOfMembers) return sums(column, periods, by, filters)[row][at];
    return sums(column, periods, member, filters).reduce((sum, list, place) => sum + (chosen[place][at] ? list[at] : 0), 0);
  };
  const total = (parts, row, at) => Object.entries(parts).reduce((sum, [column, factor]) => {
    const value = sumOf(column, row, at);
    return sum === null || value === null ? null : sum + factor * value;
  }, 0);
  // Nothing but rows without an amount: their sum is not 0, it is unknown.
  const isUnpriced = (row, at) => (metric.lacks || []).some(([column, gap]) => column in CUBE_OF && !sumOf(column, row, at) && sums(gap, periods, by, filters)[row][at] > 0);
  return Array.from({ length: by ? LISTS[by].length : 1 }, (_, row) => periods.map((period, at) => {
    if ((metric.grains && !metric.grains.includes(period.grain)) || (isMonthly && isLate(period)) || !hasDays(period) || isOlder(columns, period) || isUnpriced(row, at)) return null;
    const above = total(metric.num, row, at);
    if (!metric.den) return above;
    const below = total(metric.den, row, at);
    const isBlind = metric.blind && sumOf(metric.blind, row, at) === below;
    return above !== null && below && !isBlind && !(metric.price && above === 0) ? above / below : null;
  }));
}

// Whether a period begins before a part of the page that its figure is made of.
const isOlder = (columns, period) => columns.some((column) => CUBE_OF[column] && CUBE_OF[column] !== "daily" && period.from < sinceDay(CUBE_OF[column]));

function companyFigure(name, period) {
  if (period.cut || (isLate(period) && !AT_THE_END.includes(name))) return null;
  const row = SOURCE.rows("company", period.grain, [[period.from, period.to]])[0];
  return row && isGiven(row[name]) ? row[name] : null;
}

// What the mart states of a manager; of the company where nobody is chosen.
function stated(name, periods, by) {
  const at = DATA.managers.findIndex((item) => item.id === state.manager);
  const one = (period, manager) => (period.cut || isLate(period) ? null : (SOURCE.rows("stated", period.grain, [[period.from, period.to]]).find((row) => row.manager_id === manager) || {})[name] ?? null);
  if (by === "manager") return DATA.managers.map((_, manager) => periods.map((period) => one(period, manager)));
  if (by || (filtersOf(name).includes("source") && state.source)) return unknown(periods, by);
  if (at >= 0) return [periods.map((period) => one(period, at))];
  return [periods.map((period) => (state.team ? null : companyFigure(name, period)))];
}

// The open pipeline at the end of each period; money is unknown where no deal has an amount.
const endOf = (period) => Math.min(period.to - 1, LAST_DAY);
function states(name, periods, by) {
  const [wanted, gap] = [STATES[name], "open_deals_without_amount"];
  const isMoney = wanted === "open_amount";
  const kept = filtersOf(name).map((key) => [key, mask(key)]).filter(([, chosen]) => chosen);
  const isPresale = name.startsWith("presale");
  const keys = [...(by ? [by] : []), ...(isPresale ? ["stage"] : []), ...kept.map(([key]) => key)];
  if (by && !keysOf("pipeline").includes(by)) return unknown(periods, by);
  const chunks = SOURCE.chunks("pipeline", [...new Set([wanted, gap])], periods.map((period) => [endOf(period), endOf(period) + 1]), keys);
  const empty = () => Array.from({ length: by ? LISTS[by].length : 1 }, () => periods.map((period) => (hasState(period) ? 0 : null)));
  const [lists, gaps] = [empty(), empty()];
  for (const chunk of chunks) {
    for (let row = 0; row < chunk.rows; row++) {
      const at = chunk.slots ? chunk.slots[chunk.keys.day[row] + PAD] : chunk.slot;
      if (at < 0 || kept.some(([key, chosen]) => !chosen[chunk.keys[key][row]])) continue;
      if (isPresale && DATA.stages[chunk.keys.stage[row]]?.kind !== "presale") continue;
      const place = by ? chunk.keys[by][row] : 0;
      if (!lists[place] || lists[place][at] === null) continue;
      lists[place][at] += chunk.columns[wanted][row];
      gaps[place][at] += chunk.columns[gap][row];
    }
  }
  return lists.map((list, place) => list.map((value, at) => (isMoney && value === 0 && gaps[place][at] ? null : value)));
}

// A file has the latest days, and of those before the ends of weeks and months.
let pipelineDays = new Set();
taking(() => { pipelineDays = SOURCE.isLive ? null : new Set(SOURCE.chunks("pipeline", [], null).flatMap((chunk) => [...chunk.keys.day])); });
const hasState = (period) => (pipelineDays ? pipelineDays.has(endOf(period)) || endOf(period) > LAST_DAY - 28 : endOf(period) >= 0);

// The period before, or that of a year before; for one that still runs, as many of its days as have
// gone by. Null where there is none.
function comparable(period, how = state.compare) {
  if (how === "none") return null;
  const before = how === "year" ? yearBefore(period) : previousOf(period);
  const days = LAST_DAY + 1 - period.from;
  const same = period.running ? { ...before, to: Math.min(before.to, before.from + days), cut: true } : before;
  if (same.to <= 0 || (same.from < 0 && (!ABOUT.is_whole || how === "year" || same.grain === "range")) || !hasDays(same)) return null;
  return same;
}

// Plans: of the period itself or, where they add up, of the days or months in it.
function plan(name, periods, only = null) {
  if (state.source || lackOf("attainment").length || lackOf(name, "manager").length) return null;
  const metric = DATA.metrics[name];
  const isSum = Boolean(metric && metric.num && !metric.den);
  const kept = mask("manager");
  const isByManager = Boolean(kept) || only !== null || !isSum;
  const rows = SOURCE.plans(rangesOf(periods), isByManager).filter((row) => row.metric === name && (only === null ? !kept || kept[row.manager_id] : row.manager_id === only));
  // Of days that are no period only the plans of days add up.
  const isCut = periods.some((period) => period.cut);
  const wanted = isCut ? (isSum ? ["day"] : []) : [state.from ? periods[0].grain : state.grain, ...(isSum ? ["day", "month"] : [])];
  const longest = state.from ? periods[0].grain : state.grain;
  const grain = wanted.find((one) => rows.some((row) => row.period_grain === one) && (isCut || GRAINS.indexOf(one) <= GRAINS.indexOf(longest)) && !(one === "month" && longest === "week"));
  if (!grain || periods.some((period) => period.from < sinceDay("plans"))) return null;
  // What a ratio was by the as-of date the page counts itself: the mart has it of the whole period.
  const own = !isSum && periods.some(isLate) ? figures(name, periods, "manager") : null;
  const result = periods.map(() => ({ target: 0, actual: 0, due: 0, people: 0, seen: new Set() }));
  for (const row of rows) {
    if (row.period_grain !== grain) continue;
    const entry = result[row.at];
    // Of many at once it is nobody.
    if (!(row.manager_id >= 0)) entry.people += row.people;
    else entry.seen.add(row.manager_id);
    entry.target += row.target;
    const actual = own && isLate(periods[row.at]) ? own[row.manager_id][row.at] : row.actual;
    if (!isSum && (!isGiven(actual) || row.is_unknown)) entry.isUnknown = true;
    entry.actual += actual || 0;
    entry.due += row.due || 0;
  }
  for (const entry of result) entry.people += entry.seen.size;
  const list = result.map((entry) => (entry.people && !entry.isUnknown && (isSum || entry.people === 1) ? entry : null));
  return list.some(Boolean) ? list : null;
}

// The metrics that have plans for a period.
const plannedNames = (period) => [...new Set(SOURCE.plans(rangesOf([period]), Boolean(mask("manager"))).map((row) => row.metric))].filter((name) => DATA.metrics[name]);

// A cube's columns summed over the months that the shown periods touch, by a key.
function cubeSums(name, columns, by, keep = () => true, months = null) {
  const kept = cutsOf(name).map((key) => [key, mask(key)]).filter(([, chosen]) => chosen);
  const keys = keysOf(name).filter((key) => key === by || kept.some(([one]) => one === key) || !["manager", "source", "day"].includes(key));
  const found = new Map();
  if (typeof by === "string" && !keysOf(name).includes(by)) return found;
  for (const chunk of SOURCE.chunks(name, columns, months ? [months] : null, keys)) {
    for (let row = 0; row < chunk.rows; row++) {
      if (chunk.slots && chunk.slots[chunk.keys.day[row] + PAD] < 0) continue;
      if (kept.some(([key, chosen]) => !chosen[chunk.keys[key][row]])) continue;
      const at = (key) => chunk.keys[key][row];
      if (!keep(at)) continue;
      const key = typeof by === "function" ? by(at) : at(by);
      const entry = found.get(key) || Object.fromEntries(columns.map((column) => [column, 0]));
      for (const column of columns) entry[column] += chunk.columns[column][row];
      found.set(key, entry);
    }
  }
  return found;
}

// By which filters a cube can be cut.
const cutsOf = (name) => ["manager", "source"].filter((key) => keysOf(name).includes(key));

// What a file lacks of the months of a card, in words.
function leftOutNote(part, from) {
  const { since, without } = leftOut(part);
  return [since && from < dayOf(since) ? t("left_out_since", { day: dayLabel(since) }) : null, without && without.length ? t("left_out_without", { keys: without.map((key) => t(`filter_${key}`)).join(", ") }) : null].filter(Boolean).join(" ");
}

// Whole months from the first shown day to the last, for marts that have nothing shorter.
function shownMonths() {
  const list = shown();
  if (!list.length) return [0, 0];
  const first = periodAt(dateOf(Math.max(0, list[0].from)), "month").from;
  return [first, periodAt(dateOf(Math.min(LAST_DAY, list[list.length - 1].to - 1)), "month").to];
}
const shownDays = () => { const list = shown(); return list.length ? [list[0].from, list[list.length - 1].to] : [0, 0]; };
