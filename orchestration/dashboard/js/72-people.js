// People: each role by its own metrics.

const ROLES = {
  lead_generator: { names: ["calls_60s", "talk_minutes", "leads_taken", "target_lead_rate", "meetings_set", "set_meetings_held", "meeting_show_rate", "set_meetings_paid", "held_to_paid_rate"], main: "set_meetings_held", charts: ["target_lead_rate", "held_to_paid_rate", "calls_60s", "meeting_show_rate"], plans: ["calls_60s", "meetings_set", "set_meetings_held", "set_meetings_paid", "answer_rate"] },
  hunter: { names: ["calls_60s", "meetings_held", "deals_created", "deals_won", "win_rate", "avg_deal_size", "avg_cycle_days", "revenue", "new_customers"], main: "revenue", charts: ["win_rate", "avg_deal_size", "meetings_held", "calls_60s"], plans: ["meetings_held", "deals_won", "revenue", "won_amount"] },
  farmer: { names: ["calls_60s", "meetings_held", "deals_won", "upsells_won", "revenue", "revenue_repeat", "avg_deal_size", "csat", "refunds"], main: "revenue_repeat", charts: ["upsells_won", "avg_deal_size", "meetings_held", "csat"], plans: ["upsells_won", "revenue", "revenue_repeat", "deals_won", "csat"] },
  other: { names: ["sales_actions", "calls", "calls_60s", "meetings_held", "deals_won", "revenue"], main: "sales_actions", charts: [], plans: [] },
};
const roleOf = (manager) => (manager.role in ROLES ? manager.role : "other");

function people() {
  const periods = shown();
  const someone = (names) => names.map((name) => figures(name, periods, "manager"));
  const rowsOf = (role) => {
    const lists = someone(ROLES[role].names);
    return DATA.managers.map((manager, at) => ({ manager, at })).filter(({ manager, at }) => roleOf(manager) === role && isChosen("manager", at) && lists.some((list) => list[at].some((value) => value)));
  };
  const roles = Object.keys(ROLES).filter((role) => rowsOf(role).length);
  if (!roles.length) return [emptyOf([...new Set(Object.values(ROLES).flatMap((role) => role.names))], "manager")];
  const chosenRole = roles.includes(state.role) ? state.role : roles[0];
  const { names, main, plans, charts } = ROLES[chosenRole];
  const rows = rowsOf(chosenRole);
  return [
    choice(t("role"), roles.map((role) => [role, t(`role_${role}`)]), chosenRole, (role) => change({ role })),
    card({ id: "people", wide: true, title: `${t(`role_${chosenRole}`)} · ${periodLabel(current())}`, filters: filtersOf(main), figuresOf: names }, table({
      id: "people", rows, sort: [main, false],
      columns: [
        { key: "name", label: t("manager"), text: true, value: (row) => nameOf(row.manager), cell: (row) => person(row.manager) },
        { ...sparkColumn(main, "manager", periods) },
        ...names.map((name) => metricColumn(name, "manager", periods)),
      ],
    })),
    grid(byPerson(main, rows, periods), planTable(rows, plans)),
    actionsTable(rows, periods),
    profiles(chosenRole),
    grid(...charts.map((name) => byPerson(name, rows, periods))),
  ];
}

const person = (manager) => h("span", { class: manager.gone ? "gone" : null }, nameOf(manager), manager.gone ? h("small", {}, ` ${t("left")}`) : null);

function byPerson(name, rows, periods) {
  const lists = figures(name, periods, "manager");
  const total = (at) => lists[at].reduce((sum, value) => sum + (value || 0), 0);
  const best = [...rows].sort((a, b) => total(b.at) - total(a.at)).slice(0, 8).sort((a, b) => a.at - b.at);
  const series = best.map((row) => ({ name: shortName(row.manager), values: lists[row.at], kind: "line", open: (at) => specOf(name, periods[at], { manager: row.manager.id }, lists[row.at][at]) }));
  return chartCard({ id: `people_${name}`, title: label(name), names: [name], by: "manager", filters: filtersOf(name), note: rows.length > 8 ? t("eight_shown") : null }, timeChart(periods, series, { unit: unitOf(name) }));
}

// What each did in the chosen period.
const ACTIONS = ["sales_actions", "first_calls", "followup_calls", ...TOUCHES, ...OFFERS];
function actionsTable(rows, periods) {
  return card({ id: "actions", wide: true, title: `${t("title_actions")} · ${periodLabel(current())}`, filters: filtersOf("sales_actions"), figuresOf: ACTIONS }, table({
    id: "actions", rows, sort: ["sales_actions", false],
    columns: [
      { key: "name", label: t("manager"), text: true, value: (row) => nameOf(row.manager), cell: (row) => person(row.manager) },
      ...ACTIONS.map((name) => metricColumn(name, "manager", periods)),
    ],
  }));
}

// Plan and fact of the chosen period, the worst first.
function planTable(rows, names) {
  const period = [current()];
  const found = rows.flatMap((row) => names.map((name) => ({ row, name, planned: (plan(name, period, row.at) || [])[0] })).filter((item) => item.planned && item.planned.target && isGiven(figures(item.name, period, "manager")[item.row.at][0])));
  const share = (item) => item.planned.actual / item.planned.target;
  return card({ id: "plans", title: t("plan_and_fact"), about: aboutOf("attainment"), filters: ["manager"], note: state.source ? t("plan_no_source") : null }, found.length ? table({
    id: "plans", rows: found, sort: ["share", true],
    columns: [
      { key: "name", label: t("manager"), text: true, value: (item) => nameOf(item.row.manager), cell: (item) => shortName(item.row.manager) },
      { key: "metric", label: t("metric"), text: true, value: (item) => label(item.name), cell: (item) => label(item.name) },
      { key: "target", label: t("plan"), value: (item) => item.planned.target, cell: (item) => inUnit(item.planned.target, unitOf(item.name), true) },
      { key: "actual", label: t("fact"), value: (item) => item.planned.actual, cell: (item) => openable(inUnit(item.planned.actual, unitOf(item.name), true), specOf(item.name, current(), { manager: item.row.manager.id })) },
      { key: "share", label: label("attainment"), about: aboutOf("attainment"), value: share, cell: (item) => h("span", { class: "meter" }, h("span", { class: "bar" }, h("i", { class: share(item) >= 1 ? "good" : share(item) < 0.9 ? "bad" : "", style: `width:${Math.min(100, 100 * share(item))}%` })), percent(share(item), 0)) },
    ],
  }) : notLoaded(names, "manager") || lackOf("attainment").length ? emptyOf(lackOf("attainment").length ? ["attainment"] : names, "manager") : empty(t("no_plans")));
}
