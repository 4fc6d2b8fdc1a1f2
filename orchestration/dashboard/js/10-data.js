// What the page shows and where it comes from: the data inside this file or, without them, a server
// that is asked for what a screen needs. Screens read by SOURCE and do not know which it is.

const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const EMBEDDED = document.getElementById("data").textContent.trim();
const DAY_MS = 86400000;

let DATA = null;
let ABOUT = {};
let LAST_DAY = 0;
let LISTS = {};
let TEAMS = [];

const dayOf = (iso) => Math.round((Date.parse(iso) - Date.parse(ABOUT.start)) / DAY_MS);
const dateOf = (day) => new Date(Date.parse(ABOUT.start) + day * DAY_MS);
const isoOf = (date) => date.toISOString().slice(0, 10);

// The forms in which dashboard/encode.py writes a column.
function decode(column) {
  if (Array.isArray(column)) return column;
  if (column.w) return Array.from(decode(column.i), (at) => (at === null ? null : column.w[at]));
  if (column.d) {
    let value = 0;
    return decode(column.d).map((step) => (value += step));
  }
  const values = [];
  if (column.r) {
    for (let i = 0; i < column.r.length; i += 2) {
      for (let times = column.r[i + 1]; times > 0; times--) values.push(column.r[i]);
    }
    return values;
  }
  const sparse = new Float64Array(column.n);
  for (let i = 0, at = -1; i < column.s.length; i += 2) {
    at += column.s[i] + 1;
    sparse[at] = column.s[i + 1];
  }
  return sparse;
}

const decodeAll = (columns) =>
  Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, decode(column)]));
const decodeCube = (cube) => ({ ...cube, keys: decodeAll(cube.keys), columns: decodeAll(cube.columns) });

// Tables of the marts as lists of records.
function records(table) {
  const columns = decodeAll(table.columns);
  const names = Object.keys(columns);
  return Array.from({ length: table.rows }, (_, row) =>
    Object.fromEntries(names.map((name) => [name, columns[name][row]])),
  );
}

// What has to be done anew when the figures of another publication come, and when a part of it does.
const takers = [];
const taking = (run) => takers.push(run);
const partTakers = [];
const takingPart = (name, run) => partTakers.push([name, run]);
const NO_ROWS = { rows: 0, columns: {} };
// Parts without a history, as they are before they come or where nobody may see them.
const NO_PARTS = {
  cohorts: NO_ROWS, presale: NO_ROWS,
  outlook: { phrases: [], ...Object.fromEntries(["deals", "forecast", "methods", "backtest", "calibration", "forecasts"].map((name) => [name, NO_ROWS])) },
  quality: { quarantine: [], checks: [], kinds: [], tables: [], found: [], drift: [] },
};

function take(data) {
  DATA = data;
  ABOUT = data.about;
  LAST_DAY = dayOf(ABOUT.end);
  LISTS = { manager: DATA.managers, source: DATA.sources, stage: DATA.stages, pipeline: DATA.pipelines };
  TEAMS = [...new Set(DATA.managers.filter((manager) => !manager.unseen).map((manager) => manager.team).filter(Boolean))].sort();
  for (const run of takers) run();
  for (const name of Object.keys(NO_PARTS)) takePart(name, DATA[name] || NO_PARTS[name]);
}
function takePart(name, part) {
  for (const [wanted, run] of partTakers) if (wanted === name) run(part.hidden ? NO_PARTS[name] : part);
}

const keysOf = (cube) => { const { keys } = DATA.cubes[cube] || { keys: [] }; return Array.isArray(keys) ? keys : Object.keys(keys); };
const columnsOf = (cube) => { const { columns } = DATA.cubes[cube] || { columns: [] }; return Array.isArray(columns) ? columns : Object.keys(columns); };

// Days before and after the data that a period may reach.
const PAD = 800;
// The place of each day's range in a list of ranges, -1 for a day in none.
function slotsOf(ranges) {
  const slots = new Int16Array(LAST_DAY + 2 * PAD).fill(-1);
  ranges.forEach(([from, to], at) => slots.fill(at, Math.max(0, from + PAD), Math.max(0, Math.min(to, LAST_DAY + 1) + PAD)));
  return slots;
}

// Of a history that is too long for a file the older part has less detail: from which day on there
// are days, and from which day on a part is there at all.
const leftOut = (part) => (ABOUT.left_out || {})[part] || {};
const sinceDay = (part) => (leftOut(part).since ? dayOf(leftOut(part).since) : -Infinity);
const daysSince = (part = "daily") => (leftOut(part).days_since ? dayOf(leftOut(part).days_since) : -Infinity);

