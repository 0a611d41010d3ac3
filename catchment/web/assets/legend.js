/* Legend and layers: what the colours and signs mean, what is shown. */
import { modeColour } from "./scene.js";

const C = window.Catchment, D = C.draw;

function box(...parts) {
  return C.svg("svg", { class: "sw", width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" }, parts);
}
const square = (colour) => box(C.svg("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: colour, stroke: "#55606C", "stroke-width": 0.7 }));
const dot = (colour) => box(C.svg("circle", { cx: 11, cy: 8, r: 4.5, fill: colour, stroke: D.ink, "stroke-width": 0.9 }));
const none = () => box(
  C.svg("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: "#fff", stroke: D.alarm }),
  C.svg("path", { d: "M3 14 L13 2 M9 14 L19 2", stroke: D.alarm, "stroke-width": 1.4 }));
const four = () => C.svg("svg", { class: "sw", width: 44, height: 16, viewBox: "0 0 44 16", "aria-hidden": "true" },
  D.ladder.map((c, k) => C.svg("rect", { x: 1 + k * 10.5, y: 2, width: 10.5, height: 12, fill: c, "fill-opacity": 0.55, stroke: D.ink, "stroke-width": 0.8 })));

/* The sign of a school as the map draws it. */
export function sign(look) {
  const canvas = C.el("canvas", { class: "sw", width: 44, height: 36, "aria-hidden": "true" }), ctx = canvas.getContext("2d");
  ctx.scale(2, 2);
  D.school(ctx, Object.assign({ size: 6, used: 0.55, large: 0, changed: false }, look), 11, 9);
  return canvas;
}

export function createLegend(app) {
  let drawn = "";

  function row(key, title, rows) {
    const id = "layer-" + key;
    return C.el("section", {},
      C.el("label", { class: "layer", for: id }, C.el("input", {
        type: "checkbox", id, checked: app.state.layers[key],
        onchange: (e) => {
          app.change({ layers: Object.assign({}, app.state.layers, { [key]: e.target.checked }) });
          document.getElementById(id).focus();
        }
      }), title), rows.length ? C.el("ul", {}, rows.map((r) => C.el("li", {}, r[0], r[1]))) : null);
  }

  function paint() {
    const s = app.state, t = C.t, limit = app.model.limit(s.band);
    const key = [C.lang(), s.fill, s.band, limit, JSON.stringify(s.layers)].join();
    if (key === drawn) { return; }
    drawn = key;
    const d = (x) => C.decimal(x, x % 1 ? 1 : 0);
    const minutes = [
      [D.within[0], "≤ " + d(limit / 3)], [D.within[1], d(limit / 3) + "–" + d(2 * limit / 3)], [D.within[2], d(2 * limit / 3) + "–" + d(limit)],
      [D.over[0], t("map.over_until", { a: d(limit), b: d(1.5 * limit) })], [D.over[1], t("map.over_beyond", { a: d(1.5 * limit) })]
    ];
    const changes = ["map.less_10", "map.less", "map.same", "map.more", "map.more_10"].map((w, k) => [D.change[k], t(w)]);
    const modes = app.model.payload.modes.map((m) => [modeColour(m), t("mode." + m)]);
    const scale = s.fill === "change" ? changes : s.fill === "modes" ? modes : minutes;
    const cells = s.fill === "catchments" ? [[four(), t("map.legend_catchments")]] : scale.map((r) => [square(r[0]), r[1]]);
    cells.push([none(), t("map.legend_none")]);
    const body = C.empty(document.getElementById("legend-body"));
    [
      row("catchments", t("map.fill_" + s.fill), cells),
      row("schools", t("map.schools"), ["central", "complete", "teaching_point", "junior", "nine_year"].map((r) => [sign({ role: r }), t("role." + r)]).concat([
        [sign({ role: "complete", used: 1.2 }), t("map.legend_full")], [sign({ role: "complete", large: 1, size: 4 }), t("map.legend_large")],
        [sign({ role: "teaching_point", changed: true }), t("map.legend_changed")], [sign({ role: "closed", gone: true }), t("web.legend_gone")]
      ])),
      row("rooms", t("web.layer_rooms"), []),
      row("allSchools", t("map.all_schools"), []),
      row("villages", s.fill === "change" ? t("map.villages_change") : s.fill === "modes" ? t("map.villages_modes") : t("map.villages_minutes", { b: app.model.bandShort(s.band) }),
        scale.map((r) => [dot(r[0]), r[1]])),
      row("over", t("map.legend_over", { a: d(limit) }), []),
      row("names", t("map.names"), []),
      row("roads", t("map.roads"), []),
      row("townships", t("map.townships"), [])
    ].forEach((part) => body.appendChild(part));
  }

  return { paint };
}
