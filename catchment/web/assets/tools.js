/* Tools of the map: look, switch a school, move villages, place a school, build or close a road.
   Every tool has a way by keyboard too: the card of a school or village offers the same. */
const C = window.Catchment;

export const TOOLS = [
  ["look", "v"], ["toggle", "t"], ["move", "m"], ["place", "n"], ["road", "r"], ["cut", "x"]
];
const ICONS = {
  look: "M5 3v14l4-4 3 6 2.4-1.2-3-5.8H17z",
  toggle: "M3 10 11 4l8 6v9H3zM8 19v-5h6v5M19 3l-4 4",
  move: "M4 16c3-8 9-10 14-10M14 2l4 4-4 4M4 19a2 2 0 1 0 .1 0",
  place: "M11 20c-4-5-6-8-6-11a6 6 0 0 1 12 0c0 3-2 6-6 11zM11 6v6M8 9h6",
  road: "M7 20 9 3M15 20 13 3M11 4v3M11 10v3M11 16v3",
  cut: "M7 20 9 3M15 20 13 3M4 8l14 8M18 8 4 16"
};
const REACH = 26;

export function createTools(app) {
  const byId = (id) => document.getElementById(id), t = C.t, el = C.el;
  let held = {}, from = null, drag = null;

  function buildRail() {
    const rail = C.empty(byId("rail"));
    TOOLS.forEach(([name, key]) => {
      rail.appendChild(el("button", {
        type: "button", "data-tool": name, "aria-pressed": String(app.state.tool === name), "aria-label": t("web.tool_" + name), "aria-keyshortcuts": key,
        title: t("web.tool_" + name) + " (" + key.toUpperCase() + ")", onclick: () => take(name)
      }, C.svg("svg", { width: 22, height: 22, viewBox: "0 0 22 22", "aria-hidden": "true" },
        C.svg("path", { d: ICONS[name], fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linejoin": "round", "stroke-linecap": "round" })),
      el("span", { text: t("web.tool_short_" + name) })));
    });
  }

  function take(name) {
    held = {}; from = null; drag = null;
    app.change({ tool: name });
    app.scene.boards.forEach((b) => {
      const frame = b.map.getContainer();
      b.map.dragging[name === "move" ? "disable" : "enable"]();
      frame.classList.toggle("grabs", name === "move");
      frame.classList.toggle("points", name !== "look" && name !== "move");
    });
    say();
    if (!["look", "move"].includes(name) && document.activeElement === document.body) { app.scene.boards[0].map.getContainer().focus({ preventScroll: true }); }
  }

  /* What the tool in hand waits for, with its own choices. */
  function say() {
    const box = C.empty(byId("rail-say")), name = app.state.tool;
    byId("rail").querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(b.getAttribute("data-tool") === name)));
    box.hidden = name === "look";
    if (box.hidden) { return; }
    const many = (held.villages || []).length;
    box.appendChild(el("span", { text: many ? t("web.say_selected", { n: many }) : from ? t("web.say_road_end") : t("web.say_" + name, { y: app.model.years[app.state.year] }) }));
    if (name === "move") {
      box.appendChild(el("label", {}, el("input", {
        type: "checkbox", checked: app.state.allBands, onchange: (e) => { app.state.allBands = e.target.checked; }
      }), " " + t("web.move_all_bands")));
    }
    box.appendChild(el("button", { type: "button", text: t("web.done"), onclick: () => take("look") }));
  }

  const bandsMoved = () => (app.state.allBands ? app.model.bands.map((b, k) => k) : [app.state.band]);
  const lonLat = (p) => [Number(p.lng.toFixed(6)), Number(p.lat.toFixed(6))];

  function click(board, event) {
    const name = app.state.tool, found = board.hit(event.containerPoint);
    if (name === "look" || !app.canEdit()) { if (found) { app.open(found, false); } return; }
    if (name === "toggle") { if (found && found[0] === "site") { app.edit.cycle(found[1]); } return; }
    if (name === "place") { app.edit.askSite(lonLat(event.latlng)); return; }
    if (name === "cut") { app.edit.cutRoad(lonLat(event.latlng)); return; }
    if (name === "road") {
      if (!from) { from = lonLat(event.latlng); held = { line: [from] }; say(); return; }
      const start = from;
      from = null; held = {};
      say();
      app.edit.askRoad(start, lonLat(event.latlng));
    }
  }

  /* By keyboard: the tool is used at the cross in the middle of the map, which the arrows move. */
  function here() {
    const board = app.scene.boards[0], name = app.state.tool;
    if (!app.canEdit() || !["place", "road", "cut", "toggle"].includes(name)) { return false; }
    const size = board.map.getSize(), point = window.L.point(size.x / 2, size.y / 2);
    click(board, { containerPoint: point, latlng: board.map.containerPointToLatLng(point) });
    return true;
  }

  /* ---------------------------------------------------------------- drag and lasso */

  function at(board, event) {
    const r = board.map.getContainer().getBoundingClientRect(), point = window.L.point(event.clientX - r.left, event.clientY - r.top);
    return { point, lonlat: lonLat(board.map.containerPointToLatLng(point)) };
  }

  /* The school nearest to a point of the map, within reach of a finger. */
  function school(board, point) {
    let best = -1, reach = REACH * REACH;
    app.model.sitesAt().forEach((p, j) => {
      if (!p.length || !(app.model.now().open[j] & (1 << app.state.band))) { return; }
      const q = board.map.latLngToContainerPoint([p[1] / 1e5, p[0] / 1e5]), d = (q.x - point.x) ** 2 + (q.y - point.y) ** 2;
      if (d < reach) { reach = d; best = j; }
    });
    return best;
  }

  function press(board, event) {
    if (app.state.tool !== "move" || !app.canEdit() || event.button) { return; }
    const here = at(board, event), found = board.hit(here.point), many = held.villages || [];
    const target = school(board, here.point);
    if (many.length && target >= 0) { drop(target); return; }
    event.target.setPointerCapture(event.pointerId);
    const near = found && found[0] === "village" && onDot(board, found[1], here.point);
    if (near) {
      const villages = many.indexOf(found[1]) >= 0 ? many : [found[1]];
      drag = { start: here.lonlat, moved: false };
      held = { villages, line: [here.lonlat] };
    } else {
      drag = { lasso: true, moved: false };
      held = { line: [here.lonlat], closed: true };
    }
    app.scene.over();
  }

  function onDot(board, i, point) {
    const p = app.model.payload.villages.at[i];
    if (!p.length) { return false; }
    const q = board.map.latLngToContainerPoint([p[1] / 1e5, p[0] / 1e5]);
    return (q.x - point.x) ** 2 + (q.y - point.y) ** 2 < 16 * 16;
  }

  function follow(board, event) {
    if (!drag) { return; }
    const here = at(board, event);
    drag.moved = true;
    if (drag.lasso) { held.line.push(here.lonlat); }
    else { held.line = [drag.start, here.lonlat]; held.target = school(board, here.point); }
    app.scene.over();
  }

  function release(board, event) {
    if (!drag) { return; }
    const was = drag;
    drag = null;
    if (was.lasso) {
      const villages = was.moved && held.line.length > 3 ? inside(held.line) : [];
      held = villages.length ? { villages } : {};
    } else {
      const here = at(board, event), target = school(board, here.point);
      if (was.moved && target >= 0) { drop(target); return; }
      held = { villages: held.villages };
    }
    say();
    app.scene.over();
  }

  function drop(site) {
    const villages = held.villages;
    held = {};
    say();
    app.scene.over();
    app.edit.move(villages, bandsMoved(), site);
  }

  /* Villages with children whose point lies inside a line drawn round them. */
  function inside(line) {
    const out = [];
    app.model.payload.villages.at.forEach((p, i) => {
      if (!p.length) { return; }
      const x = p[0] / 1e5, y = p[1] / 1e5;
      let odd = false;
      for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
        const [xa, ya] = line[a], [xb, yb] = line[b];
        if ((ya > y) !== (yb > y) && x < (xb - xa) * (y - ya) / (yb - ya) + xa) { odd = !odd; }
      }
      if (odd) { out.push(i); }
    });
    return out;
  }

  /* ---------------------------------------------------------------- pointing */

  function listen(board, k) {
    const map = board.map, frame = map.getContainer(), tip = byId("tip");
    let wanted = null;
    map.on("click", (event) => click(board, event));
    frame.addEventListener("pointerdown", (e) => press(board, e));
    frame.addEventListener("pointermove", (e) => follow(board, e));
    frame.addEventListener("pointerup", (e) => release(board, e));
    frame.addEventListener("pointercancel", () => { drag = null; held = {}; say(); app.scene.over(); });
    map.on("mousemove", (event) => {
      if (wanted) { return; }
      wanted = window.requestAnimationFrame(() => {
        wanted = null;
        const found = board.hit(event.containerPoint);
        if (app.state.tool === "look") { frame.style.cursor = found ? "pointer" : ""; }
        if (!found) { tip.hidden = true; return; }
        C.empty(tip).appendChild(app.places.tip(found, app.scene.shown(k)));
        tip.hidden = false;
        const stage = byId("stage").getBoundingClientRect(), r = frame.getBoundingClientRect();
        const x = r.left - stage.left + event.containerPoint.x + 14, y = r.top - stage.top + event.containerPoint.y + 14;
        tip.style.left = Math.max(4, Math.min(x, stage.width - tip.offsetWidth - 6)) + "px";
        tip.style.top = Math.max(4, Math.min(y, stage.height - tip.offsetHeight - 6)) + "px";
      });
    });
    map.on("mouseout movestart", () => { tip.hidden = true; });
  }

  return { buildRail, take, listen, say, here, held: () => held };
}