// The data inside the file.
function insideSource(text) {
  let [cubes, tables] = [{}, {}];
  return {
    isLive: false,
    start() {
      const data = JSON.parse(text);
      cubes = Object.fromEntries(Object.entries(data.cubes).map(([name, cube]) => [name, decodeCube(cube)]));
      take(data);
      for (const name of ["company", "stated", "diagnosis", "profiles", "loads"]) {
        const byGrain = (tables[name] = new Map());
        for (const row of records(data[name])) {
          if (!byGrain.has(row.period_grain)) byGrain.set(row.period_grain, new Map());
          const byDay = byGrain.get(row.period_grain);
          const day = dayOf(row.period_start);
          if (!byDay.has(day)) byDay.set(day, []);
          byDay.get(day).push(row);
        }
      }
      tables.plans = records(data.plans).map((row) => ({ ...row, day: dayOf(row.period_start) }));
    },
    isWanting: () => false,
    forget() {},
    // Rows of a cube: `slots` by day, where ranges are asked for.
    chunks: (name, columns, ranges) => (cubes[name] ? [{ ...cubes[name], slots: ranges && slotsOf(ranges) }] : []),
    rows(name, grain, ranges) {
      const byDay = (tables[name] && tables[name].get(grain)) || new Map();
      return ranges.flatMap(([from, to]) => (to - from === 1 ? byDay.get(from) || [] : [...byDay].filter(([day]) => day >= from && day < to).flatMap(([, rows]) => rows)));
    },
    plans: (ranges) => tables.plans.map((row) => {
      // Days that have not come yet have a plan and no fact.
      const came = row.day <= LAST_DAY;
      return { ...row, at: ranges.findIndex(([from, to]) => row.day >= from && row.day < to), people: 1, actual: came ? row.actual || 0 : 0, due: came ? row.target_to_date || 0 : 0, is_unknown: came && !isGiven(row.actual) };
    }).filter((row) => row.at >= 0),
    part() {},
    reasons: () => cubes.lost?.reasons || [],
  };
}

// Said where a server gives no answer: what is wrong, what to do, and whether to ask again.
class Failure extends Error {
  constructor(kind, detail = "", remedy = "") { super(kind); Object.assign(this, { kind, detail, remedy }); }
}
// The publication that the page shows is not the newest any more.
class Renewed extends Error {}

const ASK_LIMIT = 30;
const ANSWER_MS = 30000;

