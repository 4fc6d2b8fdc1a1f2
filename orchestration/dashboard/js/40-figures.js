// Metrics of any cut: sums of the marts' additive columns, and quotients of such sums as the
// catalogue defines them. What does not add up is taken from the mart that has it, or not shown.

const ADDED_UP = ["daily", "ads", "missed", "waits", "response", "lost", "gaps", "company"];
const CUBE_OF = {};
for (const cube of ADDED_UP) for (const column of Object.keys(CUBES[cube].columns)) CUBE_OF[column] ||= cube;
const STATES = { open_deals: "open_deals", open_amount: "open_amount", open_deals_without_amount: "open_deals_without_amount", presale_deals: "open_deals", presale_amount: "open_amount", presale_deals_without_amount: "open_deals_without_amount" };
// Figures of managers that the marts state, because no sums make them.
const STATED_NAMES = Object.keys(DATA.stated.columns).filter((name) => name in DATA.metrics);
// Figures of a period's last day, or of the as-of date in one that still runs.
const AT_THE_END = ["active_customers", "churned_customers", "churn_rate", "retention_rate"];
const PAD = 800;

function dimensionsOf(column) {
  const cube = CUBE_OF[column];
  const keys = cube ? Object.keys(CUBES[cube].keys) : [];
  return ["manager", "source"].filter((key) => keys.includes(key) && !(cube === "daily" && key === "source" && !ABOUT.has_sources));
}

// Which of the filters a metric can follow.
function filtersOf(name) {
  const metric = DATA.metrics[name];
  if (name in STATES) return ["manager", "source"];
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
  const cube = CUBES[CUBE_OF[column]];
  const slots = new Int16Array(LAST_DAY + 2 * PAD).fill(-1);
  periods.forEach((period, at) => slots.fill(at, Math.max(0, period.from + PAD), Math.max(0, Math.min(period.to, LAST_DAY + 1) + PAD)));
  const lists = Array.from({ length: by ? LISTS[by].length : 1 }, () => new Float64Array(periods.length));
  const checks = filters.map((name) => [cube.keys[name], mask(name)]).filter(([, kept]) => kept);
  const values = cube.columns[column];
  for (let row = 0; row < cube.rows; row++) {
    const value = values[row];
    if (!value) continue;
    const slot = slots[cube.keys.day[row] + PAD];
    if (slot < 0 || checks.some(([keys, kept]) => !kept[keys[row]])) continue;
    const list = lists[by ? cube.keys[by][row] : 0];
    if (list) list[slot] += value;
  }
  sumsMade.set(key, lists);
  return lists;
}

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
    if ((metric.grains && !metric.grains.includes(period.grain)) || (isMonthly && isLate(period)) || isUnpriced(row, at)) return null;
    const above = total(metric.num, row, at);
    if (!metric.den) return above;
    const below = total(metric.den, row, at);
    const isBlind = metric.blind && sumOf(metric.blind, row, at) === below;
    return above !== null && below && !isBlind && !(metric.price && above === 0) ? above / below : null;
  }));
}

function companyFigure(name, period) {
  if (period.cut || (isLate(period) && !AT_THE_END.includes(name))) return null;
  const row = COMPANY.get(`${period.grain}|${period.start}`);
  return row && isGiven(row[name]) ? row[name] : null;
}

// What the mart states of a manager; of the company where nobody is chosen.
function stated(name, periods, by) {
  const at = DATA.managers.findIndex((item) => item.id === state.manager);
  const one = (period, manager) => (period.cut || isLate(period) ? null : (STATED.get(`${period.grain}|${period.start}|${manager}`) || {})[name] ?? null);
  if (by === "manager") return DATA.managers.map((_, manager) => periods.map((period) => one(period, manager)));
  if (by || (filtersOf(name).includes("source") && state.source)) return unknown(periods, by);
  if (at >= 0) return [periods.map((period) => one(period, at))];
  return [periods.map((period) => (state.team ? null : companyFigure(name, period)))];
}

// The open pipeline at the end of each period; money is unknown where no deal has an amount.
function states(name, periods, by) {
  const cube = CUBES.pipeline;
  const isMoney = STATES[name] === "open_amount";
  const empty = () => Array.from({ length: by ? LISTS[by].length : 1 }, () => periods.map((period) => (hasState(period) ? 0 : null)));
  const [lists, gaps] = [empty(), empty()];
  const checks = ["manager", "source"].map((key) => [cube.keys[key], mask(key)]).filter(([, kept]) => kept);
  const ends = new Map(periods.map((period, at) => [Math.min(period.to - 1, LAST_DAY), at]));
  for (let row = 0; row < cube.rows; row++) {
    const at = ends.get(cube.keys.day[row]);
    if (at === undefined || checks.some(([keys, kept]) => !kept[keys[row]])) continue;
    const stage = DATA.stages[cube.keys.stage[row]];
    if (name.startsWith("presale") && (!stage || stage.kind !== "presale")) continue;
    const place = by ? cube.keys[by][row] : 0;
    if (!lists[place] || lists[place][at] === null) continue;
    lists[place][at] += cube.columns[STATES[name]][row];
    gaps[place][at] += cube.columns.open_deals_without_amount[row];
  }
  return lists.map((list, place) => list.map((value, at) => (isMoney && value === 0 && gaps[place][at] ? null : value)));
}

