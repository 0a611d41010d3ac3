/* Doors: a county in, its problems in a table and on the map; documents and recipes out and in. */
import { call, post } from "./api.js";
import { ask, field } from "./dialog.js";

const C = window.Catchment, D = C.draw;
const RUNNING = ["queued", "running"];

export function createFiles(app) {
  const el = C.el, t = C.t;
  let checked = null, busy = false, problemSheet = null, marked = -1;

  function page() {
    const v = app.model.variant, edits = app.may("edit") && !app.state.meeting;
    return [
      el("h2", { text: t("web.documents") }),
      el("p", { class: "quiet", text: t("web.documents_note") }),
      v ? el("div", { class: "try-row" },
        edits ? el("button", { type: "button", id: "documents", class: "primary", text: t("web.documents_make"), onclick: () => app.colleague.start({ kind: "documents", lang: C.lang() }) }) : null,
        el("a", { class: "as-button", id: "scenario-out", href: `/api/variants/${v.id}/scenario.toml`, download: "", text: t("web.scenario_out") })) : el("p", { class: "empty", text: t("web.variants_none") }),
      app.colleague.documents().map(documents),
      edits ? [el("h3", { text: t("web.scenario_in") }), el("p", { class: "quiet", text: t("web.scenario_note") }),
        el("div", { class: "try-row" }, fileButton("scenario-file", "web.scenario_choose", ".toml,text/plain", false, readScenario))] : null,
      el("h2", { class: "second", text: t("web.import") }),
      el("p", { class: "quiet", text: t("web.import_note") }),
      edits ? el("div", { class: "try-row" }, fileButton("import-files", "web.import_choose", "", true, upload)) : el("p", { class: "callout", text: t("web.viewer_no_edit") }),
      busy ? el("p", { class: "quiet", role: "status", text: t("web.import_busy") }) : null,
      checked ? problems() : null
    ];
  }

  function fileButton(id, word, accept, multiple, then) {
    return el("label", { class: "as-button", for: id }, t(word), el("input", {
      type: "file", id, class: "hidden-file", accept: accept || null, multiple, onchange: (e) => { if (e.target.files.length) { then(Array.from(e.target.files)); e.target.value = ""; } }
    }));
  }

  function documents(job) {
    const files = (job.result && job.result.files) || [], zip = job.result && job.result.zip;
    return el("article", { class: "finding job " + (job.state === "done" ? "pass" : RUNNING.includes(job.state) ? "unknown" : "fail"), "data-job-id": job.id, "data-state": job.state },
      el("p", { class: "badges" }, el("span", { class: "badge", text: t("web.state_job_" + job.state) }), el("span", { class: "badge" }, C.name(app.variants.nameOf(job.variant))), el("span", { class: "badge", text: t("web.version", { n: job.version }) })),
      job.text ? el("p", {}, C.name(job.text[C.lang()] || "")) : null, job.error ? el("p", { class: "callout bad" }, C.name(job.error[C.lang()])) : null,
      files.length ? el("ul", { class: "file-list" }, files.map((f) => el("li", {}, el("a", { href: own(f.href), download: f.name }, C.name(f.name)), el("small", { text: " " + size(f.size) })))) : null,
      zip ? el("a", { class: "as-button", href: own(zip), download: "", text: t("web.zip") }) : null);
  }

  /* Links of the server lead to the server. */
  const own = (href) => (String(href).startsWith("/api/") ? href : "#");
  const size = (n) => (n > 1e6 ? C.decimal(n / 1e6, 1) + " MB" : C.decimal(Math.max(0.1, n / 1e3), 1) + " kB");

  async function readScenario(files) {
    const toml = await files[0].text();
    try {
      const made = (await post("/api/scenario", { toml, name: null })).variant;
      await app.variants.refresh();
      await app.variants.open(made.id);
    } catch (fault) { app.failed(fault); }
  }

  /* ---------------------------------------------------------------- import */

  async function upload(files) {
    const form = new FormData();
    files.forEach((f) => form.append("files", f, f.webkitRelativePath || f.name));
    busy = true; checked = null;
    app.panel.page();
    try { checked = await call("POST", "/api/import", form, { patience: 300_000 }); } catch (fault) { app.failed(fault); }
    busy = false;
    app.change({ tab: "files", open: null });
    showProblems();
  }

  function problems() {
    const list = checked.problems, zh = C.lang() === "zh";
    return el("section", { id: "import-result" },
      el("p", { class: "callout" + (checked.errors ? " bad" : " good") }, el("b", { text: checked.errors ? t("web.import_bad", { e: C.count(checked.errors), w: C.count(checked.warnings) }) : t("web.import_good", { w: C.count(checked.warnings) }) })),
      checked.counts ? el("p", { class: "quiet", text: Object.entries(checked.counts).map(([k, n]) => k + " " + C.count(n)).join(" · ") }) : null,
      checked.skipped && checked.skipped.length ? el("p", { class: "quiet", id: "skipped" }, t("web.import_skipped", { n: C.count(checked.skipped.length) }), C.name(checked.skipped.slice(0, 5).join(" · "))) : null,
      list.length ? el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": t("web.problems") }, el("table", { class: "grid list", id: "problems" },
        el("thead", {}, el("tr", {}, [t("web.where"), t("web.what")].map((h) => el("th", { scope: "col", text: h })))),
        el("tbody", {}, list.slice(0, 400).map((p, k) => el("tr", { class: p.severity }, el("th", { scope: "row" }, C.name(p.layer), " ", p.row === null || p.row === undefined ? "" : t("web.row", { n: p.row }), el("small", {}, C.name(p.column || ""), p.value === null || p.value === undefined || p.value === "" ? null : [" = ", C.name(p.value)]),
          p.at ? el("button", { type: "button", class: "link", "data-keep": "problem-" + k, text: t("web.show_map"), onclick: () => { marked = k; app.scene.fly([p.at[0] * 1e5, p.at[1] * 1e5]); showProblems(); } }) : null),
        el("td", { class: "what" }, el("span", { class: "badge " + (p.severity === "error" ? "bad" : "unsure"), text: t("web.sev_" + p.severity) }), " ", C.name(zh ? p.zh : p.en), el("small", {}, C.name(zh ? p.remedy_zh : p.remedy_en)))))))) : null,
      list.length > 400 || checked.more ? el("p", { class: "quiet", text: t("map.and_more", { n: C.count(Math.max(0, list.length - 400) + (checked.more || 0)) }) }) : null,
      el("div", { class: "try-row" },
        checked.errors ? null : el("button", { type: "button", id: "import-accept", class: "primary", text: t("web.import_accept"), onclick: () => accept(false) }),
        checked.errors && checked.can_set_aside ? el("button", { type: "button", id: "import-aside", text: t("web.import_aside"), onclick: () => accept(true) }) : null,
        el("button", { type: "button", class: "plain", text: t("web.cancel"), onclick: () => { checked = null; showProblems(); app.panel.page(); } })));
  }

  async function accept(aside) {
    const asked = await ask(t("web.import_title"), [el("p", { text: t(aside ? "web.import_sure_aside" : "web.import_sure") }), field(t("web.why"), { name: "why", type: "text", maxlength: 300 })], [["ok", t("web.import_accept"), "primary"], ["cancel", t("web.cancel")]]);
    if (asked.answer !== "ok") { return; }
    try {
      await post(`/api/import/${encodeURIComponent(checked.import)}/accept`, { set_aside: aside, why: asked.values.why }, { patience: 300_000 });
      checked = null;
      app.reloadCounty();
    } catch (fault) { app.failed(fault); }
  }

  /* Crosses on the map where rows have something wrong. */
  function showProblems() {
    const map = app.scene.boards[0].map;
    if (!problemSheet) {
      const pane = map.createPane("problems");
      pane.style.zIndex = 470;
      pane.style.pointerEvents = "none";
      problemSheet = new D.Sheet((ctx, v) => {
        if (!checked) { return; }
        checked.problems.forEach((p, k) => {
          if (!p.at) { return; }
          const x = D.worldX(p.at[0] * 1e5) * v.k - v.x, y = D.worldY(p.at[1] * 1e5) * v.k - v.y;
          [[5, "#FFFFFF"], [2.6, p.severity === "error" ? D.alarm : "#9A6A00"]].forEach(([w, c]) => {
            ctx.lineWidth = w; ctx.strokeStyle = c;
            ctx.beginPath(); ctx.moveTo(x - 6, y - 6); ctx.lineTo(x + 6, y + 6); ctx.moveTo(x + 6, y - 6); ctx.lineTo(x - 6, y + 6); ctx.stroke();
            if (k === marked) { ctx.beginPath(); ctx.arc(x, y, 15, 0, 2 * Math.PI); ctx.stroke(); }
          });
        });
      }, { pane: "problems" });
      problemSheet.addTo(map);
    }
    problemSheet.redraw();
  }

  return { page };
}
