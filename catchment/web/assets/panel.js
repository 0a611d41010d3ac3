/* The panel beside the map: headline, figures, checks; and what gets worse, always in sight. */
const C = window.Catchment;
const LOWER_IS_BETTER = /minutes|km|over_|unserved|no_trip|large|largest|combined|shortfall|shortage|worsened/;
const TILES = ["minutes_mean", "over_limit_students", "schools_open", "large_classes"];
const WORST = ["fail", "unknown", "evidence"];
const SEVERITY = { hard: 0, process: 1, standard: 2, soft: 3 };
const round = (v) => Number(v.toFixed(1));

export function show(value, unit) {
  if (value === null || value === undefined) { return "—"; }
  if (unit === "share") { return C.decimal(value * 100, 1) + "%"; }
  if (Math.abs(value) >= 10000) { return C.count(value); }
  if (unit === "min" || unit === "km" || value % 1) { return C.decimal(value, 1); }
  return C.count(value);
}

export function unitWord(unit) { return unit === "share" || !unit ? "" : C.has("unit." + unit) ? C.t("unit." + unit) : unit; }

/* The difference of two figures as they are shown, so that a reader can check it. */
export function difference(name, unit, a, b) {
  if (a === null || a === undefined || b === null || b === undefined) { return C.el("span", { class: "diff" }, "—"); }
  const share = unit === "share", large = !share && Math.max(Math.abs(a), Math.abs(b)) >= 10000;
  const d = large ? Math.round(b) - Math.round(a) : round(share ? 100 * b : b) - round(share ? 100 * a : a);
  if (Math.abs(d) < 0.05) { return C.el("span", { class: "diff same" }, "＝", C.el("span", { class: "hidden", text: C.t("web.same") })); }
  const text = share ? [C.decimal(Math.abs(d), 1), " ", C.el("small", { text: C.t("map.points") })] : show(round(Math.abs(d)), unit);
  const judged = LOWER_IS_BETTER.test(name) ? (d < 0 ? "good" : "bad") : "";
  return C.el("span", { class: "diff " + judged }, d > 0 ? "▲ " : "▼ ", text);
}

