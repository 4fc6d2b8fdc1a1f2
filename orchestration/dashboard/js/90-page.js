// The page: navigation, filters, and the chosen screen.

// Whether the page is drawn for paper now.
let isPrinting = false;

const SCREENS = [
  { id: "overview", make: overview }, { id: "funnel", make: funnel }, { id: "people", make: people },
  { id: "sources", make: sources }, { id: "calls", make: calls },
  { id: "pipeline", make: pipeline, parts: ["outlook", "presale"] },
  { id: "diagnosis", make: diagnosis }, { id: "customers", make: customers, parts: ["cohorts"] },
  { id: "quality", make: quality, parts: ["quality", "outlook"] },
];

const logo = () => h("svg", { viewBox: "0 0 24 24", width: 26, height: 26, class: "logo", "aria-hidden": "true" },
  h("path", { d: "M2 4h20l-3.6 5H5.6z" }), h("path", { d: "M6.6 10.6h10.8l-2.7 4.2H9.3z", class: "second" }), h("path", { d: "M10.2 16.4h3.6V21l-3.6-1.6z", class: "third" }));

function navigation() {
  return h("nav", { "aria-label": t("screens") },
    h("a", { class: "brand", href: DATA ? address({ screen: "overview" }) : "#" }, logo(), h("b", {}, "Voronka")),
    h("div", { class: "links" }, (DATA ? SCREENS : []).map(({ id }) => h("a", { href: address({ screen: id }), "aria-current": id === state.screen ? "page" : null }, t(`screen_${id}`)))),
    h("div", { class: "settings" },
      choice(t("language"), [["ru", "RU"], ["en", "EN"]], state.lang, (lang) => change({ lang })),
      choice(t("theme"), [["auto", t("theme_auto")], ["light", "☀"], ["dark", "☾"]], state.theme, (theme) => change({ theme }))));
}

function select(name, options, chosen, onchoose) {
  const id = `choose-${name}`;
  return h("label", { class: `select${chosen && name !== "period" && name !== "span" && chosen !== "before" ? " active" : ""}`, for: id }, h("span", {}, t(`filter_${name}`)),
    h("select", { id, onchange: (event) => onchoose(event.target.value) }, options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen) }, text))));
}

// A phone has no room for all filters at once.
let isMoreOpen = false;

function filterBar() {
  const list = choices(state.grain);
  const at = list.findIndex((period) => period.start === state.period);
  const people = seenManagers().filter((manager) => !state.team || manager.team === state.team).sort((a, b) => (a.id === "unknown") - (b.id === "unknown") || nameOf(a).localeCompare(nameOf(b), locale()));
  const step = (by, sign, key) => h("button", { type: "button", class: "step", "aria-label": t(key), disabled: !(state.from ? movedRange(by) : list[at + by]), onclick: () => (state.from ? changeRange(...movedRange(by)) : change({ period: list[at + by].start })) }, sign);
  const presets = [...list].reverse().map((period) => [period.start, periodLabel(period) + (period.running ? ` · ${t("running")}` : "")]);
  return h("div", { class: "filters" },
    choice(t("grain"), GRAINS.filter((grain) => choices(grain).length).map((grain) => [grain, t(`grain_${grain}`)]), state.grain, (grain) => change({ grain })),
    h("div", { class: "period" }, step(-1, "‹", "period_before"),
      select("period", [...(state.from ? [["", t("free_dates")]] : []), ...presets], state.from ? "" : state.period, (period) => change({ period })),
      step(1, "›", "period_after")),
    h("button", { type: "button", class: "more-button", "aria-expanded": String(isMoreOpen), onclick: () => { isMoreOpen = !isMoreOpen; show(); } }, t("more_filters")),
    h("div", { class: `more${isMoreOpen || state.team || state.manager || state.source || state.from || state.compare !== "before" ? " open" : ""}` },
    dates(),
    state.from ? null : select("span", SPANS[state.grain].map((span) => [span, t("span_option", { count: plural(`periods_${state.grain}`, span) })]), state.span, (span) => change({ span: Number(span) })),
    select("compare", COMPARES.map((how) => [how, t(`compare_${how}`)]), state.compare, (compare) => change({ compare })),
    TEAMS.length ? select("team", [["", t("all_teams")], ...TEAMS.map((team) => [team, team])], state.team, (team) => change({ team, manager: "" })) : null,
    ABOUT.has_managers ? select("manager", [["", t("everybody")], ...people.map((manager) => [manager.id, nameOf(manager)])], state.manager, (manager) => change({ manager })) : null,
    ABOUT.has_sources ? select("source", [["", t("all_sources")], ...DATA.sources.map((source) => [source.id, nameOf(source)])], state.source, (source) => change({ source })) : null),
    state.manager || state.team || state.source ? h("button", { type: "button", class: "reset", onclick: () => change({ manager: "", team: "", source: "" }) }, t("reset")) : null);
}

