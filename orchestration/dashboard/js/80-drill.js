// The rows behind a figure, on a server: what is counted, its sum, and each row's place in the CRM.

// What a figure is: a metric, its days, and the dimensions that cut it; null where nothing opens.
function specOf(name, period, by = {}) {
  if (!SOURCE.isLive || !DATA.metrics[name] || !period) return null;
  const filters = filtersOf(name);
  const where = { ...by };
  if (filters.includes("manager") && !where.manager) {
    if (state.manager) where.manager = state.manager;
    else if (state.team) where.team = state.team;
  }
  if (filters.includes("source") && !where.source && state.source) where.source = state.source;
  const isState = name in STATES || AT_THE_END.includes(name);
  const last = Math.min(period.to - 1, LAST_DAY);
  return { metric: name, from: isoOf(dateOf(isState ? last : period.from)), to: isoOf(dateOf(last)), where, label: periodLabel(period) };
}

function openable(content, spec) {
  return spec ? h("button", { type: "button", class: "open", title: t("open_rows"), onclick: (event) => { event.stopPropagation(); openRows(spec); } }, content) : content;
}

function openRows(spec) {
  if (!spec) return;
}