export function createPanel(app) {
  const byId = (id) => document.getElementById(id), el = C.el, t = C.t;
  let rows = 40;
  /* Paper has no button for the rest of a list. */
  window.addEventListener("beforeprint", () => { rows += 1e6; worse(); });
  window.addEventListener("afterprint", () => { rows -= 1e6; worse(); });

  const word = (code) => { const m = app.model.measure(code); return m ? m[C.lang() === "zh" ? 0 : 1] : code.replace(/_/g, " "); };
  const definition = (code) => { const m = app.model.measure(code); return m ? m[C.lang() === "zh" ? 2 : 3] : null; };

  /* Figures of the year shown: those of the variant, or today's alone where nothing was changed. */
  function figures() {
    const own = app.model.figures();
    if (own) { return own; }
    const year = app.model.years[app.state.year];
    return app.model.payload.indicators.filter((x) => x.scope !== "township").map((x) => {
      const k = x.years.indexOf(year);
      return { name: x.name, unit: x.unit, scope: x.scope, id: x.id, today: k < 0 ? null : x.today[k], plan: app.model.answer ? null : k < 0 ? null : x.today[k] };
    });
  }

  function headline() {
    const box = C.empty(byId("headline")), all = figures().filter((x) => x.scope === "county");
    box.classList.toggle("stale", Boolean(app.model.answer) && !app.model.fresh());
    TILES.map((n) => all.find((x) => x.name === n)).filter(Boolean).forEach((x) => box.appendChild(el("div", { class: "tile", "data-figure": x.name },
      el("p", { class: "what", text: word(x.name) }),
      el("p", { class: "big" }, el("b", { text: show(x.plan, x.unit) }), " ", el("small", { text: unitWord(x.unit) })),
      el("p", { class: "was" }, t("map.was", { v: show(x.today, x.unit) }), " ", difference(x.name, x.unit, x.today, x.plan)))));
  }

  function figuresPage() {
    const s = app.state, year = app.model.years[s.year], band = app.model.bands[s.band].id;
    const list = figures().filter((x) => x.scope === s.scope && (s.scope === "county" || x.id === band) && (x.today !== null || x.plan !== null));
    return [
      el("div", { class: "head" }, el("h2", { text: t("map.figures_title", { y: year }) }),
        el("div", { class: "seg small", role: "group", "aria-label": t("map.scope") }, ["county", "band"].map((k) => el("button", {
          type: "button", "aria-pressed": String(s.scope === k), text: k === "county" ? t("map.whole") : app.model.bandShort(s.band), onclick: () => app.change({ scope: k })
        })))),
      app.model.check && app.model.check.state === "done" ? null : app.model.answer ? el("p", { class: "quiet", id: "pending", text: t("web.check_pending") }) : null,
      list.length ? el("table", { class: "grid figures", id: "figures" },
        el("thead", {}, el("tr", {}, [t("map.measure"), t("map.today"), app.model.variantName(), t("map.diff")].map((h) => el("th", { scope: "col" }, C.name(h))))),
        el("tbody", {}, list.map((x) => el("tr", { "data-figure": x.name },
          el("th", { scope: "row", title: definition(x.name) }, word(x.name), unitWord(x.unit) ? el("small", { text: " " + unitWord(x.unit) }) : null),
          el("td", { text: show(x.today, x.unit) }), el("td", { class: "strong", text: show(x.plan, x.unit) }), el("td", {}, difference(x.name, x.unit, x.today, x.plan)))))) : el("p", { class: "empty", text: t("map.no_figures") }),
      notes(), trend(band), conserved(year)
    ];
  }

  function notes() {
    const list = app.model.answer && app.model.answer.notes ? app.model.answer.notes : [];
    return list.length ? el("ul", { class: "notes" }, list.map((n) => el("li", {}, C.name(n[C.lang()] || n.zh)))) : null;
  }

  function conserved(year) {
    const check = app.model.check, list = check && check.conservation ? check.conservation : app.model.answer ? [] : app.model.payload.conservation;
    const keep = list.find((r) => r[0] === year);
    return keep ? el("p", { class: "sum", text: t("map.conservation", { a: C.count(keep[1]), b: C.count(keep[2]), c: C.count(keep[3]), d: C.count(keep[4]) }) }) : null;
  }

  /* All years of the headline figures, once the full check has them. */
  function trend() {
    const check = app.model.check;
    if (!check || !check.indicators) { return null; }
    const list = TILES.map((n) => check.indicators.find((x) => x.name === n && x.scope === "county")).filter(Boolean);
    if (!list.length || list[0].years.length < 2) { return null; }
    return el("details", { class: "more" }, el("summary", { text: t("web.all_years") }), el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": t("web.all_years") },
      el("table", { class: "grid" }, el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("map.measure") }), list[0].years.map((y) => el("th", { scope: "col", text: y })))),
        el("tbody", {}, list.map((x) => el("tr", {}, el("th", { scope: "row", text: word(x.name) }), x.plan.map((v, k) => el("td", {}, el("b", { text: show(v, x.unit) }), el("small", { text: show(x.today[k], x.unit) })))))))));
  }

  /* ---------------------------------------------------------------- what gets worse */

  function worse() {
    const box = C.empty(byId("worse")), list = app.model.worse(), a = app.model.answer, m = app.model;
    const students = a ? a.worse_students : 0, over = list.filter((r) => r.over).reduce((n, r) => n + r.students, 0);
    box.classList.toggle("none", !list.length);
    box.classList.toggle("stale", Boolean(a) && !m.fresh());
    box.appendChild(el("h2", {}, t("web.worse"), " ", el("span", { class: "worse-sum", id: "worse-sum", text: list.length ? t("web.worse_sum", { n: C.count(new Set(list.map((r) => r.village)).size), s: C.count(students), o: C.count(over) }) : a ? t("web.worse_none") : t("web.worse_nothing") })));
    if (!list.length) { return; }
    box.appendChild(el("div", { class: "worse-list", tabindex: 0, role: "region", "aria-label": t("web.worse") }, el("table", { class: "grid list", id: "worse-table" },
      el("thead", { class: "hidden" }, el("tr", {}, [t("map.village"), t("map.minutes_then"), t("map.students")].map((h) => el("th", { scope: "col", text: h })))),
      el("tbody", {}, list.slice(0, rows).map((r) => el("tr", { class: r.over ? "over" : "" },
        el("th", { scope: "row" }, app.go("village", r.village, m.villageName(r.village)), el("small", {}, m.bandShort(r.band), " · ", C.name(m.siteName(r.from)), " → ", C.name(m.siteName(r.to)))),
        el("td", {}, minutes(r.before) + " → ", el("b", { text: minutes(r.after) }), r.over ? el("span", { class: "badge bad", text: t("map.over") }) : null, el("small", { text: modeWord(r.mode) })),
        el("td", {}, t("web.n_children", { n: C.count(r.students) }))))),
    ), list.length > rows ? el("button", { type: "button", class: "wide", text: t("map.show_more", { n: C.count(list.length - rows) }), onclick: () => { rows += 200; worse(); } }) : null));
  }

  const minutes = (x) => (x === null || x === undefined || x < 0 || x >= 65535 ? "—" : C.decimal(x / 10));
  const modeWord = (x) => (x === null || x === undefined || x === "" ? "" : C.t("mode." + (typeof x === "number" ? app.model.payload.modes[x] : x)));

  /* ---------------------------------------------------------------- checks and the closing gate */

  function checksPage() {
    const check = app.model.check, found = check && check.findings ? check.findings : app.model.answer ? null : app.model.payload.findings;
    return [
      el("h2", { text: t("web.gate_title") }), gate(),
      el("h2", { class: "second", text: t("map.findings_title") }),
      found ? findings(found, check && check.new_findings ? new Set(check.new_findings) : null) : el("p", { class: "quiet", id: "pending", text: t("web.check_pending") })
    ];
  }

  function gate() {
    const list = app.model.gate();
    if (!list.length) { return el("p", { class: "empty", text: t("web.gate_none") }); }
    return list.map((g) => {
      const steps = (g.steps || []).filter((s) => s.result !== "pass").sort((a, b) => WORST.indexOf(a.result) - WORST.indexOf(b.result)), passed = (g.steps || []).length - steps.length;
      return el("article", { class: "finding gate " + (g.result === "blocked" ? "fail" : g.result === "open" || g.result === "unknown" ? "unknown" : "pass") },
        el("p", { class: "badges" }, el("span", { class: "badge gate-" + g.result, text: t("web.gate_" + g.result) }), el("span", { class: "badge", text: String(g.year) }), g.action ? el("span", { class: "badge", text: t("web.do_" + g.action) }) : null),
        el("h3", {}, app.go("site", g.school, app.model.siteName(g.school))),
        g.steps ? el("ul", { class: "steps" }, steps.map((s) => el("li", { class: "step " + s.result }, el("span", { class: "badge res-" + s.result, text: C.has("res." + s.result) ? t("res." + s.result) : s.result }), " ", C.name(C.lang() === "zh" ? s.title_zh : s.title_en), s["detail_" + C.lang()] ? el("small", { class: "quiet" }, C.name(s["detail_" + C.lang()])) : null,
          el("small", { class: "cite" }, t("map.citation"), C.name(C.lang() === "zh" ? s.citation_zh : s.citation_en)))), passed ? el("li", { class: "quiet", text: t("web.gate_passed", { n: passed }) }) : null)
          : g.missing ? el("p", { class: "quiet", text: t("web.gate_missing", { n: g.missing }) }) : null,
        g.zh ? el("p", { class: "quiet" }, C.name(g[C.lang()] || g.zh)) : null);
    });
  }

  function findings(table, fresh) {
    const s = app.state, year = app.model.years[s.year], counts = { fail: 0, unknown: 0, evidence: 0 }, groups = new Map();
    let news = 0;
    table.rows.forEach((r, k) => {
      if (s.when === "year" && r[5] !== null && r[5] !== year) { return; }
      const isNew = fresh && fresh.has(k);
      counts[r[1]] = (counts[r[1]] || 0) + 1;
      news += isNew && r[1] === "fail" ? 1 : 0;
      if (s.only === "new" ? !isNew : r[1] !== s.only) { return; }
      if (!groups.has(r[0])) { groups.set(r[0], []); }
      groups.get(r[0]).push(r);
    });
    const seg = (part, values, words) => el("div", { class: "seg small", role: "group", "aria-label": t("map.findings_title") }, values.map((k, n) => el("button", {
      type: "button", "data-value": k, "aria-pressed": String(s[part] === k), text: words[n], onclick: () => app.change({ [part]: k })
    })));
    const list = Array.from(groups.entries()).sort((a, b) => SEVERITY[table.rules[a[0]].severity] - SEVERITY[table.rules[b[0]].severity] || b[1].length - a[1].length || a[0] - b[0]);
    return [
      el("p", { class: "quiet", text: t("map.findings_note", { n: C.count(table.passed) }) }),
      el("div", { class: "segs" }, seg("only", ["fail", "unknown", "evidence"].concat(fresh ? ["new"] : []), ["fail", "unknown", "evidence"].map((k) => t("res." + k) + " " + C.count(counts[k])).concat(t("web.new_fails", { n: C.count(news) }))),
        seg("when", ["year", "all"], [String(year), t("map.all_years")])),
      list.length ? list.map(([rule, rows]) => ruleCard(table.rules[rule], rows)) : el("p", { class: "empty", text: t("map.findings_none") })
    ];
  }

  function ruleCard(rule, list) {
    const zh = C.lang() === "zh", unit = unitWord(rule.unit);
    list.sort((a, b) => (b[8] || 0) - (a[8] || 0) || (a[5] || 0) - (b[5] || 0));
    const line = (r) => el("tr", {}, el("th", { scope: "row" }, r[2] >= 0 ? app.go("site", r[2], r[4]) : r[3] >= 0 ? app.go("village", r[3], r[4]) : C.name(r[4]), el("small", {}, C.name(zh ? r[9] : r[10]))),
      el("td", { text: r[5] === null ? "" : r[5] }), el("td", {}, r[6] === null ? "" : [el("b", { text: show(r[6], rule.unit) }), unit ? " " + unit : "", r[7] === null ? null : el("small", { text: t("map.limit_is", { v: show(r[7], rule.unit) }) })]));
    return el("article", { class: "finding " + list[0][1] },
      el("p", { class: "badges" }, el("span", { class: "badge res-" + list[0][1], text: t("res." + list[0][1]) + " " + C.count(list.length) }), el("span", { class: "badge sev-" + rule.severity, text: t("sev." + rule.severity) }),
        rule.verified ? null : el("span", { class: "badge unsure", text: t("map.unverified") }), el("code", { text: rule.code })),
      el("h3", {}, C.name(zh ? rule.title_zh : rule.title_en)),
      el("p", { class: "cite" }, t("map.citation"), C.name(zh ? rule.citation_zh : rule.citation_en)),
      el("details", { open: list.length < 4 }, el("summary", { text: t("map.places_at", { n: C.count(list.length) }) }), el("table", { class: "grid list" }, el("tbody", {}, list.slice(0, 120).map(line))),
        list.length > 120 ? el("p", { class: "quiet", text: t("map.and_more", { n: C.count(list.length - 120) }) }) : null));
  }

  /* ---------------------------------------------------------------- the whole panel */

  const pages = () => ({ figures: figuresPage, checks: checksPage, colleague: app.colleague.page, variants: app.variants.page, history: app.variants.historyPage, files: app.files.page });

  /* Where the page is scrolled to; asking the browser for it would lay everything out once more. */
  let scrolled = 0;
  byId("page").addEventListener("scroll", () => { scrolled = byId("page").scrollTop; }, { passive: true });

  function page() {
    const box = byId("page"), scroll = scrolled, place = app.state.open, key = place ? place.join() : app.state.tab, kept = focusKept(box);
    byId("tabs").querySelectorAll("[role=tab]").forEach((b) => {
      b.setAttribute("aria-selected", String(b.id === "tab-" + app.state.tab && !place));
      b.tabIndex = b.id === "tab-" + app.state.tab ? 0 : -1;
    });
    box.setAttribute("aria-labelledby", "tab-" + app.state.tab);
    const parts = place ? (place[0] === "site" ? app.places.site(place[1]) : app.places.village(place[1])) : pages()[app.state.tab]();
    box.replaceChildren(el("div", { class: "sheet" }, parts));
    const same = box.getAttribute("data-shown") === key;
    if (!same) { box.setAttribute("data-shown", key); }
    if (scroll) { box.scrollTop = scrolled = same ? scroll : 0; }
    if (kept) { kept(); }
  }

  /* Drawing the page anew must not take the focus away from the one who presses keys. */
  function focusKept(box) {
    const held = document.activeElement, id = held && box.contains(held) ? held.getAttribute("data-keep") || held.id : "";
    if (!id) { return held && box.contains(held) ? () => box.focus({ preventScroll: true }) : null; }
    return () => { const next = box.querySelector('[data-keep="' + CSS.escape(id) + '"], #' + CSS.escape(id)); (next || box).focus({ preventScroll: true }); };
  }

  function paint() { headline(); worse(); page(); }

  return { paint, page, headline, worse, figures, word, modeWord, minutes };
}
