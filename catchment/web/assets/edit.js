/* From what a planner does to actions of a recipe. Everything here returns a new document. */
import { ask, field } from "./dialog.js";

const C = window.Catchment;
const STATES = ["keep", "downgrade", "merge", "reopen", "build"];

export function createEdit(app) {
  const t = C.t, year = () => app.model.years[app.state.year];
  const withActions = (doc, actions) => Object.assign({}, doc, { actions });
  const isOf = (a, id) => a.school === id || a.site === id;

  /* Actions without those that set the state of one school in one year. */
  function without(doc, id, when) {
    return doc.actions.filter((a) => !(STATES.includes(a.do) && isOf(a, id) && a.year === when));
  }

  function send(make, why) {
    if (!app.canEdit()) { app.tell("warn", t(app.state.meeting ? "web.meeting_no_edit" : app.model.variant && app.model.variant.state === "approved" ? "web.approved_no_edit" : "web.viewer_no_edit")); return; }
    app.begin();
    app.outbox.push({ make, why: why || app.reason() });
  }

  /* What a school can be set to in the year shown: [state, bits]. */
  function choices(j) {
    const m = app.model, before = m.bitsBefore(j), most = m.bitsMost(j), out = [];
    const lower = most & 1 && most > 1 && !m.bands.some((b, k) => most & (1 << k) && b.from >= 7);
    if (most) { out.push(["all", most]); }
    if (lower && before > 1) { out.push(["point", 1]); }
    out.push(["closed", 0]);
    return out;
  }

  function stateOf(j) {
    const bits = app.model.now().open[j] || 0, most = app.model.bitsMost(j);
    return !bits ? "closed" : bits === 1 && most > 1 ? "point" : "all";
  }

  /* The action that takes a school from what it was the year before to what it shall be. */
  function actionFor(j, state, more) {
    const m = app.model, id = m.siteId(j), before = m.bitsBefore(j), most = m.bitsMost(j), when = year(), base = Object.assign({ year: when }, more);
    if (state === "closed") { return before ? Object.assign({ do: "merge", school: id }, base) : null; }
    if (state === "point") { return before > 1 ? Object.assign({ do: "downgrade", school: id }, base) : null; }
    if (before) { return null; }
    if (m.isSchool(j)) { return Object.assign({ do: "reopen", school: id }, base); }
    return Object.assign({ do: "build", site: id, rooms: Math.max(1, m.roomsMost(j) || 12) }, base);
  }

  async function setSchool(j, state, more = {}) {
    const action = actionFor(j, state, more), id = app.model.siteId(j), when = year();
    if (action && action.do === "build" && !more.rooms) {
      const asked = await ask(t("web.build_title", { n: app.model.siteName(j) }), [
        field(t("web.rooms"), { name: "rooms", type: "number", min: 1, max: app.model.roomsMost(j) || 300, value: String(action.rooms), required: true })
      ], [["ok", t("web.build_ok"), "primary"], ["cancel", t("web.cancel")]]);
      if (asked.answer !== "ok") { return; }
      action.rooms = Number(asked.values.rooms);
    }
    const why = app.reason();
    if (state === "all" && app.model.bitsBefore(j) === 1 && app.model.bitsMost(j) > 1) {
      /* It became a teaching point in an earlier year: it has all grades again when that is taken back. */
      send((doc) => withActions(doc, doc.actions.filter((a) => !(a.do === "downgrade" && isOf(a, id) && a.year <= when))), why);
      return;
    }
    if (action && why) { action.reason = why; }
    send((doc) => withActions(doc, without(doc, id, when).concat(action ? [action] : [])), why);
  }

  /* One click, the next state: all grades, teaching point, closed, and round again. */
  function cycle(j) {
    const list = choices(j).map((c) => c[0]), now = list.indexOf(stateOf(j));
    setSchool(j, list[(now + 1) % list.length]);
  }

  function keep(j, on) {
    const id = app.model.siteId(j), when = year();
    send((doc) => withActions(doc, doc.actions.filter((a) => !(a.do === "keep" && a.school === id && (on ? a.year === when : true)))
      .concat(on ? [Object.assign({ do: "keep", school: id, year: when }, app.reason() ? { reason: app.reason() } : {})] : [])));
  }

  function expand(j, values) {
    const id = app.model.siteId(j), when = year();
    const action = { do: "expand", school: id, rooms: values.rooms, beds: values.beds, dining_seats: values.dining_seats, nap_places: values.nap_places, year: when };
    const empty = !action.rooms && !action.beds && !action.dining_seats && !action.nap_places;
    send((doc) => withActions(doc, doc.actions.filter((a) => !(a.do === "expand" && a.school === id && a.year === when)).concat(empty ? [] : [action])));
  }

  async function askExpand(j) {
    const old = app.model.actionsOf(j).find((a) => a.do === "expand" && a.year === year()) || {};
    const number = (word, name) => field(t(word), { name, type: "number", min: 0, max: name === "rooms" ? 200 : 10000, value: String(old[name] || 0) });
    const asked = await ask(t("web.expand_title", { n: app.model.siteName(j), y: year() }), [number("web.rooms_more", "rooms"), number("web.beds_more", "beds"), number("web.dining_more", "dining_seats"), number("web.naps_more", "nap_places")],
      [["ok", t("web.expand_ok"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer === "ok") {
      expand(j, { rooms: Number(asked.values.rooms), beds: Number(asked.values.beds), dining_seats: Number(asked.values.dining_seats),
        nap_places: Number(asked.values.nap_places) });
    }
  }

  /* Villages sent to a school; what was said before about the same villages and bands is replaced. */
  function move(villages, bands, j) {
    const m = app.model, ids = villages.map((i) => m.payload.villages.id[i]), names = bands.map((b) => m.bands[b].id), when = year();
    const to = m.siteId(j), bits = m.now().open[j] || 0, taught = names.filter((n, k) => bits & (1 << bands[k]));
    if (!taught.length) { app.tell("warn", t("web.not_taught", { n: m.siteName(j) })); return; }
    send((doc) => {
      const rest = [];
      doc.actions.forEach((a) => {
        if (a.do !== "move" || a.year !== when) { rest.push(a); return; }
        const own = a.bands || m.bands.map((b) => b.id), both = own.filter((b) => taught.includes(b)), other = own.filter((b) => !taught.includes(b));
        const stay = both.length ? a.villages.filter((v) => !ids.includes(v)) : a.villages;
        if (stay.length) { rest.push(Object.assign({}, a, { villages: stay })); }
        const part = both.length && other.length ? a.villages.filter((v) => ids.includes(v)) : [];
        if (part.length) { rest.push(Object.assign({}, a, { villages: part, bands: other })); }
      });
      return withActions(doc, rest.concat([{ do: "move", villages: ids, bands: taught, to, year: when }]));
    });
  }

  /* Schools near enough to be gathered into one: of its area, or of its township where it has none, and
     teaching nothing that it does not teach. */
  function gathered(j) {
    const m = app.model, of = m.payload.areas.of, bits = m.now().open[j] || 0, out = [];
    for (let k = 0; k < m.payload.sites.id.length; k++) {
      const near = of[j] >= 0 ? of[k] === of[j] : m.siteTown(k) === m.siteTown(j), own = m.bitsBefore(k);
      if (k !== j && near && own && (own & ~bits) === 0) { out.push(k); }
    }
    return out;
  }

  /* One question for a whole area: which schools stay, become teaching points, or go into this one. */
  async function askGather(j) {
    const m = app.model, list = gathered(j), fixed = m.fixed(), when = year();
    const asked = await ask(t("web.gather_title", { n: m.siteName(j), y: when }), [
      C.el("p", { class: "quiet", text: t("web.gather_note") }),
      C.el("table", { class: "grid list" }, C.el("tbody", {}, list.map((k) => {
        const id = "gather-" + k, kept = fixed.includes(k), own = kept ? "keep" : stateOf(k) === "all" ? "same" : stateOf(k);
        const options = [["same", "web.gather_same"], ["keep", "web.fix"]].concat(choices(k).some((c) => c[0] === "point") ? [["point", "web.state_point"]] : [], [["closed", "web.gather_closed"]]);
        const pick = C.el("select", { id, name: String(k) }, options.map(([value, word]) => C.el("option", { value, text: t(word) })));
        pick.value = own;
        return C.el("tr", {}, C.el("th", { scope: "row" }, C.el("label", { for: id }, C.name(m.siteName(k))), C.el("small", { text: t("web.n_children", { n: C.count(m.load(m.today(), k)) }) })), C.el("td", {}, pick));
      })))
    ], [["ok", t("web.gather_ok"), "primary"], ["all", t("web.gather_all")], ["cancel", t("web.cancel")]], {
      check: (answer, form) => {
        if (answer !== "all") { return null; }
        form.querySelectorAll("select").forEach((s) => { if (s.value === "same") { s.value = "closed"; } });
        return " ";
      }
    });
    if (asked.answer !== "ok") { return; }
    const target = m.siteId(j), why = app.reason(), fresh = [], touched = new Set();
    list.forEach((k) => {
      const state = asked.values[String(k)], id = m.siteId(k), reason = why ? { reason: why } : {};
      if (state === "keep" ? fixed.includes(k) : state === (stateOf(k) === "all" ? "same" : stateOf(k))) { return; }
      touched.add(id);
      if (state === "closed") { fresh.push(Object.assign({ do: "merge", school: id, into: target, year: when }, reason)); }
      if (state === "point") { fresh.push(Object.assign({ do: "downgrade", school: id, into: target, year: when }, reason)); }
      if (state === "keep") { fresh.push(Object.assign({ do: "keep", school: id, year: when }, reason)); }
    });
    if (!touched.size) { return; }
    send((doc) => withActions(doc, doc.actions.filter((a) => !(STATES.includes(a.do) && touched.has(a.school) && a.year === when)).concat(fresh)), why);
  }

  async function askSite(at) {
    const taken = app.outbox.expected().actions.filter((a) => a.do === "build" && a.at).length, grades = app.model.payload.grades;
    const levels = [[grades[0], Math.min(6, grades[grades.length - 1])], [grades[0], 3], [grades[0], grades[grades.length - 1]], [7, 9]]
      .filter((g, k, all) => g[0] <= g[1] && grades.includes(g[0]) && all.findIndex((x) => x[0] === g[0] && x[1] === g[1]) === k);
    const asked = await ask(t("web.place_title", { y: year() }), [
      field(t("web.name"), { name: "name", type: "text", maxlength: 60, required: true, value: t("web.new_school", { n: taken + 1 }) }),
      field(t("web.grades"), { tag: "select", name: "grades", options: levels.map((g) => [g.join("-"), t("map.grades", { a: g[0], b: g[1] })]) }),
      field(t("web.rooms"), { name: "rooms", type: "number", min: 1, max: 300, required: true, value: "12" }),
      C.el("p", { class: "quiet", text: t("web.place_note") })
    ], [["ok", t("web.place_ok"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer !== "ok") { return; }
    const values = asked.values, used = new Set(app.outbox.expected().actions.map((a) => a.site));
    let n = taken + 1;
    while (used.has("NEW" + n)) { n += 1; }
    const action = { do: "build", site: "NEW" + n, at, name: values.name.trim(), grades: values.grades.split("-").map(Number), rooms: Number(values.rooms), year: year() };
    send((doc) => withActions(doc, doc.actions.concat([action])));
    app.tools.take("look");
  }

  function cutRoad(at) { send((doc) => withActions(doc, doc.actions.concat([{ do: "road", road: "closed", from: at, year: year() }]))); }

  async function askRoad(start, end) {
    const classes = app.model.payload.workbench.road_classes, named = (c) => (C.has("web.road_" + c) ? t("web.road_" + c) : c);
    const asked = await ask(t("web.road_title", { y: year() }), [
      field(t("web.road_class"), { tag: "select", name: "road", options: classes.map((c) => [c, named(c)]), value: classes.includes("tertiary") ? "tertiary" : classes[0] }),
      C.el("p", { class: "quiet", text: t("web.road_note") })
    ], [["ok", t("web.road_ok"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer !== "ok") { app.paint(); return; }
    const action = { do: "road", road: "new", from: start, to: end, class: asked.values.road, year: year() };
    send((doc) => withActions(doc, doc.actions.concat([action])));
  }

  function removeAction(k) { send((doc) => withActions(doc, doc.actions.filter((a, n) => n !== k))); }
  function removeSite(id) { send((doc) => withActions(doc, doc.actions.filter((a) => a.site !== id && a.to !== id && a.into !== id))); }

  /* Limits and class size: the county's own where nothing is set. */
  function setting(doc, name, value) {
    const out = Object.assign({}, doc);
    if (name === "class_size") { out.class_size = value; return out; }
    if (name === "assignment") { out.method = Object.assign({}, doc.method, { assignment: value }); return out; }
    out.limits = Object.assign({}, doc.limits);
    if (value === null) { delete out.limits[name]; } else { out.limits[name] = value; }
    return out;
  }

  function rename(name, note) { send((doc) => Object.assign({}, doc, { name, note })); }

  return { choices, stateOf, gathered, askGather, setSchool, cycle, keep, askExpand, move, askSite, cutRoad, askRoad, removeAction, removeSite, setting, rename, apply: send };
}