// From one day to another. Half a date is none: the page changes when both are days that it has.
function dates() {
  const period = current();
  const [first, last] = [isoOf(dateOf(firstDay())), isoOf(dateOf(LAST_DAY))];
  const within = (day) => isoOf(dateOf(Math.min(LAST_DAY, Math.max(firstDay(), day))));
  const [from, to] = state.from ? [state.from, state.to] : [within(period.from), within(period.to - 1)];
  const input = (name, value) => h("input", { type: "date", id: `choose-${name}`, value, min: first, max: last, "aria-label": t(`filter_${name}`), onchange: () => {
    const [a, b] = ["from", "to"].map((one) => document.getElementById(`choose-${one}`).value);
    // Who moves one end past the other means the one day.
    const [x, y] = a && b && a > b ? (name === "from" ? [a, a] : [b, b]) : [a, b];
    if (isRange(x, y)) changeRange(x, y);
  } });
  return h("div", { class: `dates${state.from ? " active" : ""}`, role: "group", "aria-label": t("filter_dates") }, h("span", {}, t("filter_dates")), h("div", {}, input("from", from), "–", input("to", to)));
}
function movedRange(by) {
  const [from, to] = [dayOf(state.from), dayOf(state.to)];
  const step = by * (to - from + 1);
  const moved = [from + step, to + step].map((day) => isoOf(dateOf(day)));
  return isRange(...moved) ? moved : null;
}

// What is chosen, and on what it does not act. The data screen tells of everything.
function filtersAndReach(screen) {
  if (!current()) return [];
  return screen === "quality" ? [h("p", { class: "reach" }, h("span", { "data-deaf": "all" }, t("reach_nothing")))] : [isPrinting ? chosen() : filterBar(), reach()];
}

// On paper nobody chooses: words, not fields.
function chosen() {
  const manager = DATA.managers.find((item) => item.id === state.manager);
  const source = DATA.sources.find((item) => item.id === state.source);
  const parts = [
    ["period", periodLabel(current())], ...(state.from ? [] : [["span", plural(`periods_${state.grain}`, state.span)]]),
    ...(state.compare === "before" ? [] : [["compare", t(`compare_${state.compare}`)]]),
    ["team", state.team || t("all_teams")], ["manager", manager ? nameOf(manager) : t("everybody")],
    ...(ABOUT.has_sources ? [["source", source ? nameOf(source) : t("all_sources")]] : []),
  ];
  return h("p", { class: "chosen" }, parts.map(([name, text]) => h("span", {}, `${t(`filter_${name}`)}: `, h("b", {}, text))));
}

function heading() {
  const period = current();
  const screen = state.screen;
  return h("header", { class: "heading" },
    h("div", {}, h("h1", {}, t(`screen_${screen}`)),
      h("p", { class: "as-of" }, ABOUT.as_of ? t("data_as_of", { day: dayLabel(ABOUT.end) }) : "", ABOUT.is_demo ? ` · ${t("demo")}` : "",
        period && period.running && !["quality", "diagnosis"].includes(screen) ? h("mark", {}, t("running_mark", { period: periodLabel(period), day: LAST_DAY + 1 - period.from, days: period.to - period.from })) : null)),
    h("button", { type: "button", class: "print", onclick: () => print() }, t("print")));
}

// Events after the day that counts as today: they are in no period of the page.
const LATER = ["revenue", "won_amount", "deals_won", "meetings_held", "leads_created", "calls"];
function laterNotice() {
  const names = LATER.filter((name) => ABOUT.later[name]);
  if (!Object.keys(ABOUT.later).length) return null;
  return h("p", { class: "notice", "data-later": "" }, t("later", { day: dayLabel(ABOUT.end), figures: (names.length ? names : Object.keys(ABOUT.later).slice(0, 4)).map((name) => `${label(name)} ${inUnit(ABOUT.later[name], unitOf(name), true)}`).join(", ") }));
}

// What a viewer with few rights has to know of every figure.
const limitedNotice = () => (ABOUT.is_limited ? h("p", { class: "notice", "data-limited": "" }, t("limited", { people: seenManagers().map(nameOf).slice(0, 6).join(", ") + (seenManagers().length > 6 ? "…" : "") })) : null);

// A screen is made again each time something is chosen. Where it reads what has not come yet, that is
// asked for first, and what was shown stays until it is there.
let turn = 0;
let shownParts = [];
const MOST_ROUNDS = 8;

