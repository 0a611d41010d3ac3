/* The county as the server sent it, and the variant on the table: read, never changed by the page.
   An arrangement is one year of one plan, its lists by position as in /api/county. */
const C = window.Catchment;
const NONE = 65535;

const at = (list, y) => (typeof list[y] === "number" ? list[list[y]] : list[y]);
const VERDICT = { fail: "blocked", evidence: "open" };
const PARTS = ["site", "mode", "role", "rooms", "places", "load", "classes", "open"];

export function createModel(payload, state) {
  const nBands = payload.bands.length, nGrades = payload.grades.length, nVillages = payload.villages.id.length, own = payload.sites.id.length;
  let variant = null, answer = null, check = null, added = [], arrangements = new Map(), colourOf = null;

  /* Position of the year shown among the county's years; a variant may have years of its own. */
  const years = () => (answer && answer.years) || (variant && variant.document.years) || payload.years;
  const countyYear = (y) => {
    const wanted = years()[y], k = payload.years.indexOf(wanted);
    if (k >= 0) { return k; }
    return Math.max(0, payload.years.filter((w) => w <= wanted).length - 1);
  };

  function arrangement(plan, y) {
    const key = plan + y;
    if (!arrangements.has(key)) {
      const out = { year: y, plan }, mine = plan === "now" && answer;
      const source = mine ? answer.plan : (answer && answer.today) || payload.plans.today, k = mine || (answer && answer.today) ? y : countyYear(y);
      PARTS.forEach((p) => { out[p] = at(source[p], k); });
      ["tenths", "metres", "over"].forEach((p) => { out[p] = mine && source[p] ? at(source[p], k) : null; });
      if (out.open.length < own + added.length) { widen(out, own + added.length); }
      out.colours = payload.bands.map((b, n) => colours(plan, y, n, out));
      arrangements.set(key, out);
    }
    return arrangements.get(key);
  }

  /* What is open in a year: here for all years even where the rest of the plan is not. */
  const opened = (y) => (answer ? at(answer.plan.open, y) : at(payload.plans.today.open, countyYear(y)));

  /* Today's lists know nothing of schools that the variant places. */
  function widen(out, n) {
    const more = (list, filler, width) => { const copy = list.slice(); while (copy.length < n * width) { copy.push(filler); } return copy; };
    ["role", "rooms", "places", "open"].forEach((p) => { out[p] = more(out[p], 0, 1); });
    out.load = more(out.load, 0, nGrades);
    out.classes = out.classes.slice();
    while (out.classes.length < n) { out.classes.push([]); }
  }

  /* Colours of today's catchments; a school whose villages changed takes one that no neighbour has. */
  function colours(plan, y, band, out) {
    const base = at(payload.colours.today[band], countyYear(y)).slice();
    while (base.length < own + added.length) { base.push(-1); }
    if (plan === "today" || !colourOf) { return base; }
    const was = at(payload.plans.today.site, countyYear(y)), touch = new Map(), fresh = new Set();
    out.site.forEach((j, g) => { if (g % nBands === band && j >= 0 && j !== was[g]) { fresh.add(j); } });
    if (!fresh.size) { return base; }
    colourOf.forEach((e) => {
      if (e[5] < 0) { return; }
      const p = out.site[e[4] * nBands + band], q = out.site[e[5] * nBands + band];
      if (p < 0 || q < 0 || p === q) { return; }
      [[p, q], [q, p]].forEach(([a, b]) => { if (!touch.has(a)) { touch.set(a, new Set()); } touch.get(a).add(b); });
    });
    Array.from(fresh).sort((a, b) => a - b).forEach((j) => {
      const taken = new Set(Array.from(touch.get(j) || []).map((k) => base[k]));
      if (base[j] >= 0 && !taken.has(base[j])) { return; }
      let c = 0;
      while (taken.has(c)) { c += 1; }
      base[j] = c;
    });
    return base;
  }

  const model = {
    payload, nBands, nGrades, nVillages,
    get years() { return years(); },
    get bands() { return payload.bands; },
    get nSites() { return own + added.length; },
    get variant() { return variant; },
    get answer() { return answer; },
    get check() { return check; },
    group: (i, b) => i * nBands + b,
    today: () => arrangement("today", state.year),
    now: () => arrangement(answer ? "now" : "today", state.year),
    demand: () => (answer && answer.demand ? at(answer.demand, state.year) : at(payload.demand, countyYear(state.year))),
    limit: (b) => (answer && answer.limits && answer.limits[payload.bands[b].id]) || (variant && variant.document.limits && variant.document.limits[payload.bands[b].id]) || payload.bands[b].limit,
    siteName: (j) => (j < 0 ? C.t("map.nowhere") : j < own ? payload.sites.name[j] : added[j - own].name),
    siteId: (j) => (j < own ? payload.sites.id[j] : added[j - own].id),
    siteTown: (j) => (j < own ? payload.sites.town[j] : added[j - own].town || ""),
    siteOf: (id) => {
      const k = payload.sites.id.indexOf(id), n = added.findIndex((s) => s.id === id);
      return k >= 0 ? k : n >= 0 ? own + n : -1;
    },
    isSchool: (j) => j < own && Boolean(payload.sites.school[j]),
    /* Most classrooms of a site that has none yet. */
    roomsMost: (j) => (j < own ? at(payload.trial.rooms, countyYear(state.year))[j] : 0),
    isAdded: (j) => j >= own,
    sitesAt: () => payload.sites.at.concat(added.map((s) => s.at)),
    villageName: (i) => payload.villages.name[i],
    villageTown: (i) => payload.villages.towns[payload.villages.town[i]],
    bandName: (b) => payload.bands[b][C.lang()] || payload.bands[b].id,
    bandShort: (b) => { const x = payload.bands[b]; return x.from ? C.t("map.grades", { a: x.from, b: x.to }) : model.bandName(b); },
    variantName: () => (variant ? variant.document.name || variant.name : C.t("web.no_variant")),
    role: (a, j) => payload.roles[a.role[j] || 0],
    load: (a, j) => { let sum = 0; for (let k = 0; k < nGrades; k++) { sum += a.load[j * nGrades + k] || 0; } return sum; },
    classes: (a, j) => { const row = a.classes[j] || [], out = []; for (let k = 0; k < row.length; k += 3) { out.push({ from: row[k], to: row[k + 1], size: row[k + 2] }); } return out; },
    largest: (a, j) => model.classes(a, j).reduce((m, c) => Math.max(m, c.size), 0),
    trip,
    /* Bands a site teaches today, and those it could. */
    bitsToday: (j) => (j < own ? payload.trial.today[j] : 0),
    bitsMost: (j) => (j < own ? payload.trial.today[j] || payload.trial.may[j] : added[j - own].bands),
    bitsBefore: (j) => (state.year ? opened(state.year - 1)[j] || 0 : model.bitsToday(j)),
    /* Whether the plan of a year is here; a click is answered with the year shown alone. */
    has: (y) => !answer || at(answer.plan.site, y) !== null,
    actionsOf: (j) => (variant ? variant.document.actions.filter((a) => a.school === model.siteId(j) || a.site === model.siteId(j)) : []),
    roads: () => (variant ? variant.document.actions.filter((a) => a.do === "road" && (!a.year || a.year <= years()[state.year])) : []),
    fixed: () => (variant ? variant.document.actions.filter((a) => a.do === "keep").map((a) => model.siteOf(a.school)).filter((j) => j >= 0) : []),
    figures: () => (answer && answer.year === years()[state.year] ? answer.figures : null),
    fresh: () => Boolean(answer && answer.year === years()[state.year]),
    worse: () => (answer && answer.year === years()[state.year] ? answer.worse : []),
    /* Verdicts of the closing gate: those of the quick answer until the full check has the steps. */
    gate: () => ((check && check.gate) || (answer && answer.gate) || []).map((g) => Object.assign({}, g, { result: VERDICT[g.result] || g.result })),
    box,
    measure: (code) => (Object.prototype.hasOwnProperty.call(payload.measures, code) ? payload.measures[code] : null),
    set(next) {
      if ("variant" in next) { variant = next.variant; }
      if ("answer" in next) {
        answer = next.answer;
        added = answer && answer.sites_added ? answer.sites_added : [];
        arrangements = new Map();
      }
      if ("check" in next) { check = next.check; }
      if (next.edges) { colourOf = next.edges; arrangements = new Map(); }
    }
  };

  /* The trip of a group in an arrangement. */
  function trip(a, g) {
    const j = a.site[g], m = a.mode[g], mode = m >= 0 ? payload.modes[m] : "";
    if (j < 0) { return { site: -1, minutes: null, metres: null, over: false, mode: "" }; }
    if (a.tenths) {
      const x = a.tenths[g], far = a.metres ? a.metres[g] : -1;
      return { site: j, minutes: x >= NONE ? null : x / 10, metres: far < 0 ? null : far, over: Boolean(a.over && a.over[g]), mode };
    }
    const row = payload.trips_today[payload.network_today[countyYear(a.year)]][g];
    for (let k = 0; k < row.length; k += 4) {
      if (row[k] === j) {
        return { site: j, minutes: row[k + 1] < 0 ? null : row[k + 1], metres: row[k + 2] < 0 ? null : row[k + 2], over: row[k + 3] === 1 && mode !== "board", mode };
      }
    }
    return { site: j, minutes: null, metres: null, over: false, mode };
  }

  function box() {
    let w = Infinity, s = Infinity, e = -Infinity, n = -Infinity;
    payload.villages.at.concat(payload.sites.at).forEach((p) => {
      if (!p.length) { return; }
      w = Math.min(w, p[0]); e = Math.max(e, p[0]); s = Math.min(s, p[1]); n = Math.max(n, p[1]);
    });
    return Number.isFinite(w) ? [[s / 1e5, w / 1e5], [n / 1e5, e / 1e5]] : [[20, 100], [30, 110]];
  }

  return model;
}
