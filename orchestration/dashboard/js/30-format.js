// Words, numbers and dates in the language of the page.

const t = (key, values = {}) => {
  const text = TEXTS[state.lang][key];
  if (text === undefined) throw new Error(`no text: ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
};
// What the page has no word for keeps the name that the warehouse gives it.
const wordFor = (group, name) => (`${group}_${name}` in TEXTS[state.lang] ? t(`${group}_${name}`) : name);
const plural = (key, count) => {
  const forms = t(key).split("|");
  const rule = new Intl.PluralRules(state.lang).select(count);
  const at = { one: 0, few: 1, many: 2, other: forms.length - 1 }[rule];
  return forms[Math.min(at, forms.length - 1)].replace("#", number(count));
};

const locale = () => (state.lang === "ru" ? "ru-RU" : "en-GB");
const formats = {};
function format(options) {
  const key = locale() + JSON.stringify(options);
  formats[key] ||= new Intl.NumberFormat(locale(), options);
  return formats[key];
}
// Thin spaces between thousands.
const thin = (text) => text.replace(/(\d)\u00a0(?=\d)/g, "$1\u202f");
const nothing = "—";
const isGiven = (value) => value !== null && value !== undefined && !Number.isNaN(value);

const number = (value, digits = 0) => (isGiven(value) ? thin(format({ maximumFractionDigits: digits }).format(value)) : nothing);
const percent = (value, digits = 1) => (isGiven(value) ? format({ style: "percent", maximumFractionDigits: Math.abs(value) >= 10 ? 0 : digits }).format(value) : nothing);
function money(value, isShort = false) {
  if (!isGiven(value)) return nothing;
  const options = { style: "currency", currency: ABOUT.currency, currencyDisplay: "narrowSymbol", maximumFractionDigits: 0 };
  const compact = { notation: "compact", maximumFractionDigits: Math.abs(value) >= 1e8 ? 0 : 1 };
  return thin(format(isShort && Math.abs(value) >= 10000 ? { ...options, ...compact } : options).format(value));
}

// A figure in its metric's unit; short where room is dear.
function inUnit(value, unit, isShort = false) {
  if (!isGiven(value)) return nothing;
  if (unit === "currency") return money(value, isShort);
  if (unit === "ratio") return percent(value);
  if (unit === "count") return isShort && Math.abs(value) >= 1e5 ? thin(format({ notation: "compact", maximumFractionDigits: 1 }).format(value)) : number(value);
  if (unit === "score") return number(value, 1);
  if (unit === "error") return format({ minimumFractionDigits: 3, maximumFractionDigits: 3 }).format(value);
  const digits = Math.abs(value) < 10 ? 1 : 0;
  return unit === "bare" ? number(value, digits) : `${number(value, digits)}\u00a0${t(`unit_${unit}`)}`;
}
// The same on an axis, where the unit stands in the title.
function onAxis(value, unit) {
  if (unit === "ratio") return percent(value, 0);
  if (unit === "error") return number(value, 2);
  return thin(format({ notation: Math.abs(value) >= 10000 ? "compact" : "standard", maximumFractionDigits: Math.abs(value) < 10 ? 1 : Math.abs(value) < 1e7 ? 1 : 0 }).format(value));
}

// Raw tables as people call them: “payments (crm.payments)”; of some one will do.
const tableName = (name) => `${wordFor("table", name.replace(".", "_"))} (${name})`;
const tableNames = (clauses) => clauses.map((clause) => clause.map(tableName).join(` ${t("or")} `)).join(", ");

// By how much a figure changed: percent, for ratios percentage points.
function changeText(now, before, unit) {
  if (!isGiven(now) || !isGiven(before)) return null;
  if (unit === "ratio") return `${signed(100 * (now - before), 1)}\u00a0${t("points")}`;
  if (unit === "score") return signed(now - before, 1);
  if (before === 0) return null;
  return signed((now - before) / Math.abs(before), Math.abs(now / before) > 10 ? 0 : 1, "percent");
}
const signed = (value, digits, style = "decimal") => thin(format({ style, maximumFractionDigits: digits, signDisplay: "exceptZero" }).format(value)).replace("-", "−");

// Whether a change is good, bad or neither.
function verdictOf(now, before, good) {
  if (!isGiven(now) || !isGiven(before) || good === "none" || Math.abs(now - before) < 1e-9) return "";
  return now > before === (good === "up") ? "good" : "bad";
}

const dateFormat = (date, options) => new Intl.DateTimeFormat(locale(), { timeZone: "UTC", ...options }).format(date).replace(/\s+г\.$/, "");
const dayLabel = (iso) => dateFormat(new Date(iso), { day: "numeric", month: "long", year: "numeric" });
const ROMAN = ["I", "II", "III", "IV"];

function periodLabel(period) {
  const date = new Date(period.start);
  if (period.grain === "day") return dayLabel(period.start);
  if (period.grain === "range" || period.clipped) return rangeLabel(period);
  if (period.grain === "month") return dateFormat(date, { month: "long", year: "numeric" });
  if (period.grain === "year") return String(date.getUTCFullYear());
  if (period.grain === "quarter") {
    const at = Math.floor(date.getUTCMonth() / 3);
    return state.lang === "ru" ? `${ROMAN[at]} квартал ${date.getUTCFullYear()}` : `Q${at + 1} ${date.getUTCFullYear()}`;
  }
  const end = dateOf(period.to - 1);
  const part = { day: "numeric", month: "short" };
  return `${dateFormat(date, part)} – ${dateFormat(end, part)} ${end.getUTCFullYear()}`.replace(/\./g, "");
}

function rangeLabel(period) {
  const [first, last] = [dateOf(period.from), dateOf(period.to - 1)];
  const [isYear, isMonth] = ["getUTCFullYear", "getUTCMonth"].map((part) => first[part]() === last[part]());
  if (period.to - period.from === 1) return dayLabel(isoOf(first));
  if (isYear && isMonth) return `${first.getUTCDate()}–${dayLabel(isoOf(last))}`;
  return `${dateFormat(first, { day: "numeric", month: "short", ...(isYear ? {} : { year: "numeric" }) })} – ${dateFormat(last, { day: "numeric", month: "short", year: "numeric" })}`.replace(/\./g, "");
}

// On an axis: the year under the first label and under each January.
function periodTick(period, at) {
  const date = new Date(period.start);
  const year = at === 0 || (date.getUTCMonth() === 0 && date.getUTCDate() <= 7) ? `\n${date.getUTCFullYear()}` : "";
  const mark = period.running ? `\n${t("running_short")}` : year;
  if (period.clipped && !["day", "week"].includes(period.grain)) return dateFormat(date, { day: "numeric", month: "short" }).replace(".", "") + mark;
  if (period.grain === "year") return `${date.getUTCFullYear()}${period.running ? mark : ""}`;
  if (period.grain === "quarter") return (state.lang === "ru" ? `${ROMAN[Math.floor(date.getUTCMonth() / 3)]} кв.` : `Q${Math.floor(date.getUTCMonth() / 3) + 1}`) + mark;
  if (period.grain === "month") return dateFormat(date, { month: "short" }).replace(".", "") + mark;
  return dateFormat(date, { day: "numeric", month: "short" }).replace(".", "") + mark;
}
const monthTick = (iso) => dateFormat(new Date(iso), { month: "short", year: "2-digit" }).replace(/\./g, "");
const monthName = (iso) => dateFormat(new Date(iso), { month: "long", year: "numeric" });

// Names. What the warehouse calls unknown has a word of its own.
const nameOf = (item) => (!item || item.id === "unknown" ? t("unknown") : item.name || item.id);
const shortName = (item) => {
  const [family, given] = nameOf(item).split(" ");
  return given && item.id !== "unknown" ? `${family} ${given[0]}.` : nameOf(item);
};
const label = (name) => (DATA.metrics[name] ? DATA.metrics[name].label[state.lang] : wordFor("metric", name));
const aboutOf = (name) => (DATA.metrics[name] ? DATA.metrics[name].about[state.lang] : wordFor("metric", `${name}_about`));
// A label that ends with its unit, as “Talk time, min”, spares the figure from it.
const unitOf = (name) => {
  const { unit } = DATA.metrics[name] || { unit: "ratio" };
  return ["seconds", "minutes", "hours", "days"].includes(unit) && /, \S+$/.test(label(name)) ? "bare" : unit;
};
const goodOf = (name) => (DATA.metrics[name] || { good: "none" }).good;
