/* The optimiser as a colleague: what it is asked, how far it is, what it brought back. */
import { get, post } from "./api.js";
import { ask, field } from "./dialog.js";

const C = window.Catchment;
const RUNNING = ["queued", "running"];

export function createColleague(app) {
  const el = C.el, t = C.t;
  let jobs = [], keep = null, seconds = 45, known = new Set();
  /* What a plan may do beyond the variant: nothing of it unless it is ticked. */
  const latitude = { build: false, reopen: false, areas: false };

  async function refresh() {
    try {
      jobs = (await get("/api/jobs")).jobs;
      jobs.forEach((j) => { if (!RUNNING.includes(j.state)) { known.add(j.id); } });
      show();
    } catch (fault) { app.failed(fault); }
  }

  function show() {
    if (!app.state.open && ["colleague", "files"].includes(app.state.tab)) { app.panel.page(); }
    badge();
  }

  /* A running job shows on its tab, wherever one is. */
  function badge() {
    const running = jobs.some((j) => RUNNING.includes(j.state));
    document.getElementById("tab-colleague").classList.toggle("working", running);
  }

  /* News of a job from the event stream. */
  function news(job) {
    const k = jobs.findIndex((j) => j.id === job.id);
    if (k >= 0) { jobs[k] = job; } else { jobs.unshift(job); }
    if (!RUNNING.includes(job.state) && !known.has(job.id)) {
      known.add(job.id);
      const words = job.text && job.text[C.lang()];
      if (job.state === "done") { app.tell("good", t("web.job_done", { k: t("web.job_" + job.kind) }) + (words ? " " + words : "")); }
      else { app.tell(job.state === "stopped" ? "warn" : "bad", t("web.job_" + job.state, { k: t("web.job_" + job.kind) }) + (job.error ? " " + job.error[C.lang()] : "")); }
      if (job.result && job.result.variants && job.result.variants.length) { app.variants.refresh(); }
    }
    show();
  }

  async function start(body) {
    if (!app.model.variant && !(await app.variants.need())) { return null; }
    try {
      const job = await post("/api/jobs", Object.assign({ variant: app.model.variant.id }, body));
      news(job);
      return job;
    } catch (fault) { app.failed(fault); return null; }
  }

  async function stop(job) {
    try { news(await post("/api/jobs/" + job.id + "/stop")); } catch (fault) { app.failed(fault); }
  }

  /* Schools the colleague must not touch: those the variant acts on stay anyway. */
  function fixed() {
    if (keep === null) { keep = new Set(app.model.fixed().map((j) => app.model.siteId(j))); }
    app.model.fixed().forEach((j) => keep.add(app.model.siteId(j)));
    return keep;
  }

  function page() {
    const can = app.canAsk();
    return [
      el("h2", { text: t("web.tab_colleague") }),
      el("p", { class: "quiet", text: t("web.colleague_note") }),
      can ? request() : el("p", { class: "callout", text: t(app.state.meeting ? "web.meeting_no_edit" : "web.viewer_no_edit") }),
      el("h3", { text: t("web.jobs") }),
      jobs.filter((j) => j.kind !== "documents").length ? jobs.filter((j) => j.kind !== "documents").map(card) : el("p", { class: "empty", text: t("web.jobs_none") })
    ];
  }

  function request() {
    const list = fixed(), today = [];
    for (let j = 0; j < app.model.nSites; j++) { if (app.model.bitsToday(j) && !list.has(app.model.siteId(j))) { today.push(j); } }
    const add = el("select", { id: "keep-add", "data-keep": "keep-add", onchange: (e) => { if (e.target.value) { keep.add(e.target.value); app.panel.page(); } } },
      el("option", { value: "", text: t("web.keep_add") }), today.map((j) => el("option", { value: app.model.siteId(j), text: app.model.siteName(j) })));
    return el("section", { class: "ask-colleague" },
      el("h3", { text: t("web.keep_fixed") }),
      el("ul", { class: "chips" }, Array.from(list).map((id) => { const j = app.model.siteOf(id); return el("li", {}, j >= 0 ? C.name(app.model.siteName(j)) : C.name(id), el("button", {
        type: "button", "aria-label": t("web.keep_drop"), "data-keep": "drop-" + id, text: "×", onclick: () => { keep.delete(id); app.panel.page(); }
      })); }), el("li", { class: "add" }, el("label", { class: "hidden", for: "keep-add", text: t("web.keep_add") }), add)),
      allowances(),
      el("p", { class: "field inline" }, el("label", { for: "job-seconds", text: t("web.seconds") }), numberBox()),
      el("div", { class: "try-row" },
        button("finish", "primary"), button("three"), button("assign"),
        el("button", { type: "button", "data-job": "price", "data-keep": "job-price", text: t("web.job_price"), onclick: () => askPrice() })),
      el("p", { class: "quiet", text: t("web.finish_note") }));
  }

  /* Only what this county has: sites to build on, closed schools, areas. */
  function allowances() {
    const sites = Array.from({ length: app.model.nSites }, (_, j) => j), m = app.model;
    const there = {
      build: sites.some((j) => !m.isSchool(j)), reopen: sites.some((j) => m.isSchool(j) && !m.bitsToday(j)),
      areas: m.payload.areas.list.length > 0
    };
    const shown = Object.keys(latitude).filter((key) => there[key]);
    return shown.length ? el("fieldset", { class: "allow" }, el("legend", { text: t("web.allow") }), shown.map((key) => {
      const box = el("input", { type: "checkbox", id: "allow-" + key, "data-keep": "allow-" + key, onchange: (e) => { latitude[key] = e.target.checked; } });
      box.checked = latitude[key];
      return el("label", { for: "allow-" + key }, box, " ", t("web.allow_" + key));
    })) : null;
  }

  function numberBox() {
    const box = el("input", { id: "job-seconds", "data-keep": "job-seconds", type: "number", min: 5, max: 600, onchange: (e) => { seconds = Math.max(5, Math.min(600, Number(e.target.value) || 45)); } });
    box.value = String(seconds);
    return box;
  }

  function button(kind, look) {
    return el("button", { type: "button", class: look || "", "data-job": kind, "data-keep": "job-" + kind, title: t("web.job_note_" + kind), text: t("web.job_" + kind), onclick: () => {
      const body = { kind, seconds };
      if (kind !== "assign") { Object.assign(body, latitude, { keep: Array.from(fixed()) }); }
      start(body);
    } });
  }

  async function askPrice() {
    const open = [];
    for (let j = 0; j < app.model.nSites; j++) { if (app.model.bitsToday(j)) { open.push(j); } }
    const asked = await ask(t("web.job_price"), [field(t("map.school"), { tag: "select", name: "school", options: open.map((j) => [app.model.siteId(j), app.model.siteName(j)]) }), el("p", { class: "quiet", text: t("web.price_note") })],
      [["ok", t("web.ask"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer === "ok") { start(Object.assign({ kind: "price", school: asked.values.school, seconds }, latitude)); }
  }

  function price(j) { app.tab("colleague"); start(Object.assign({ kind: "price", school: app.model.siteId(j), seconds }, latitude)); }

  /* Of “中文 / English” the half in the page's language. */
  const half = (text) => { const parts = String(text).split(" / "); return parts.length === 2 ? parts[C.lang() === "zh" ? 0 : 1] : text; };
  const yuan = (v) => (v === null || v === undefined ? "—" : t("web.yuan", { n: C.count(v) }));

  function card(job) {
    const running = RUNNING.includes(job.state), share = Math.min(1, (job.elapsed || 0) / Math.max(1, job.seconds || 1)), result = job.result || {};
    return el("article", { class: "finding job " + (job.state === "failed" || job.state === "lost" ? "fail" : job.state === "done" ? "pass" : "unknown"), "data-job-id": job.id, "data-state": job.state },
      el("p", { class: "badges" }, el("span", { class: "badge", text: t("web.state_job_" + job.state) }), el("span", { class: "badge" }, C.name(job.by || ""))),
      el("h3", {}, t("web.job_" + job.kind)),
      job.text ? el("p", {}, C.name(job.text[C.lang()] || "")) : null,
      running ? el("div", { class: "progress" }, progress(share), el("p", { class: "quiet", text: t("web.elapsed", { a: C.decimal(job.elapsed || 0, 0), b: C.count(job.seconds) }) })) : null,
      job.best !== null && job.best !== undefined ? el("p", {}, t("web.best"), " ", el("b", { text: yuan(job.best) }), job.gap !== null && job.gap !== undefined ? t("web.gap", { g: C.decimal(100 * job.gap, 1) }) : "") : null,
      job.error ? el("p", { class: "callout bad" }, C.name(job.error[C.lang()])) : null,
      result.variants && result.variants.length ? el("p", { class: "results" }, result.variants.map((id) => el("button", { type: "button", class: "link", "data-variant": id, "data-keep": "result-" + id, text: t("web.open_result", { n: app.variants.nameOf(id) }), onclick: () => app.variants.open(id) })),
        el("button", { type: "button", class: "link", "data-keep": "compare-" + job.id, text: t("web.compare_these"), onclick: () => app.variants.compare([job.variant].concat(result.variants)) })) : null,
      result.prices && result.prices.length ? prices(result.prices) : null,
      result.saved !== undefined && result.saved !== null ? el("p", {}, t("web.saved_yuan"), el("b", { text: yuan(result.saved) })) : null,
      result.figures && result.figures.length ? figures(result.figures) : null,
      result.violations && result.violations.length ? el("ul", { class: "notes" }, result.violations.slice(0, 8).map((v) => el("li", {}, C.name(v[C.lang()])))) : null,
      running && app.canAsk() ? el("button", { type: "button", class: "wide", "data-keep": "stop-" + job.id, "data-stop": job.id, text: t("web.stop"), onclick: () => stop(job) }) : null);
  }

  /* What it costs a year to keep a school, against the best plan that may close it. */
  function prices(list) {
    return el("table", { class: "grid list" }, el("tbody", {}, list.map((p) => {
      const j = app.model.siteOf(p.school), sure = p.least === null || p.least === undefined || p.least === p.most;
      return el("tr", {}, el("th", { scope: "row" }, C.name(j >= 0 ? app.model.siteName(j) : p.school), el("small", { text: p.changed ? "" : t("web.price_kept") })),
        el("td", {}, el("b", { text: yuan(p.yuan) }), sure ? null : el("small", { text: t("web.between", { a: C.count(p.least), b: p.most === null || p.most === undefined ? "…" : C.count(p.most) }) })));
    })));
  }

  /* Several plans side by side. */
  function figures(list) {
    const columns = [["yuan", 0], ["schools", 0], ["teachers", 0], ["mean_trip", 1], ["worst_trip", 1]].filter(([k]) => list.some((f) => f[k] !== undefined && f[k] !== null));
    return el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": t("web.job_three") }, el("table", { class: "grid" }, el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("web.variant") }), columns.map(([k]) => el("th", { scope: "col", text: t("web.plan_" + k) })))),
      el("tbody", {}, list.map((f) => el("tr", {}, el("th", { scope: "row" }, C.name(half(f.name))), columns.map(([k, places]) => el("td", { text: C.decimal(f[k], places) })))))));
  }

  function progress(share) {
    const bar = el("progress", { max: 100, "aria-label": t("web.progress") });
    bar.value = Math.round(100 * share);
    return bar;
  }

  function documents() { return jobs.filter((j) => j.kind === "documents"); }

  return { page, refresh, news, start, price, card, documents, reset: () => { keep = null; } };
}
