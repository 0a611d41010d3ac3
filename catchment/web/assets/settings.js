/* Limits of the way, class size and method: sliders that show what they would do before they are kept. */
import { post } from "./api.js";
import { ask } from "./dialog.js";

const C = window.Catchment;

export function createSettings(app) {
  const el = C.el, t = C.t;
  let flying = false, next = null, kept = null, live = false;

  function slider(name, word, value, range, unit) {
    const id = "set-" + name, own = value !== null && value !== undefined, shown = own ? value : range.default;
    const out = el("output", { for: id, text: shown + unit }), note = el("small", { class: "quiet", text: own ? t("web.own_value", { n: range.default }) : t("web.county_value") });
    const bar = el("input", { id, name, type: "range", min: range.min, max: range.max, step: 1, "data-default": range.default });
    bar.value = String(shown);
    bar.addEventListener("input", () => {
      out.textContent = bar.value + unit;
      note.textContent = Number(bar.value) === range.default ? t("web.county_value") : t("web.own_value", { n: range.default });
      preview();
    });
    return el("p", { class: "slider" }, el("label", { for: id, text: word }), bar, out, note);
  }

  /* The document as the sliders would have it. */
  function wanted(form) {
    let doc = kept.variant.document;
    form.querySelectorAll("input[type=range]").forEach((b) => {
      const value = Number(b.value), std = Number(b.getAttribute("data-default"));
      doc = app.edit.setting(doc, b.name, value === std ? null : value);
    });
    const method = form.querySelector("select[name=assignment]");
    if (method) { doc = app.edit.setting(doc, "assignment", method.value); }
    return doc;
  }

  /* Ask for the figures of what the sliders say; never two questions at once, the last one counts. */
  function preview() {
    const form = document.querySelector("#dialog form");
    if (!form) { return; }
    next = wanted(form);
    if (flying) { return; }
    flying = true;
    const doc = next;
    next = null;
    post("/api/evaluate", { document: doc, year: app.model.years[app.state.year] }).then((answer) => {
      const box = document.getElementById("preview");
      if (!box || !live) { return; }  // an answer that comes after the sliders were put away
      C.empty(box).textContent = "";
      app.model.set({ variant: Object.assign({}, kept.variant, { document: doc }), answer: Object.assign({}, answer, { version: kept.variant.version }) });
      app.paint();
    }, (fault) => {
      const box = document.getElementById("preview");
      if (box && fault.words) { C.empty(box).textContent = fault.words(C.lang()); }
    }).then(() => { flying = false; if (next) { preview(); } });
  }

  async function open() {
    if (app.outbox.waiting) { app.tell("warn", t("web.wait_saved")); return; }
    if (!(await app.variants.need())) { return; }
    kept = { variant: app.model.variant, answer: app.model.answer, check: app.model.check };
    const doc = kept.variant.document, bench = app.model.payload.workbench, limits = doc.limits || {};
    const method = el("select", { name: "assignment", id: "set-assignment", onchange: preview }, bench.methods.map((x) => el("option", { value: x, text: t("map.method_" + x) })));
    method.value = (doc.method && doc.method.assignment) || bench.methods[0];
    const body = [
      el("p", { class: "quiet", text: t("web.limits_note") }),
      app.model.bands.filter((b) => bench.limits[b.id]).map((b) => slider(b.id, t("web.limit_of", { b: b[C.lang()] || b.id }), limits[b.id], bench.limits[b.id], " " + t("unit.min"))),
      slider("class_size", t("web.class_size"), doc.class_size, bench.class_size, " " + t("web.per_class")),
      el("p", { class: "field" }, el("label", { for: "set-assignment", text: t("web.method") }), method),
      el("p", { class: "bad", id: "preview", role: "status" })
    ];
    let chosen = null;
    live = true;
    const asked = ask(t("web.limits"), body, [["ok", t("web.save"), "primary"], ["reset", t("web.county_values")], ["cancel", t("web.cancel")]], {
      check: (answer, form) => { if (answer === "ok") { chosen = wanted(form); } return null; }, kind: "side"
    });
    const done = await asked;
    live = false;
    next = null;
    if (app.model.variant && app.model.variant.id === kept.variant.id && app.model.variant.version === kept.variant.version) { app.model.set(kept); app.paint(); }
    if (done.answer === "reset") { keep((d) => Object.assign({}, d, { limits: {}, class_size: null })); }
    if (done.answer === "ok" && chosen && !app.outbox.same(chosen, doc)) {
      const { limits: l, class_size: c, method: m } = chosen;
      keep((d) => Object.assign({}, d, { limits: l, class_size: c === undefined ? null : c, method: m }));
    }
  }

  function keep(make) { app.edit.apply(make); }

  return { open };
}