const PIPELINE_DAYS = new Set(CUBES.pipeline.keys.day);
const hasState = (period) => PIPELINE_DAYS.has(Math.min(period.to - 1, LAST_DAY)) || Math.min(period.to - 1, LAST_DAY) > LAST_DAY - 62;

// The period before; for one that still runs, as many of its days as have gone by.
function comparable(period) {
  const before = previousOf(period);
  if (before.to <= 0 || (before.from < 0 && !ABOUT.is_whole)) return null;
  if (!period.running) return before;
  const days = LAST_DAY + 1 - period.from;
  return { ...before, to: Math.min(before.to, before.from + days), cut: true };
}

// Plans: of the period itself or, where they add up, of the days or months in it.
function plan(name, periods, only = null) {
  if (state.source || lackOf("attainment").length || lackOf(name, "manager").length) return null;
  const metric = DATA.metrics[name];
  const isSum = Boolean(metric && metric.num && !metric.den);
  const kept = mask("manager");
  const rows = PLANS.filter((row) => row.metric === name && (only === null ? !kept || kept[row.manager_id] : row.manager_id === only));
  const grain = [state.grain, ...(isSum ? ["day", "month"] : [])].find((wanted) => rows.some((row) => row.period_grain === wanted) && GRAINS.indexOf(wanted) <= GRAINS.indexOf(state.grain) && !(wanted === "month" && state.grain === "week"));
  if (!grain) return null;
  // What a ratio was by the as-of date the page counts itself: the mart has it of the whole period.
  const own = !isSum && periods.some(isLate) ? figures(name, periods, "manager") : null;
  const result = periods.map(() => ({ target: 0, actual: 0, due: 0, people: new Set() }));
  for (const row of rows) {
    if (row.period_grain !== grain) continue;
    const day = dayOf(row.period_start);
    const at = periods.findIndex((period) => day >= period.from && day < period.to);
    if (at < 0) continue;
    const entry = result[at];
    entry.people.add(row.manager_id);
    entry.target += row.target;
    // Days that have not come yet have a plan and no fact.
    if (day > LAST_DAY) continue;
    const actual = own && isLate(periods[at]) ? own[row.manager_id][at] : row.actual;
    if (!isSum && !isGiven(actual)) entry.isUnknown = true;
    entry.actual += actual || 0;
    entry.due += row.target_to_date || 0;
  }
  const list = result.map((entry) => (entry.people.size && !entry.isUnknown && (isSum || entry.people.size === 1) ? { ...entry, people: entry.people.size } : null));
  return list.some(Boolean) ? list : null;
}

// A cube's columns summed over the months that the shown periods touch, by a key.
function cubeSums(name, columns, by, keep = () => true, months = null) {
  const cube = CUBES[name];
  const kept = { manager: cube.keys.manager && mask("manager"), source: cube.keys.source && mask("source") };
  const found = new Map();
  for (let row = 0; row < cube.rows; row++) {
    if (months && (cube.keys.day[row] < months[0] || cube.keys.day[row] >= months[1])) continue;
    if (kept.manager && !kept.manager[cube.keys.manager[row]]) continue;
    if (kept.source && !kept.source[cube.keys.source[row]]) continue;
    const at = (key) => cube.keys[key][row];
    if (!keep(at)) continue;
    const key = typeof by === "function" ? by(at) : at(by);
    const entry = found.get(key) || Object.fromEntries(columns.map((column) => [column, 0]));
    for (const column of columns) entry[column] += cube.columns[column][row];
    found.set(key, entry);
  }
  return found;
}

// Whole months from the first shown day to the last, for marts that have nothing shorter.
function shownMonths() {
  const list = shown();
  if (!list.length) return [0, 0];
  const first = periodAt(dateOf(Math.max(0, list[0].from)), "month").from;
  return [first, periodAt(dateOf(Math.min(LAST_DAY, list[list.length - 1].to - 1)), "month").to];
}
const shownDays = () => { const list = shown(); return list.length ? [list[0].from, list[list.length - 1].to] : [0, 0]; };
