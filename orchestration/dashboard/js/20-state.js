// What is chosen on the page. It lives in the address, so that a link shows the same.

const GRAINS = ["day", "week", "month", "quarter", "year"];
const SPANS = { day: [14, 31, 62], week: [8, 13, 26, 52], month: [6, 12, 24], quarter: [4, 8], year: [3, 5] };
const DEFAULT_SPAN = { day: 31, week: 13, month: 12, quarter: 8, year: 5 };

const memory = {
  get(key) {
    try { return localStorage.getItem(`voronka.${key}`); } catch { return null; }
  },
  set(key, value) {
    try { localStorage.setItem(`voronka.${key}`, value); } catch { /* a file may have no storage */ }
  },
};

const state = { screen: "overview", grain: "month", period: null, span: 12, manager: "", team: "", source: "", lang: "ru", theme: "auto" };

function readAddress() {
  const [screen, query = ""] = location.hash.replace(/^#/, "").split("?");
  const given = new URLSearchParams(query);
  const oneOf = (value, values, otherwise) => (values.includes(value) ? value : otherwise);
  state.screen = oneOf(screen, SCREENS.map((item) => item.id), "overview");
  state.grain = oneOf(given.get("grain"), GRAINS, "month");
  state.span = SPANS[state.grain].includes(Number(given.get("span"))) ? Number(given.get("span")) : DEFAULT_SPAN[state.grain];
  state.manager = oneOf(given.get("manager"), DATA.managers.map((item) => item.id), "");
  state.team = oneOf(given.get("team"), TEAMS, "");
  state.source = oneOf(given.get("source"), DATA.sources.map((item) => item.id), "");
  state.lang = oneOf(given.get("lang") || memory.get("lang"), Object.keys(TEXTS), document.documentElement.lang);
  state.theme = oneOf(given.get("theme") || memory.get("theme"), ["auto", "light", "dark"], "auto");
  const starts = choices(state.grain).map((period) => period.start);
  state.period = starts.includes(given.get("period")) ? given.get("period") : defaultPeriod(state.grain);
}

function address(changes = {}) {
  const wanted = { ...state, ...changes };
  const query = new URLSearchParams();
  query.set("grain", wanted.grain);
  if (wanted.period) query.set("period", wanted.period);
  if (wanted.span !== DEFAULT_SPAN[wanted.grain]) query.set("span", wanted.span);
  for (const name of ["manager", "team", "source"]) if (wanted[name]) query.set(name, wanted[name]);
  query.set("lang", wanted.lang);
  if (wanted.theme !== "auto") query.set("theme", wanted.theme);
  return `#${wanted.screen}?${query}`;
}

function change(changes) {
  if (changes.grain && changes.grain !== state.grain) {
    // The period that holds the end of the one before: a month's last week, a week's month.
    const held = choices(changes.grain).filter((period) => period.from < current().to);
    const best = held.filter((period) => !period.running).pop() || held.pop();
    changes = { span: DEFAULT_SPAN[changes.grain], period: best && best.start, ...changes };
  }
  for (const name of ["lang", "theme"]) if (changes[name]) memory.set(name, changes[name]);
  const next = address(changes);
  if (next === location.hash) return;
  history.replaceState(null, "", next);
  show();
}

// Periods: from and to are days, to is left out of the period.

function startOf(date, grain) {
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  if (grain === "day") return date;
  if (grain === "week") return new Date(date.getTime() - ((date.getUTCDay() + 6) % 7) * DAY_MS);
  if (grain === "month") return new Date(Date.UTC(year, month, 1));
  if (grain === "quarter") return new Date(Date.UTC(year, month - (month % 3), 1));
  return new Date(Date.UTC(year, 0, 1));
}

function nextOf(date, grain) {
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  const step = { day: [0, 1], week: [0, 7], month: [1, 0], quarter: [3, 0], year: [12, 0] }[grain];
  return new Date(Date.UTC(year, month + step[0], day + step[1]));
}

function periodAt(date, grain) {
  const start = startOf(date, grain);
  const from = dayOf(isoOf(start));
  const to = dayOf(isoOf(nextOf(start, grain)));
  return { grain, start: isoOf(start), from, to, running: to > LAST_DAY + 1 };
}

const previousOf = (period) => periodAt(dateOf(period.from - 1), period.grain);

const choicesMade = {};
function choices(grain) {
  if (!choicesMade[grain]) {
    const list = [];
    // An empty warehouse has no day to count from.
    for (let period = periodAt(dateOf(0), grain); ABOUT.as_of && period.from <= LAST_DAY; period = periodAt(dateOf(period.to), grain)) list.push(period);
    choicesMade[grain] = list;
  }
  return choicesMade[grain];
}

function defaultPeriod(grain) {
  const list = choices(grain);
  const ended = list.filter((period) => !period.running);
  return ((ended.length ? ended : list).slice(-1)[0] || { start: null }).start;
}

const current = () => choices(state.grain).find((period) => period.start === state.period);

// The chosen period and those before it, as far as there is data.
function shown() {
  const list = choices(state.grain);
  const at = list.findIndex((period) => period.start === state.period);
  return list.slice(Math.max(0, at + 1 - state.span), at + 1);
}
