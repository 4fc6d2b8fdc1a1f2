// What the page was given: texts, and one publication's figures by columns.

const DATA = JSON.parse(document.getElementById("data").textContent);
const TEXTS = JSON.parse(document.getElementById("texts").textContent);
const ABOUT = DATA.about;
const DAY_MS = 86400000;

const dayOf = (iso) => Math.round((Date.parse(iso) - Date.parse(ABOUT.start)) / DAY_MS);
const dateOf = (day) => new Date(Date.parse(ABOUT.start) + day * DAY_MS);
const isoOf = (date) => date.toISOString().slice(0, 10);
const LAST_DAY = dayOf(ABOUT.end);

// The forms in which dashboard/encode.py writes a column.
function decode(column) {
  if (Array.isArray(column)) return column;
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

const CUBES = Object.fromEntries(
  Object.entries(DATA.cubes).map(([name, cube]) => [
    name,
    { ...cube, keys: decodeAll(cube.keys), columns: decodeAll(cube.columns) },
  ]),
);

// Tables of the marts as lists of records.
function records(table) {
  const columns = decodeAll(table.columns);
  const names = Object.keys(columns);
  return Array.from({ length: table.rows }, (_, row) =>
    Object.fromEntries(names.map((name) => [name, columns[name][row]])),
  );
}

const COMPANY = new Map();
for (const row of records(DATA.company)) COMPANY.set(`${row.period_grain}|${row.period_start}`, row);
const STATED = new Map();
for (const row of records(DATA.stated)) {
  STATED.set(`${row.period_grain}|${row.period_start}|${row.manager_id}`, row);
}
const PLANS = records(DATA.plans);
const DIAGNOSIS = records(DATA.diagnosis);
const COHORTS = records(DATA.cohorts);
const PRESALE = records(DATA.presale);

const LISTS = { manager: DATA.managers, source: DATA.sources, stage: DATA.stages, pipeline: DATA.pipelines };
const TEAMS = [...new Set(DATA.managers.map((manager) => manager.team).filter(Boolean))].sort();
