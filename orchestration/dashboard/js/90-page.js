// The page: navigation, filters, and the chosen screen.

// Whether the page is drawn for paper now.
let isPrinting = false;

const SCREENS = [
  { id: "overview", make: overview }, { id: "funnel", make: funnel }, { id: "people", make: people },
  { id: "sources", make: sources }, { id: "calls", make: calls }, { id: "pipeline", make: pipeline },
  { id: "diagnosis", make: diagnosis }, { id: "customers", make: customers }, { id: "quality", make: quality },
];

const logo = () => h("svg", { viewBox: "0 0 24 24", width: 26, height: 26, class: "logo", "aria-hidden": "true" },
  h("path", { d: "M2 4h20l-3.6 5H5.6z" }), h("path", { d: "M6.6 10.6h10.8l-2.7 4.2H9.3z", class: "second" }), h("path", { d: "M10.2 16.4h3.6V21l-3.6-1.6z", class: "third" }));

function navigation() {
  return h("nav", { "aria-label": t("screens") },
    h("a", { class: "brand", href: address({ screen: "overview" }) }, logo(), h("b", {}, "Voronka")),
    h("div", { class: "links" }, SCREENS.map(({ id }) => h("a", { href: address({ screen: id }), "aria-current": id === state.screen ? "page" : null }, t(`screen_${id}`)))),
    h("div", { class: "settings" },
      choice(t("language"), [["ru", "RU"], ["en", "EN"]], state.lang, (lang) => change({ lang })),
      choice(t("theme"), [["auto", t("theme_auto")], ["light", "☀"], ["dark", "☾"]], state.theme, (theme) => change({ theme }))));
}

function select(name, options, chosen, onchoose) {
  const id = `choose-${name}`;
  return h("label", { class: `select${chosen && name !== "period" && name !== "span" ? " active" : ""}`, for: id }, h("span", {}, t(`filter_${name}`)),
    h("select", { id, onchange: (event) => onchoose(event.target.value) }, options.map(([value, text]) => h("option", { value, selected: String(value) === String(chosen) }, text))));
}

// A phone has no room for all filters at once.
let isMoreOpen = false;

function filterBar() {
  const list = choices(state.grain);
  const at = list.findIndex((period) => period.start === state.period);
  const step = (by, sign, key) => h("button", { type: "button", class: "step", "aria-label": t(key), disabled: !list[at + by], onclick: () => change({ period: list[at + by].start }) }, sign);
  const people = DATA.managers.filter((manager) => !state.team || manager.team === state.team).sort((a, b) => (a.id === "unknown") - (b.id === "unknown") || nameOf(a).localeCompare(nameOf(b), locale()));
  return h("div", { class: "filters" },
    choice(t("grain"), GRAINS.map((grain) => [grain, t(`grain_${grain}`)]), state.grain, (grain) => change({ grain })),
    h("div", { class: "period" }, step(-1, "‹", "period_before"),
      select("period", [...list].reverse().map((period) => [period.start, periodLabel(period) + (period.running ? ` · ${t("running")}` : "")]), state.period, (period) => change({ period })),
      step(1, "›", "period_after")),
    h("button", { type: "button", class: "more-button", "aria-expanded": String(isMoreOpen), onclick: () => { isMoreOpen = !isMoreOpen; show(); } }, t("more_filters")),
    h("div", { class: `more${isMoreOpen || state.team || state.manager || state.source ? " open" : ""}` },
    select("span", SPANS[state.grain].map((span) => [span, t("span_option", { count: plural(`periods_${state.grain}`, span) })]), state.span, (span) => change({ span: Number(span) })),
    select("team", [["", t("all_teams")], ...TEAMS.map((team) => [team, team])], state.team, (team) => change({ team, manager: "" })),
    select("manager", [["", t("everybody")], ...people.map((manager) => [manager.id, nameOf(manager)])], state.manager, (manager) => change({ manager })),
    ABOUT.has_sources ? select("source", [["", t("all_sources")], ...DATA.sources.map((source) => [source.id, nameOf(source)])], state.source, (source) => change({ source })) : null),
    state.manager || state.team || state.source ? h("button", { type: "button", class: "reset", onclick: () => change({ manager: "", team: "", source: "" }) }, t("reset")) : null);
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

function show() {
  readAddress();
  document.documentElement.lang = state.lang;
  const asDevice = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.documentElement.dataset.theme = isPrinting ? "light" : state.theme === "auto" ? asDevice : state.theme;
  const screen = SCREENS.find(({ id }) => id === state.screen);
  document.title = `${t(`screen_${screen.id}`)} · Voronka`;
  forgetCharts();
  forgetSums();
  const focused = document.activeElement && document.activeElement.id;
  const parts = current() ? screen.make() : [empty(t("no_data"))];
  document.getElementById("app").replaceChildren(
    navigation(),
    h("main", { "data-screen": screen.id }, heading(), laterNotice(), screen.id === "quality" || !current() ? null : filterBar(), parts.flat(Infinity).filter(Boolean),
      h("footer", { class: "about" }, t("footer", { id: ABOUT.publication_id }))));
  draw();
  if (focused) document.getElementById(focused)?.focus();
  const link = document.querySelector("nav [aria-current]");
  if (link && innerWidth <= 1000) link.parentElement.scrollLeft = link.offsetLeft - 60;
}

// On paper: light, and the charts as wide as the sheet.
addEventListener("beforeprint", () => { isPrinting = true; document.documentElement.classList.add("printing"); show(); });
addEventListener("afterprint", () => { isPrinting = false; document.documentElement.classList.remove("printing"); show(); });
addEventListener("hashchange", () => { show(); scrollTo(0, 0); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());

let lastWidth = innerWidth;
let waiting = 0;
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  clearTimeout(waiting);
  waiting = setTimeout(() => { if (!isPrinting) show(); }, 150);
});

show();
