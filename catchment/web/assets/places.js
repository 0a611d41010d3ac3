/* The card of one school and of one village: what is there, what changes, and what can be done. */
import { show } from "./panel.js";

const C = window.Catchment;

export function createPlaces(app) {
  const el = C.el, t = C.t, m = () => app.model, plans = () => [m().today(), m().now()];
  const travels = new Map();

  function head(title, under) {
    return el("div", { class: "place" }, el("button", { type: "button", class: "back", id: "back", text: t("map.back"), onclick: () => app.open(null) }),
      el("h2", {}, C.name(title)), el("p", { class: "quiet" }, under.filter(Boolean).map((u, k) => [k ? " · " : "", C.name(u)])));
  }

  function facts(rows) {
    return el("table", { class: "grid facts" }, el("thead", {}, el("tr", {}, [el("td", {}), [t("map.today"), m().variantName()].map((h) => el("th", { scope: "col" }, C.name(h)))])),
      el("tbody", {}, rows.map((r) => el("tr", {}, el("th", { scope: "row", text: r[0] }), el("td", {}, r[1]), el("td", { class: "strong" }, r[2])))));
  }

  function modeWord(x) { return x ? t("mode." + x) : "—"; }
  function classSize(n) {
    return n ? [C.count(n), n >= 66 ? el("span", { class: "badge bad", text: t("cat.super_large") }) : n >= 56 ? el("span", { class: "badge bad", text: t("cat.large") }) : null] : "—";
  }

  /* ---------------------------------------------------------------- a school */

  function site(j) {
    const [a, b] = plans(), model = m(), roles = [a, b].map((p) => model.role(p, j));
    const row = (title, f) => [title].concat([a, b].map((p, k) => (roles[k] === "closed" ? "—" : f(p))));
    const used = (p) => { const places = p.places[j]; return places ? C.decimal(100 * model.load(p, j) / places, 0) + "%" : "—"; };
    const found = (model.check && model.check.findings ? model.check.findings : { rows: [], rules: [] });
    const own = found.rows.filter((r) => r[2] === j && r[1] === "fail" && (r[5] === null || r[5] === model.years[app.state.year]));
    return [
      head(model.siteName(j), [model.siteTown(j), t("map.code") + " " + model.siteId(j), String(model.years[app.state.year])]),
      controls(j),
      facts([
        [t("map.role"), t("role." + roles[0]), t("role." + roles[1])],
        row(t("map.students"), (p) => C.count(model.load(p, j))),
        row(t("map.class_count"), (p) => C.count(model.classes(p, j).length)),
        row(t("map.rooms"), (p) => C.count(p.rooms[j])),
        row(t("map.places"), (p) => C.count(p.places[j])),
        row(t("map.places_used"), used),
        row(t("map.largest_class"), (p) => classSize(model.largest(p, j)))
      ]),
      needs(j), grades(j), origins(j), leavers(j), gateOf(j),
      own.length ? el("section", {}, el("h3", { text: t("web.fails_here") }), own.slice(0, 12).map((r) => el("p", { class: "finding fail" }, C.name(C.lang() === "zh" ? found.rules[r[0]].title_zh : found.rules[r[0]].title_en), r[6] !== null ? [" · ", el("b", { text: show(r[6], found.rules[r[0]].unit) })] : null))) : null
    ];
  }

  /* Buttons that change the school in the year shown; the state it has is pressed. */
  function controls(j) {
    if (!app.canEdit()) { return null; }
    const state = app.edit.stateOf(j), kept = m().fixed().includes(j), acted = m().actionsOf(j).some((a) => ["merge", "downgrade", "reopen", "build"].includes(a.do)), year = m().years[app.state.year];
    return el("section", { class: "try" }, el("h3", { text: t("web.set_state", { y: year }) }),
      el("div", { class: "seg states", role: "group", "aria-label": t("web.set_state", { y: year }) }, app.edit.choices(j).map(([s]) => el("button", {
        type: "button", "data-state": s, "data-keep": "state-" + s, "aria-pressed": String(s === state), text: t("web.state_" + (s === "all" && m().bitsMost(j) === 1 ? "only_point" : s)), onclick: () => { if (s !== app.edit.stateOf(j)) { app.edit.setSchool(j, s); } }
      }))),
      state !== "all" ? into(j) : null,
      el("p", { class: "reason" }, el("label", { for: "why", text: t("web.why") }), el("input", { id: "why", type: "text", maxlength: 200, placeholder: t("web.why_hint"), value: app.reason(), oninput: (e) => { app.state.why = e.target.value; } })),
      el("div", { class: "try-row" },
        m().bitsToday(j) && (kept || !acted) ? el("button", { type: "button", "data-keep": "fix", "aria-pressed": String(kept), text: t(kept ? "web.fixed" : "web.fix"), title: t("web.fix_note"), onclick: () => app.edit.keep(j, !kept) }) : null,
        state !== "closed" && app.edit.gathered(j).length ? el("button", { type: "button", "data-keep": "gather", text: t("web.gather"), onclick: () => app.edit.askGather(j) }) : null,
        el("button", { type: "button", class: "plain", "data-keep": "expand", text: t("web.expand"), onclick: () => app.edit.askExpand(j) }),
        m().bitsToday(j) ? el("button", { type: "button", class: "plain", "data-keep": "price", text: t("web.price"), onclick: () => app.colleague.price(j) }) : null,
        m().isAdded(j) ? el("button", { type: "button", class: "plain", text: t("web.remove_site"), onclick: () => { app.edit.removeSite(m().siteId(j)); app.open(null); } }) : null));
  }

  /* Where the villages of a school that closes go: the nearest, or one school for all. */
  function into(j) {
    const id = m().siteId(j), action = m().actionsOf(j).filter((a) => ["merge", "downgrade"].includes(a.do)).pop();
    if (!action || action.year !== m().years[app.state.year]) { return null; }
    const b = m().now(), open = [];
    for (let k = 0; k < m().nSites; k++) { if (k !== j && b.open[k]) { open.push(k); } }
    const near = open.sort((p, q) => far(j, p) - far(j, q)).slice(0, 12), chosen = action.into || "";
    if (chosen && !near.some((k) => m().siteId(k) === chosen)) { const k = m().siteOf(chosen); if (k >= 0) { near.push(k); } }
    const list = el("select", { id: "into", "data-keep": "into", onchange: (e) => app.edit.setSchool(j, action.do === "merge" ? "closed" : "point", { into: e.target.value || null }) },
      el("option", { value: "", text: t("web.into_nearest") }), near.map((k) => el("option", { value: m().siteId(k), text: m().siteName(k) })));
    list.value = chosen;
    return el("p", { class: "reason", "data-school": id }, el("label", { for: "into", text: t("web.into") }), list);
  }

  function far(j, k) {
    const a = m().sitesAt()[j], b = m().sitesAt()[k];
    return a.length && b.length ? Math.hypot(a[0] - b[0], a[1] - b[1]) : Infinity;
  }

  /* Who comes on foot, by bus, who boards: what a head teacher has to prepare. */
  function needs(j) {
    const model = m(), b = model.now(), demand = model.demand(), by = new Map();
    let over = 0;
    for (let g = 0; g < model.nVillages * model.nBands; g++) {
      if (b.site[g] !== j || !demand[g]) { continue; }
      const x = model.trip(b, g);
      by.set(x.mode, (by.get(x.mode) || 0) + demand[g]);
      over += x.over ? demand[g] : 0;
    }
    if (!by.size) { return null; }
    return el("p", { class: "needs", id: "needs" }, Array.from(by.entries()).sort((p, q) => q[1] - p[1]).map(([mode, n]) => el("span", { class: "need" }, modeWord(mode) + " ", el("b", { text: C.count(n) }))),
      over ? el("span", { class: "need bad" }, t("web.over_here") + " ", el("b", { text: C.count(over) })) : null);
  }

  function grades(j) {
    const model = m(), n = model.nGrades;
    let any = false;
    const body = model.payload.grades.map((g, k) => el("tr", {}, el("th", { scope: "row", text: t("map.grade", { g }) }), plans().map((p) => {
      const students = p.load[j * n + k] || 0, own = model.classes(p, j).filter((c) => c.from <= g && c.to >= g);
      if (!students && !own.length) { return el("td", {}, "—"); }
      any = true;
      return el("td", {}, el("b", { text: C.count(students) }), own.length ? el("small", { text: t("map.in_classes", { n: own.length, s: own.map((c) => c.size).join(t("map.comma")) }) + (own[0].to > own[0].from ? t("map.combined", { a: own[0].from, b: own[0].to }) : "") }) : null);
    })));
    return any ? el("details", { class: "more", open: true }, el("summary", { text: t("map.by_grade") }), el("table", { class: "grid facts" },
      el("thead", {}, el("tr", {}, [t("map.grade_head"), t("map.today"), model.variantName()].map((h) => el("th", { scope: "col" }, C.name(h))))), el("tbody", {}, body))) : null;
  }

  /* Villages that come here, today and in the variant. */
  function origins(j) {
    const model = m(), demand = model.demand(), [a, b] = plans(), rows = [];
    for (let i = 0; i < model.nVillages; i++) {
      let was = 0, will = 0, longest = null, how = "";
      for (let k = 0; k < model.nBands; k++) {
        const g = model.group(i, k);
        if (!demand[g]) { continue; }
        if (a.site[g] === j) { was += demand[g]; }
        if (b.site[g] === j) {
          will += demand[g];
          const x = model.trip(b, g);
          if (x.minutes !== null && (longest === null || x.minutes > longest)) { longest = x.minutes; how = x.mode; }
        }
      }
      if (was || will) { rows.push([i, was, will, longest, how]); }
    }
    rows.sort((p, q) => q[2] - p[2] || q[1] - p[1] || p[0] - q[0]);
    return el("details", { class: "more", open: true }, el("summary", { text: t("map.origins", { n: rows.length }) }), rows.length ? el("table", { class: "grid list", id: "origins" },
      el("thead", {}, el("tr", {}, [t("map.village"), t("map.today"), t("web.then"), t("map.longest")].map((h) => el("th", { scope: "col", text: h })))),
      el("tbody", {}, rows.slice(0, 150).map((r) => el("tr", { class: r[1] !== r[2] ? "moved" : "" }, el("th", { scope: "row" }, app.go("village", r[0], model.villageName(r[0]))),
        el("td", { text: C.count(r[1]) }), el("td", { class: "strong", text: C.count(r[2]) }), el("td", {}, C.decimal(r[3]), el("small", { text: modeWord(r[4]) })))))) : el("p", { class: "empty", text: t("map.nobody") }));
  }

  /* Where the villages that come here today go. */
  function leavers(j) {
    const model = m(), demand = model.demand(), [a, b] = plans(), to = new Map();
    for (let g = 0; g < model.nVillages * model.nBands; g++) {
      if (a.site[g] !== j || b.site[g] === j || !demand[g]) { continue; }
      if (!to.has(b.site[g])) { to.set(b.site[g], [0, new Set()]); }
      const e = to.get(b.site[g]);
      e[0] += demand[g];
      e[1].add(Math.floor(g / model.nBands));
    }
    if (!to.size) { return null; }
    return el("details", { class: "more", open: true }, el("summary", { text: t("map.leavers") }), el("table", { class: "grid list" },
      el("tbody", {}, Array.from(to.entries()).sort((p, q) => q[1][0] - p[1][0] || p[0] - q[0]).map(([k, e]) => el("tr", {},
        el("th", { scope: "row" }, k >= 0 ? app.go("site", k, model.siteName(k)) : el("span", { class: "bad", text: t("map.nowhere") }),
          el("small", {}, Array.from(e[1]).slice(0, 14).map((i, n) => [n ? t("map.comma") : "", app.go("village", i, model.villageName(i))]), e[1].size > 14 ? t("map.and_others", { n: e[1].size - 14 }) : "")),
        el("td", { text: t("web.n_children", { n: C.count(e[0]) }) }))))));
  }

  function gateOf(j) {
    const list = m().gate().filter((g) => g.school === j);
    return list.map((g) => el("p", { class: "callout" + (g.result === "blocked" ? " bad" : "") }, el("b", { text: t("web.gate_" + g.result) }), " · " + g.year + " · ",
      el("button", { type: "button", class: "link", text: t("web.gate_see"), onclick: () => app.tab("checks") })));
  }

  /* ---------------------------------------------------------------- a village */

  function village(i) {
    const model = m(), demand = model.demand(), [a, b] = plans();
    return [
      head(model.villageName(i), [model.villageTown(i), t("map.code") + " " + model.payload.villages.id[i], String(model.years[app.state.year])]),
      model.bands.map((band, k) => k).sort((p, q) => (q === app.state.band) - (p === app.state.band) || p - q).map((k) => {
        const g = model.group(i, k), ways = [model.trip(a, g), model.trip(b, g)], moves = ways[0].site !== ways[1].site;
        const pair = (title, f) => [title, f(ways[0]), f(ways[1])];
        return el("section", { class: "band" + (k === app.state.band ? " now" : "") },
          el("h3", {}, model.bandName(k), el("small", { text: " " + t("map.n_students", { n: C.count(demand[g]) }) }), moves ? el("span", { class: "badge move", text: t("map.moves") }) : null),
          facts([
            pair(t("map.school"), (x) => (x.site >= 0 ? app.go("site", x.site, model.siteName(x.site)) : el("span", { class: "bad", text: t("map.nowhere") }))),
            pair(t("map.minutes"), (x) => el("span", { class: x.over ? "bad" : "" }, C.decimal(x.minutes), x.over ? el("span", { class: "badge bad", text: t("map.over") }) : null)),
            pair(t("map.mode"), (x) => modeWord(x.mode)),
            pair(t("map.km"), (x) => (x.metres === null ? "—" : C.decimal(x.metres / 1000, 1)))
          ]),
          send(i, k, ways[1].site), reasonFor(i, k));
      }),
      el("p", { class: "quiet", text: t("map.minutes_note") })
    ];
  }

  /* Send the village to another school: the nearest first, with minutes and places left. */
  function send(i, k, own) {
    const near = nearest(i, k, own);
    if (!near.length) { return el("p", { class: "quiet", text: t("map.no_other") }); }
    const table = el("table", { class: "grid list other" }, el("thead", {}, el("tr", {}, [t("map.other_schools"), t("map.minutes"), t("map.places_left"), ""].map((h) => el("th", { scope: "col", text: h })))),
      el("tbody", {}, near.map((x) => el("tr", {}, el("th", { scope: "row" }, app.go("site", x.site, m().siteName(x.site))),
        el("td", {}, C.decimal(x.minutes), x.minutes > m().limit(k) ? el("span", { class: "badge bad", text: t("map.over") }) : null),
        el("td", { class: x.left < x.students ? "bad" : "", text: C.count(x.left) }),
        el("td", {}, app.canEdit() ? el("button", { type: "button", class: "small", "data-keep": "send-" + k + "-" + x.site, "data-send": x.site, text: t("web.send"), "aria-label": t("web.send_to", { n: m().siteName(x.site) }), onclick: () => app.edit.move([i], [k], x.site) }) : null)))));
    return table;
  }

  function travel() {
    const w = m().answer && m().answer.network ? 0 : m().payload.network[0] || 0;
    if (!travels.has(w)) {
      const given = m().payload, trial = given.trial;
      travels.set(w, C.whatif.travel(trial.travel[w], m().nBands, given.sites.id.length, given.villages.id.length, trial.of));
    }
    return travels.get(w);
  }

  /* Schools open in the variant that teach the band, by the minutes of today's roads. */
  function nearest(i, k, own) {
    const model = m(), b = model.now(), g = model.group(i, k), road = travel(), out = [], grades = model.payload.grades;
    road.sites(k).forEach((j) => {
      const x = road.tenths(g, j);
      if (j !== own && (b.open[j] & (1 << k)) && x < C.whatif.unreached) { out.push({ site: j, minutes: x / 10 }); }
    });
    out.sort((p, q) => p.minutes - q.minutes || p.site - q.site);
    return out.slice(0, 4).map((x) => {
      let load = 0;
      grades.forEach((grade, n) => { load += b.load[x.site * grades.length + n] || 0; });
      return Object.assign(x, { left: (b.places[x.site] || 0) - load, students: model.demand()[g] });
    });
  }

  function reasonFor(i, k) {
    const check = m().check, all = check && check.reasons ? check.reasons : null;
    if (!all) { return null; }
    const year = m().years[app.state.year], r = all.rows.filter((x) => x[0] === i && x[1] === k && x[2] <= year).pop();
    return r ? el("p", { class: "why" }, el("b", { text: t("map.why") }), C.name(all.texts[r[3]][C.lang() === "zh" ? 0 : 1])) : null;
  }

  /* ---------------------------------------------------------------- what the pointer is over */

  function tip(found, plan) {
    const model = m(), a = plan === "today" ? model.today() : model.now(), k = found[1];
    if (found[0] === "site") {
      const role = model.role(a, k);
      return el("div", {}, el("b", {}, C.name(model.siteName(k))), el("div", { text: t("role." + role) + (role === "closed" ? "" : " · " + t("web.tip_site", { n: C.count(model.load(a, k)), p: C.count(a.places[k]) })) }),
        role === "closed" ? null : el("div", { text: t("web.tip_rooms", { c: model.classes(a, k).length, r: a.rooms[k] }) }));
    }
    const g = model.group(k, app.state.band), x = model.trip(a, g);
    return el("div", {}, el("b", {}, C.name(model.villageName(k))), el("div", { text: model.bandShort(app.state.band) + " · " + t("map.n_students", { n: C.count(model.demand()[g]) }) }),
      el("div", {}, "→ ", C.name(model.siteName(x.site)), x.minutes === null ? "" : " · " + C.decimal(x.minutes) + " " + t("unit.min") + " · " + modeWord(x.mode)));
  }

  return { site, village, tip };
}
