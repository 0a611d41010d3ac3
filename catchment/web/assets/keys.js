/* Keys: tools, undo, year, band; the whole of meeting mode. Never while something is typed. */
import { TOOLS } from "./tools.js";

export function createKeys(app) {
  const typing = (node) => node && (["TEXTAREA", "SELECT"].includes(node.tagName) || (node.tagName === "INPUT" && !["checkbox", "radio", "range"].includes(node.type)) || node.isContentEditable);

  function year(step) {
    const next = (app.turning === null ? app.state.year : app.turning) + step;
    if (next >= 0 && next < app.model.years.length) { app.change({ year: next }); }
  }

  function band(step) { app.change({ band: (app.state.band + step + app.model.nBands) % app.model.nBands }); }

  /* In a meeting the arrows turn years and variants. */
  function variant(step) {
    const list = app.variants.list();
    if (!list.length) { return; }
    const k = list.findIndex((v) => app.model.variant && v.id === app.model.variant.id);
    app.variants.open(list[(k + step + list.length) % list.length].id, true);
  }

  function meeting(event) {
    const act = {
      ArrowRight: () => year(1), ArrowLeft: () => year(-1), PageDown: () => variant(1), PageUp: () => variant(-1), b: () => band(1), Escape: () => (app.state.open ? app.open(null) : app.askLeave()),
      1: () => app.change({ view: "today" }), 2: () => app.change({ view: "plan" }), 3: () => app.change({ view: "both" })
    }[event.key];
    if (!act) { return false; }
    act();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    if (document.getElementById("dialog").open || event.altKey) { return; }
    const inText = typing(event.target), ctrl = event.ctrlKey || event.metaKey;
    if (ctrl && app.state.meeting) { return; }
    if (ctrl && !inText && event.key.toLowerCase() === "z") { app.step(event.shiftKey ? "redo" : "undo"); event.preventDefault(); return; }
    if (ctrl && !inText && event.key.toLowerCase() === "y") { app.step("redo"); event.preventDefault(); return; }
    if (ctrl || inText) { return; }
    if (event.key === "/" || event.key === "f") { document.getElementById("find").focus(); event.preventDefault(); return; }
    const onMap = event.target.classList && event.target.classList.contains("leaflet-container"), slides = event.target.type === "range" || event.target.getAttribute("role") === "tab";
    if (app.state.meeting && !slides && meeting(event)) { event.preventDefault(); return; }
    if (event.key === "Enter" && onMap && !app.state.meeting && app.tools.here()) { event.preventDefault(); return; }
    if (event.key === "Escape") {
      if (app.state.tool !== "look") { app.tools.take("look"); } else if (app.state.open) { app.open(null); }
      return;
    }
    if (event.key === "[") { year(-1); } else if (event.key === "]") { year(1); } else if (event.key === "b" && !onMap) { band(1); }
    const tool = TOOLS.find((x) => x[1] === event.key);
    if (tool && app.canEdit()) { app.tools.take(tool[0]); }
  }, true);
}
