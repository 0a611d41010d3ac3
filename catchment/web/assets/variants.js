/* Variants: named, kept, compared; and the history of who changed what and why. */
import { call, get, post } from "./api.js";
import { ask, field } from "./dialog.js";
import { difference, show, unitWord } from "./panel.js";

const C = window.Catchment;
const MAIN = ["minutes_mean", "minutes_max", "over_limit_students", "unserved", "schools_open", "teaching_points", "large_classes", "super_large_classes", "shortfall", "student_km", "moved_students", "worsened_students"];

export function createVariants(app) {
  const el = C.el, t = C.t;
  let list = [], history = [], chosen = new Set(), compared = null, shownHistory = "";

  async function refresh() {
    try {
      list = (await get("/api/variants")).variants;
      if (!app.state.open && app.state.tab === "variants") { app.panel.page(); }
      buttons();
    } catch (fault) { app.failed(fault); }
  }

  const nameOf = (id) => { const v = list.find((x) => x.id === id); return v ? v.name : "#" + id; };

  function buttons() {
    const v = app.model.variant, own = v && (list.find((x) => x.id === v.id && x.version >= v.version) || v), can = app.canEdit() && !app.outbox.waiting;
    document.getElementById("undo").disabled = !(can && own && own.can_undo);
    document.getElementById("redo").disabled = !(can && own && own.can_redo);
  }

  /* Put a variant on the table; nothing may be on its way for the one before. */
  async function open(id, quiet) {
    if (app.outbox.waiting) { app.tell("warn", t("web.wait_saved")); return false; }
    try {
      const year = app.model.years[app.state.year];
      const [variant, answer] = await Promise.all([get("/api/variants/" + id), get(`/api/variants/${id}/answer?year=${year}`)]);
      app.show(variant, answer);
      app.colleague.reset();
      if (!quiet) { app.tell("good", t("web.opened", { n: variant.name })); }
      return true;
    } catch (fault) {
      /* The years of this variant may be others than those of the last one. */
      if (fault.status === 422 || fault.status === 404) { return openFirst(id, fault); }
      app.failed(fault);
      return false;
    }
  }

  async function openFirst(id, fault) {
    try {
      const variant = await get("/api/variants/" + id), years = variant.document.years || app.model.payload.years;
      app.state.year = Math.min(app.state.year, years.length - 1);
      app.show(variant, await get(`/api/variants/${id}/answer?year=${years[app.state.year]}`));
      return true;
    } catch (again) { app.failed(again.status ? again : fault); return false; }
  }

  async function create(document, why, from) {
    try {
      const made = (await post("/api/variants", { document, why: why || "", from: from || null })).variant;
      await refresh();
      await open(made.id, true);
      return made;
    } catch (fault) { app.failed(fault); return null; }
  }

  /* A variant to work on, made where there is none. */
  async function need() {
    return app.model.variant ? app.model.variant : create({ name: t("web.first_variant"), note: "", actions: [] });
  }

  async function askNew(copy) {
    const base = copy && app.model.variant ? app.model.variant.document : { note: "", actions: [] };
    const asked = await ask(t(copy ? "web.copy_title" : "web.new_title"), [
      field(t("web.name"), { name: "name", type: "text", maxlength: 120, required: true, value: copy ? t("web.copy_of", { n: app.model.variantName() }) : t("web.variant_n", { n: list.length + 1 }) }),
      field(t("web.note"), { tag: "textarea", name: "note", rows: 2, maxlength: 500, value: base.note || "" })
    ], [["ok", t("web.create"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer === "ok") { create(Object.assign({}, base, { name: asked.values.name.trim(), note: asked.values.note }), "", copy && app.model.variant ? app.model.variant.id : null); }
  }

  async function askRename() {
    const d = app.model.variant.document;
    const asked = await ask(t("web.rename"), [field(t("web.name"), { name: "name", type: "text", maxlength: 120, required: true, value: d.name }), field(t("web.note"), { tag: "textarea", name: "note", rows: 2, maxlength: 500, value: d.note || "" })],
      [["ok", t("web.save"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer === "ok") { app.edit.rename(asked.values.name.trim(), asked.values.note); }
  }

  async function remove(v) {
    const asked = await ask(t("web.delete_title", { n: v.name }), el("p", { text: t("web.delete_note") }), [["ok", t("web.delete"), "danger"], ["cancel", t("web.cancel")]]);
    if (asked.answer !== "ok") { return; }
    try {
      await call("DELETE", "/api/variants/" + v.id, { expected: v.version });
      if (app.model.variant && app.model.variant.id === v.id) { app.show(null, null); }
      refresh();
    } catch (fault) { app.failed(fault); refresh(); }
  }

  async function decide(v, what) {
    const asked = await ask(t("web." + what + "_title", { n: v.name }), field(t("web.why"), { name: "why", type: "text", maxlength: 300 }), [["ok", t("web." + what), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer !== "ok") { return; }
    try {
      await post(`/api/variants/${v.id}/${what}`, { expected: v.version, why: asked.values.why });
      await refresh();
      if (app.model.variant && app.model.variant.id === v.id) { open(v.id, true); }
    } catch (fault) { app.failed(fault); refresh(); }
  }

  /* ---------------------------------------------------------------- the page of variants */

  function page() {
    const own = app.model.variant ? app.model.variant.id : null, edits = app.may("edit") && !app.state.meeting;
    return [
      el("div", { class: "head" }, el("h2", { text: t("web.tab_variants") }), edits ? el("div", { class: "try-row" },
        el("button", { type: "button", id: "variant-new", text: t("web.new"), onclick: () => askNew(false) }),
        own ? el("button", { type: "button", id: "variant-copy", text: t("web.copy"), onclick: () => askNew(true) }) : null,
        own ? el("button", { type: "button", id: "variant-rename", text: t("web.rename"), onclick: askRename }) : null) : null),
      list.length ? el("ul", { class: "variant-list" }, list.map((v) => row(v, own, edits))) : el("p", { class: "empty", text: t("web.variants_none") }),
      list.length ? el("button", { type: "button", class: "wide", id: "compare", disabled: !chosen.size, text: t("web.compare", { n: chosen.size }), onclick: () => compare(Array.from(chosen)) }) : null,
      compared ? comparison() : null,
      app.model.variant ? actions() : null
    ];
  }

  function row(v, own, edits) {
    const box = el("input", { type: "checkbox", id: "cmp-" + v.id, checked: chosen.has(v.id), "aria-label": t("web.compare_pick", { n: v.name }), onchange: (e) => { chosen[e.target.checked ? "add" : "delete"](v.id); app.panel.page(); } });
    return el("li", { class: v.id === own ? "own" : "", "data-variant": v.id }, box,
      el("div", {}, el("button", { type: "button", class: "link", "data-keep": "open-" + v.id, "aria-current": v.id === own ? "true" : null, onclick: () => open(v.id) }, C.name(v.name)),
        v.state === "approved" ? el("span", { class: "badge good", text: t("web.approved") }) : null,
        el("small", {}, C.name(v.summary ? v.summary[C.lang()] : ""), " · ", C.name(v.by || ""), " · " + when(v.at) + " · " + t("web.version", { n: v.version }))),
      el("span", { class: "row-acts" },
        edits && app.may("approve") ? el("button", { type: "button", class: "small", "data-keep": "dec-" + v.id, text: t(v.state === "approved" ? "web.reopen" : "web.approve"), onclick: () => decide(v, v.state === "approved" ? "reopen" : "approve") }) : null,
        edits && v.state !== "approved" ? el("button", { type: "button", class: "small", "data-keep": "del-" + v.id, text: t("web.delete"), "aria-label": t("web.delete") + " " + v.name, onclick: () => remove(v) }) : null));
  }

  /* The actions of the variant on the table, each of which can be taken back by itself. */
  function actions() {
    const doc = app.model.variant.document;
    return el("section", {}, el("h3", { text: t("web.actions", { n: doc.actions.length }) }), doc.actions.length ? el("ol", { class: "changes" }, doc.actions.map((a, k) => el("li", {}, C.name(sentence(a)), a.reason ? el("small", {}, " ", C.name(a.reason)) : null, " ",
      app.canEdit() ? el("button", { type: "button", class: "small", "data-keep": "act-" + k, "aria-label": t("web.take_back") + " " + sentence(a), text: t("web.take_back"), onclick: () => app.edit.removeAction(k) }) : null))) : el("p", { class: "empty", text: t("web.actions_none") }));
  }

  function sentence(a) {
    const m = app.model, named = (id) => { const j = m.siteOf(id); return j >= 0 ? m.siteName(j) : id; }, year = a.year ? a.year + " · " : "";
    if (a.do === "move") {
      const who = a.villages.slice(0, 4).map((v) => { const i = m.payload.villages.id.indexOf(v); return i >= 0 ? m.villageName(i) : v; }).join(t("map.comma"));
      return year + t("web.did_move", { v: who + (a.villages.length > 4 ? t("web.and_n", { n: a.villages.length }) : ""), s: named(a.to) });
    }
    if (a.do === "road") { return year + t(a.road === "new" ? "web.did_road" : "web.did_cut"); }
    const extra = a.into ? " → " + named(a.into) : a.rooms ? " · " + t("web.n_rooms", { n: a.rooms }) : "";
    return year + t("web.do_" + a.do) + t("web.colon") + (a.name || named(a.school || a.site)) + extra;
  }

  const when = (at) => { const d = new Date(at); return isNaN(d) ? "" : d.toLocaleString(C.lang() === "zh" ? "zh-CN" : "en-GB", { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false }); };

  /* ---------------------------------------------------------------- comparison */

  async function compare(ids) {
    try {
      chosen = new Set(ids);
      compared = await get(`/api/compare?ids=${ids.join(",")}&year=${app.model.years[app.state.year]}`);
      app.change({ tab: "variants", open: null });
      const box = document.getElementById("comparison");
      if (box) { box.scrollIntoView({ block: "start" }); box.focus({ preventScroll: true }); }
    } catch (fault) { app.failed(fault); }
  }

  function comparison() {
    const c = compared, rows = c.rows.filter((r) => r.scope === "county" && r.values.some((v) => v !== null && v !== undefined));
    const rank = (r) => { const k = MAIN.indexOf(r.name); return k < 0 ? 99 : k; };
    rows.sort((a, b) => rank(a) - rank(b));
    const differ = rows.filter((r) => r.values.some((v) => v !== r.values[0]) || rank(r) < 5);
    return el("section", { id: "comparison", tabindex: -1 }, el("h3", { text: t("web.comparison", { y: c.year }) }),
      el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": t("web.comparison", { y: c.year }) }, el("table", { class: "grid" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("map.measure") }), c.columns.map((x) => el("th", { scope: "col" }, x.id ? C.name(x.name) : t("map.today"))))),
        el("tbody", {}, differ.map((r) => el("tr", { "data-figure": r.name }, el("th", { scope: "row" }, app.panel.word(r.name), unitWord(r.unit) ? el("small", { text: " " + unitWord(r.unit) }) : null),
          r.values.map((v, k) => el("td", {}, el(k ? "b" : "span", { text: show(v, r.unit) }), k ? el("small", {}, difference(r.name, r.unit, r.values[0], v)) : null))))))),
      differing(c));
  }

  /* Villages for which the variants compared differ, the longest way first. */
  function differing(c) {
    const list = c.villages.slice().sort((a, b) => Math.max(...b.tenths.filter((x) => x < 65535)) - Math.max(...a.tenths.filter((x) => x < 65535)));
    if (!list.length) { return el("p", { class: "quiet", text: t("web.same_villages") }); }
    return el("details", { class: "more", open: true }, el("summary", { text: t("web.differ", { n: C.count(list.length) }) }), el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": t("web.differ", { n: list.length }) },
      el("table", { class: "grid list" }, el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("map.village") }), c.columns.map((x) => el("th", { scope: "col" }, x.id ? C.name(x.name) : t("map.today"))))),
        el("tbody", {}, list.slice(0, 80).map((r) => el("tr", {}, el("th", { scope: "row" }, app.go("village", r.village, app.model.villageName(r.village)), el("small", { text: app.model.bandShort(r.band) })),
          r.tenths.map((x, k) => el("td", { class: r.over[k] ? "bad" : "" }, app.panel.minutes(x), el("small", {}, siteWord(r.sites[k], c.columns[k]))))))))));
  }

  /* A school that a variant brings along is named by that variant, not by the one on the table. */
  function siteWord(j, column) {
    if (j < app.model.payload.sites.name.length) { return C.name(app.model.siteName(j)); }
    const own = (column.sites_added || []).find((s) => s.position === j);
    return C.name(own ? own.name : "#" + j);
  }

  /* ---------------------------------------------------------------- history */

  async function loadHistory() {
    const v = app.model.variant, key = v ? v.id + "/" + v.version : "";
    if (!v || key === shownHistory) { return; }
    shownHistory = key;
    try {
      history = (await get(`/api/variants/${v.id}/history`)).history;
      if (!app.state.open && app.state.tab === "history") { app.panel.page(); }
    } catch (fault) { shownHistory = ""; app.failed(fault); }
  }

  function historyPage() {
    loadHistory();
    const v = app.model.variant;
    return [el("h2", { text: t("web.history_title") }), !v ? el("p", { class: "empty", text: t("web.history_none") })
      : el("ol", { class: "history", id: "history" }, history.map((h) => el("li", { class: "kind-" + h.kind }, el("p", {}, el("b", {}, C.name(h.by)), " ", el("time", { datetime: h.at, text: when(h.at) }), " ", el("span", { class: "badge", text: t("web.kind_" + h.kind) }), el("small", { class: "quiet", text: " " + t("web.version", { n: h.version }) })),
        lines(h.words), h.why ? el("p", { class: "why" }, el("b", { text: t("map.why") }), C.name(h.why)) : null,
        h.version < v.version ? el("button", { type: "button", class: "small", "data-keep": "old-" + h.version, text: t("web.see_old"), onclick: () => fromOld(h) }) : null)))];
  }

  function lines(words) {
    const own = words ? words[C.lang()] : null, all = Array.isArray(own) ? own : own ? [own] : [];
    return all.length ? el("ul", {}, all.map((w) => el("li", {}, C.name(w)))) : null;
  }

  /* An older state becomes a variant of its own: nothing of the history is lost. */
  async function fromOld(h) {
    const v = app.model.variant;
    try {
      const old = await get(`/api/variants/${v.id}?version=${h.version}`);
      const asked = await ask(t("web.old_title", { n: h.version }), field(t("web.name"), { name: "name", type: "text", maxlength: 120, required: true, value: t("web.old_name", { n: v.document.name, v: h.version }) }), [["ok", t("web.create"), "primary"], ["cancel", t("web.cancel")]]);
      if (asked.answer === "ok") { create(Object.assign({}, old.document, { name: asked.values.name.trim() }), "", v.id); }
    } catch (fault) { app.failed(fault); }
  }

  return { refresh, open, create, need, page, historyPage, compare, nameOf, buttons, lines, when, sentence, list: () => list, forget: () => { shownHistory = ""; compared = null; }, stale: () => { compared = null; } };
}
