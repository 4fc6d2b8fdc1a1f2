// Metrics of any cut: sums of the marts' additive columns, and quotients of such sums as the
// catalogue defines them. What does not add up is taken from the mart that has it, or not shown.

const ADDED_UP = ["daily", "ads", "missed", "response", "lost"];
const CUBE_OF = {};
for (const cube of ADDED_UP) for (const column of Object.keys(CUBES[cube].columns)) CUBE_OF[column] ||= cube;
const STATES = { open_deals: ["open_deals"], open_amount: ["open_amount"], presale_deals: ["open_deals"], presale_amount: ["open_amount"] };
const PAD = 800;

function dimensionsOf(cube) {
  const keys = Object.keys(CUBES[cube].keys);
  return ["manager", "source"].filter((key) => keys.includes(key) && !(cube === "daily" && key === "source" && !ABOUT.has_sources));
}

// Which of the filters a metric can follow.
function filtersOf(name) {
  const metric = DATA.metrics[name];
  if (name in STATES) return ["manager", "source"];
  if (!metric || !metric.num) return name.startsWith("median_") ? ["manager"] : [];
  const columns = [...Object.keys(metric.num), ...Object.keys(metric.den || {})];
  return ["manager", "source"].filter((key) => columns.every((column) => dimensionsOf(CUBE_OF[column]).includes(key)));
}

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
  const size = by ? LISTS[by].length : 1;
  let lists;
  if (name in STATES) lists = states(name, periods, by);
  else if (metric && metric.num) lists = quotient(name, metric, periods, by);
  else if (name.startsWith("median_")) lists = medians(name, periods, by);
  else lists = Array.from({ length: size }, () => periods.map((period) => (by ? null : companyFigure(name, period))));
  return by ? lists : lists[0];
}

function quotient(name, metric, periods, by) {
  const filters = filtersOf(name);
  const columns = Object.keys({ ...metric.num, ...metric.den });
  const isMonthly = columns.some((column) => CUBE_OF[column] === "response");
  const size = by ? LISTS[by].length : 1;
  if (isMonthly && periods.some((period) => ["day", "week"].includes(period.grain) || period.cut)) return Array.from({ length: size }, () => periods.map(() => null));
  if (by && !columns.every((column) => dimensionsOf(CUBE_OF[column]).includes(by))) return Array.from({ length: size }, () => periods.map(() => null));
  const total = (parts, row, at) => Object.entries(parts).reduce((sum, [column, factor]) => sum + factor * sums(column, periods, by, filters)[row][at], 0);
  return Array.from({ length: size }, (_, row) => periods.map((period, at) => {
    const above = total(metric.num, row, at);
    if (!metric.den) return above;
    const below = total(metric.den, row, at);
    return below ? above / below : null;
  }));
}

const companyFigure = (name, period) => {
  const row = period.cut ? null : COMPANY.get(`${period.grain}|${period.start}`);
  return row && isGiven(row[name]) ? row[name] : null;
};

function medians(name, periods, by) {
  const at = DATA.managers.findIndex((item) => item.id === state.manager);
  const one = (period, manager) => (period.cut ? null : (MEDIANS.get(`${period.grain}|${period.start}|${manager}`) || {})[name] ?? null);
  if (by === "manager") return DATA.managers.map((_, manager) => periods.map((period) => one(period, manager)));
  if (by) return LISTS[by].map(() => periods.map(() => null));
  if (at >= 0) return [periods.map((period) => one(period, at))];
  return [periods.map((period) => (state.team ? null : companyFigure(name, period)))];
}

// The open pipeline at the end of each period.
function states(name, periods, by) {
  const cube = CUBES.pipeline;
  const lists = Array.from({ length: by ? LISTS[by].length : 1 }, () => periods.map((period) => (hasState(period) ? 0 : null)));
  const [column] = STATES[name];
  const checks = ["manager", "source"].map((key) => [cube.keys[key], mask(key)]).filter(([, kept]) => kept);
  const ends = new Map(periods.map((period, at) => [Math.min(period.to - 1, LAST_DAY), at]));
  for (let row = 0; row < cube.rows; row++) {
    const at = ends.get(cube.keys.day[row]);
    if (at === undefined || checks.some(([keys, kept]) => !kept[keys[row]])) continue;
    const stage = DATA.stages[cube.keys.stage[row]];
    if (name.startsWith("presale") && (!stage || stage.kind !== "presale")) continue;
    const list = lists[by ? cube.keys[by][row] : 0];
    if (list && list[at] !== null) list[at] += cube.columns[column][row];
  }
  return lists;
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
  if (state.source) return null;
  const isSum = DATA.metrics[name] && !DATA.metrics[name].den && !(name in STATES);
  const kept = mask("manager");
  const rows = PLANS.filter((row) => row.metric === name && (only === null ? !kept || kept[row.manager_id] : row.manager_id === only));
  const grain = [state.grain, ...(isSum ? ["day", "month"] : [])].find((wanted) => rows.some((row) => row.period_grain === wanted) && GRAINS.indexOf(wanted) <= GRAINS.indexOf(state.grain) && !(wanted === "month" && state.grain === "week"));
  if (!grain) return null;
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
    if (day <= LAST_DAY) { entry.actual += row.actual || 0; entry.due += row.target_to_date || 0; }
  }
  const list = result.map((entry) => (entry.people.size && (isSum || entry.people.size === 1) ? { ...entry, people: entry.people.size } : null));
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
