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

// What a period is compared with.
const COMPARES = ["before", "year", "none"];
// Choices of a screen: any text, whose meaning that screen knows.
const TABS = ["role", "pipeline"];
const state = { screen: "overview", grain: "month", period: null, from: "", to: "", span: 12, compare: "before", manager: "", team: "", source: "", role: "", pipeline: "", lang: "ru", theme: "auto" };

function given() {
  const [screen, query = ""] = location.hash.replace(/^#/, "").split("?");
  return [screen, new URLSearchParams(query)];
}
const oneOf = (value, values, otherwise) => (values.includes(value) ? value : otherwise);

// Language and theme, which need no data.
function readLook() {
  const [, query] = given();
  state.lang = oneOf(query.get("lang") || memory.get("lang"), Object.keys(TEXTS), document.documentElement.lang);
  state.theme = oneOf(query.get("theme") || memory.get("theme"), ["auto", "light", "dark"], "auto");
}

function readAddress() {
  const [screen, query] = given();
  const grains = GRAINS.filter((grain) => choices(grain).length);
  state.screen = oneOf(screen, SCREENS.map((item) => item.id), "overview");
  state.grain = oneOf(query.get("grain"), grains, "month");
  state.span = SPANS[state.grain].includes(Number(query.get("span"))) ? Number(query.get("span")) : DEFAULT_SPAN[state.grain];
  state.compare = oneOf(query.get("compare"), COMPARES, "before");
  state.manager = oneOf(query.get("manager"), seenManagers().map((item) => item.id), "");
  state.team = oneOf(query.get("team"), TEAMS, "");
  state.source = ABOUT.has_sources ? oneOf(query.get("source"), DATA.sources.map((item) => item.id), "") : "";
  for (const name of TABS) state[name] = query.get(name) || "";
  const starts = choices(state.grain).map((period) => period.start);
  state.period = starts.includes(query.get("period")) ? query.get("period") : defaultPeriod(state.grain);
  const [from, to] = [query.get("from") || "", query.get("to") || ""];
  [state.from, state.to] = isRange(from, to) ? [from, to] : ["", ""];
}
const seenManagers = () => DATA.managers.filter((manager) => !manager.unseen);

// Whether the page has every day from one date to another.
function isRange(from, to) {
  const isDay = (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) && isoOf(new Date(text)) === text;
  return isDay(from) && isDay(to) && from <= to && dayOf(from) >= firstDay() && dayOf(to) <= LAST_DAY;
}
const firstDay = () => Math.max(0, daysSince());

function address(changes = {}) {
  const wanted = { ...state, ...changes };
  const query = new URLSearchParams();
  query.set("grain", wanted.grain);
  if (wanted.from && wanted.to) {
    query.set("from", wanted.from);
    query.set("to", wanted.to);
  } else {
    if (wanted.period) query.set("period", wanted.period);
    if (wanted.span !== DEFAULT_SPAN[wanted.grain]) query.set("span", wanted.span);
  }
  if (wanted.compare !== "before") query.set("compare", wanted.compare);
  for (const name of ["manager", "team", "source", ...TABS]) if (wanted[name]) query.set(name, wanted[name]);
  query.set("lang", wanted.lang);
  if (wanted.theme !== "auto") query.set("theme", wanted.theme);
  return `#${wanted.screen}?${query}`;
}

// Each choice is a step that "back" undoes; how the page looks is none.
function change(changes) {
  if (changes.grain && changes.grain !== state.grain && !state.from) {
    // The period that holds the end of the one before: a month's last week, a week's month.
    const held = choices(changes.grain).filter((period) => period.from < current().to);
    const best = held.filter((period) => !period.running).pop() || held.pop();
    changes = { span: DEFAULT_SPAN[changes.grain], period: best && best.start, ...changes };
  }
  if (changes.period || changes.span) changes = { from: "", to: "", ...changes };
  for (const name of ["lang", "theme"]) if (changes[name]) memory.set(name, changes[name]);
  const next = address(changes);
  if (next === location.hash) return;
  const isLook = Object.keys(changes).every((name) => ["lang", "theme"].includes(name));
  history[isLook ? "replaceState" : "pushState"](null, "", next);
  show();
}

// Free dates, with periods in the charts that make a line of them.
function changeRange(from, to) {
  const days = dayOf(to) - dayOf(from) + 1;
  const fitting = days <= 45 ? "day" : days <= 200 ? "week" : "month";
  change({ from, to, grain: choices(fitting).length ? fitting : state.grain });
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

// Some days that are no period of the calendar: what is known of whole periods only, is unknown.
function daysFrom(from, to) {
  const same = GRAINS.map((grain) => periodAt(dateOf(from), grain)).find((period) => period.from === from && period.to === to);
  return same || { grain: "range", start: isoOf(dateOf(from)), from, to, running: false, cut: true };
}
function previousOf(period) {
  if (period.grain === "range") return { ...period, start: isoOf(dateOf(2 * period.from - period.to)), from: 2 * period.from - period.to, to: period.from };
  return periodAt(dateOf(period.from - 1), period.grain);
}
// A year before a Monday is no Monday; 52 weeks before it is.
function yearBefore(period) {
  if (period.grain === "week") return periodAt(dateOf(period.from - 364), "week");
  const back = (day) => {
    const [year, month, date] = isoOf(dateOf(day)).split("-").map(Number);
    return dayOf(isoOf(new Date(Date.UTC(year - 1, month - 1, Math.min(date, new Date(Date.UTC(year - 1, month, 0)).getUTCDate())))));
  };
  if (period.grain !== "range" && !period.clipped) return periodAt(dateOf(back(period.from)), period.grain);
  const from = back(period.from);
  return { ...period, start: isoOf(dateOf(from)), from, to: back(period.to - 1) + 1 };
}

let choicesMade = {};
taking(() => { choicesMade = {}; });
function choices(grain) {
  if (!choicesMade[grain]) {
    const list = [];
    // An empty warehouse has no day to count from.
    for (let period = periodAt(dateOf(0), grain); ABOUT.as_of && period.from <= LAST_DAY; period = periodAt(dateOf(period.to), grain)) list.push(period);
    choicesMade[grain] = list.filter(hasDays);
  }
  return choicesMade[grain];
}

function defaultPeriod(grain) {
  const list = choices(grain);
  const ended = list.filter((period) => !period.running);
  return ((ended.length ? ended : list).slice(-1)[0] || { start: null }).start;
}

// Whether the page has a period's days: of an older one it may have whole months only.
const hasDays = (period) => period.from >= daysSince() || (["month", "quarter", "year"].includes(period.grain) && !period.cut);

const current = () => (state.from ? daysFrom(dayOf(state.from), dayOf(state.to) + 1) : choices(state.grain).find((period) => period.start === state.period));

// The chosen period and those before it, as far as there is data; of free dates the parts of them.
const MOST_POINTS = 400;
function shown() {
  if (state.from) return partsOf(dayOf(state.from), dayOf(state.to) + 1);
  const list = choices(state.grain);
  const at = list.findIndex((period) => period.start === state.period);
  return list.slice(Math.max(0, at + 1 - state.span), at + 1);
}
function partsOf(from, to) {
  const days = { day: 1, week: 7, month: 28, quarter: 90, year: 365 };
  const grain = GRAINS.slice(GRAINS.indexOf(state.grain)).find((one) => (to - from) / days[one] < MOST_POINTS);
  const list = [];
  for (let period = periodAt(dateOf(from), grain); period.from < to; period = periodAt(dateOf(period.to), grain)) {
    const isWhole = period.from >= from && period.to <= to;
    const first = Math.max(period.from, from);
    list.push(isWhole ? period : { ...period, start: isoOf(dateOf(first)), from: first, to: Math.min(period.to, to), running: false, cut: true, clipped: true });
  }
  return list;
}