// A server. What a screen reads and is not here is noted; `load` asks for all of it at once, and the
// screen is made again. What has come is kept as long as the publication is the same.
function serverSource() {
  let [pieces, keySets, wanted] = [new Map(), new Map(), new Map()];
  let asking = null;
  const want = (ask, range, columns = []) => {
    const entry = wanted.get(ask) || { columns: new Set(), ranges: new Map() };
    for (const column of columns) entry.columns.add(column);
    if (range) entry.ranges.set(range.join("|"), range);
    wanted.set(ask, entry);
  };
  const clipped = (ranges) => ranges.map(([from, to]) => [from, Math.min(to, LAST_DAY + 1)]);

  async function answersOf(parameters, signal) {
    let response;
    try {
      response = await fetch(`api/page?${parameters}`, { signal, cache: "no-cache" });
    } catch (error) {
      throw signal.aborted && signal.reason !== "late" ? error : new Failure(signal.aborted ? "late" : "unreachable");
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Failure(response.status === 401 || response.status === 403 ? "refused" : "wrong", answer.detail || answer.title || `HTTP ${response.status}`, answer.remedy || "");
    return answer;
  }

  const source = {
    isLive: true,
    publication: null,
    async start() {
      const signal = new AbortController().signal;
      const { publication_id, answers: [base] } = await answersOf("ask=base", signal);
      [pieces, keySets, wanted] = [new Map(), new Map(), new Map()];
      source.publication = publication_id;
      take(base);
    },
    isWanting: () => wanted.size > 0,
    forget() {
      wanted = new Map();
      if (asking) asking.abort("left");
    },
    chunks(name, columns, ranges, keys) {
      if (!DATA.cubes[name]) return [];
      const isDated = keysOf(name).includes("day");
      const asked = keysOf(name).filter((key) => keys.includes(key));
      const sets = [asked.join("."), ...(keySets.get(name) || [])].filter((set) => asked.every((key) => set.split(".").includes(key)));
      return (isDated ? clipped(ranges || [[-PAD, LAST_DAY + 1]]) : [[0, 1]]).flatMap(([from, to], slot) => {
        if (from >= to) return [];
        for (const set of sets) {
          const found = columns.map((column) => pieces.get(`${name}|${set}|${column}|${from}|${to}`));
          if (found.every(Boolean)) return [{ rows: found[0].rows, keys: found[0].keys, columns: Object.fromEntries(columns.map((column, at) => [column, found[at].values])), slot }];
        }
        want(`cube:${name}:${asked.join(".")}`, isDated ? [from, to] : null, columns);
        return [];
      });
    },
    rows(name, grain, ranges) {
      return ranges.flatMap(([from, to]) => {
        const piece = pieces.get(`${name}|${grain}|${from}|${to}`);
        if (!piece) want(`rows:${name}:${grain}`, [from, to]);
        return piece || [];
      });
    },
    plans: (ranges, isByManager) => ranges.flatMap((range, at) => {
      const key = isByManager ? "manager" : "";
      const piece = pieces.get(`plans|${key}|${range.join("|")}`);
      if (!piece) want(`rows:plans:${key}`, range);
      return (piece || []).map((row) => ({ ...row, at }));
    }),
    part(name) {
      if (!pieces.has(name)) want(`part:${name}`, null);
    },
    reasons: () => pieces.get("lost|reasons") || [],

    async load() {
      const groups = new Map();
      for (const [ask, { columns, ranges }] of wanted) {
        const list = [...ranges.values()].sort(([a, b], [x, y]) => a - x || b - y);
        const key = list.join();
        if (!groups.has(key)) groups.set(key, { list, asks: [] });
        groups.get(key).asks.push([ask, [...columns]]);
      }
      // What has no history comes along with something that has.
      const plain = groups.get("");
      if (plain && groups.size > 1) {
        groups.delete("");
        [...groups.values()][0].asks.push(...plain.asks);
      }
      const questions = [...groups.values()].flatMap(({ list, asks }) => Array.from({ length: Math.ceil(asks.length / ASK_LIMIT) }, (_, at) => ({ list, asks: asks.slice(at * ASK_LIMIT, (at + 1) * ASK_LIMIT) })));
      const control = (asking = new AbortController());
      const timer = setTimeout(() => control.abort("late"), ANSWER_MS);
      try {
        await Promise.all(questions.map(async ({ list, asks }) => {
          const parameters = [...(list.length ? [`ranges=${chains(list)}`] : []), ...asks.map(([ask, columns]) => `ask=${ask}${columns.length ? `:${columns.join(".")}` : ""}`)].join("&");
          const { publication_id, answers } = await answersOf(parameters, control.signal);
          if (publication_id !== source.publication) throw new Renewed();
          asks.forEach(([ask, columns], at) => keep(ask.split(":"), columns, list, answers[at]));
        }));
      } catch (error) {
        control.abort("left");
        throw error;
      } finally {
        clearTimeout(timer);
      }
    },
  };

  function keep([kind, name, key], columns, ranges, answer) {
    if (kind === "part") {
      pieces.set(name, answer);
      takePart(name, answer);
    } else if (kind === "rows") {
      const rows = answer.hidden ? [] : records(answer);
      ranges.forEach(([from, to], slot) => {
        const isIn = name === "plans" ? (row) => row.slot === slot : (row) => dayOf(row.period_start) >= from && dayOf(row.period_start) < to;
        pieces.set(`${name}|${key}|${from}|${to}`, rows.filter(isIn));
      });
    } else {
      const cube = answer.hidden ? { rows: 0, keys: {}, columns: {} } : decodeCube(answer);
      if (cube.reasons) reasonsOf(cube);
      const slots = cube.slots ? decode(cube.slots) : null;
      if (!keySets.has(name)) keySets.set(name, new Set());
      keySets.get(name).add(key);
      let first = 0;
      (slots || !answer.rows ? ranges.length ? ranges : [[0, 1]] : [[0, 1]]).forEach(([from, to], slot) => {
        let end = slots ? first : cube.rows;
        while (slots && end < cube.rows && slots[end] === slot) end++;
        const keys = Object.fromEntries(Object.entries(cube.keys).map(([one, values]) => [one, values.slice(first, end)]));
        for (const column of columns) pieces.set(`${name}|${key}|${column}|${from}|${to}`, { rows: end - first, keys, values: (cube.columns[column] || []).slice(first, end) });
        first = end;
      });
    }
  }
  // Each answer names the reasons that it has; the page counts all that it knows.
  function reasonsOf(cube) {
    const known = pieces.get("lost|reasons") || [];
    for (const reason of cube.reasons) if (!known.includes(reason)) known.push(reason);
    pieces.set("lost|reasons", known);
    cube.keys.reason = Array.from(cube.keys.reason, (at) => known.indexOf(cube.reasons[at]));
  }
  // Ranges one after the other share their days: a/b/c are two.
  function chains(ranges) {
    let [text, last] = ["", null];
    for (const [from, to] of ranges) {
      text += from === last ? `/${isoOf(dateOf(to))}` : `${text ? "," : ""}${isoOf(dateOf(from))}/${isoOf(dateOf(to))}`;
      last = to;
    }
    return text;
  }
  return source;
}

const SOURCE = EMBEDDED ? insideSource(EMBEDDED) : serverSource();
