/* Two people changed the same variant: say who changed what, and let the person choose. */
import { ask } from "./dialog.js";

const C = window.Catchment;

export async function conflict(app, body, item) {
  const t = C.t, el = C.el;
  const mine = item.document ? app.mineWords(item.document) : [t(item.move === "redo" ? "web.redo" : "web.undo")];
  const rows = body.changes.map((h) => el("li", {}, el("b", {}, C.name(h.by)), " ", el("time", { datetime: h.at, text: app.variants.when(h.at) }), app.variants.lines(h.words), h.why ? el("p", { class: "why" }, el("b", { text: t("map.why") }), C.name(h.why)) : null));
  const asked = await ask(t("web.conflict_title"), [
    el("p", { text: t("web.conflict_note", { n: body.variant.name || body.variant.document.name }) }),
    el("div", { class: "two-sides" },
      el("section", {}, el("h3", { text: t("web.theirs") }), el("ol", { class: "history", id: "theirs" }, rows)),
      el("section", {}, el("h3", { text: t("web.yours") }), el("ul", { id: "yours" }, mine.map((w) => el("li", {}, C.name(w)))))),
    el("p", { class: "quiet", text: t("web.conflict_how") })
  ], [["mine", t("web.conflict_mine"), "primary"], ["copy", t("web.conflict_copy")], ["theirs", t("web.conflict_theirs")]].filter((a) => item.document || a[0] !== "copy"), { kind: "conflict" });
  return asked.answer === "cancel" ? "theirs" : asked.answer;
}