function show(round = 0) {
  const mine = ++turn;
  readLook();
  document.documentElement.lang = state.lang;
  const asDevice = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = isPrinting ? "light" : state.theme === "auto" ? asDevice : state.theme;
  if (!DATA) return begin(mine);
  readAddress();
  const screen = SCREENS.find(({ id }) => id === state.screen);
  document.title = `${t(`screen_${screen.id}`)} · Voronka`;
  const before = drawn;
  drawn = [];
  forgetSums();
  SOURCE.forget();
  forgetReach();
  let parts = [];
  try {
    for (const part of screen.parts || []) SOURCE.part(part);
    parts = (current() ? [screen.make()] : [empty(t("no_data"))]).flat(Infinity).filter(Boolean);
  } catch (error) {
    // A screen of which half is missing may stumble over it.
    if (!SOURCE.isWanting()) throw error;
  }
  if (SOURCE.isWanting()) {
    drawn = before;
    frame(screen, shownParts, true);
    const failed = round < MOST_ROUNDS ? SOURCE.load() : Promise.reject(new Failure("wrong", "", ""));
    failed.then(() => { if (mine === turn) show(round + 1); }, (error) => { if (mine === turn) failure(error); });
    return;
  }
  for (const item of before) if (item.chart) item.chart.dispose();
  shownParts = parts;
  frame(screen, parts, false);
  draw();
  const link = document.querySelector("nav [aria-current]");
  if (link && innerWidth <= 1000) link.parentElement.scrollLeft = link.offsetLeft - 60;
}

// Navigation and filters answer at once, whatever has come of the screen.
function frame(screen, parts, isLoading) {
  const focused = document.activeElement && document.activeElement.id;
  const main = h("main", { "data-screen": screen.id, class: isLoading ? "loading" : null, "aria-busy": isLoading ? "true" : null }, heading(), h("div", { id: "renewed", role: "status" }, renewedNote()), limitedNotice(), laterNotice(), ...filtersAndReach(screen.id),
    isLoading && !parts.length ? h("p", { class: "empty" }, t("loading")) : parts,
    h("footer", { class: "about" }, t("footer", { id: ABOUT.publication_id }), " ", t(SOURCE.isLive ? "footer_live" : "footer_file")));
  document.getElementById("app").replaceChildren(navigation(), main);
  if (focused) document.getElementById(focused)?.focus();
}

// The first answer of a server: what there is at all.
function begin(mine) {
  document.getElementById("app").replaceChildren(navigation(), h("main", { class: "loading", "aria-busy": "true" }, h("p", { class: "empty" }, t("loading"))));
  const isAt = () => mine === turn;
  Promise.resolve(SOURCE.start()).then(() => { if (isAt()) show(); }, (error) => { if (isAt()) failure(error); });
}

// No answer: what is wrong and what to do. A newer publication is no failure: all is asked anew.
function failure(error) {
  if (error instanceof Renewed) return renew();
  if (!(error instanceof Failure)) throw error;
  const said = h("section", { class: "card failure", role: "alert", "data-failure": error.kind }, h("h2", {}, t(`failure_${error.kind}`)), error.detail ? h("p", {}, error.detail) : null, h("p", {}, error.remedy || t(`failure_${error.kind}_about`)), h("button", { type: "button", class: "reset", onclick: () => show() }, t("retry")));
  const main = document.querySelector("main");
  main.classList.remove("loading");
  main.removeAttribute("aria-busy");
  if (!DATA) return main.replaceChildren(said);
  for (const part of shownParts) part.remove();
  forgetCharts();
  shownParts = [];
  document.querySelector("main > .empty")?.remove();
  document.querySelector("main > .failure")?.remove();
  main.insertBefore(said, main.querySelector("footer.about"));
}

// On paper: light, and the charts as wide as the sheet.
addEventListener("beforeprint", () => { isPrinting = true; document.documentElement.classList.add("printing"); show(); });
addEventListener("afterprint", () => { isPrinting = false; document.documentElement.classList.remove("printing"); show(); });
addEventListener("hashchange", () => {
  const before = state.screen;
  document.querySelector("dialog.drill")?.close();
  show();
  if (state.screen !== before) scrollTo(0, 0);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());

let lastWidth = innerWidth;
let waiting = 0;
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(() => { if (!isPrinting) show(); }, 150);
});

// A new publication. Nothing of it is mixed into a view of the one before: who looks is told, and all
// is asked anew when he says so, or when nobody looks.
const WATCH_MS = 20000;
let newest = null;
const renewedNote = () => (newest && newest !== SOURCE.publication ? h("p", { class: "notice", "data-renewed": newest }, t("renewed"), " ", h("button", { type: "button", class: "reset", onclick: renew }, t("renew"))) : null);

function renew() {
  newest = null;
  document.querySelector("dialog.drill")?.close();
  forgetCharts();
  [DATA, shownParts] = [null, []];
  show();
}
async function watch() {
  if (!SOURCE.publication) return;
  try {
    const response = await fetch("api/publication", { cache: "no-cache" });
    const { publication_id: found } = response.ok ? await response.json() : {};
    if (!found || found === SOURCE.publication || found === newest) return;
    newest = found;
    if (document.hidden) return renew();
    document.getElementById("renewed")?.replaceChildren(renewedNote());
  } catch { /* A server that is away for a moment is asked again. */ }
}
if (SOURCE.isLive) {
  setInterval(watch, WATCH_MS);
  document.addEventListener("visibilitychange", watch);
} else {
  SOURCE.start();
}

show();
