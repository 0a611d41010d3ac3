/* What the two maps show: one arrangement each (today's, the variant's), drawn by the module of the
   offline map. Above its sheets lies one of our own: marks of the variant and of the tool in hand. */
const { draw: D } = window.Catchment;

const OVER_RATIO = 1.5;

export function minuteColour(minutes, limit) {
  if (minutes === null) { return "#FFFFFF"; }
  if (minutes > limit) { return minutes > OVER_RATIO * limit ? D.over[1] : D.over[0]; }
  return D.within[minutes <= limit / 3 ? 0 : minutes <= 2 * limit / 3 ? 1 : 2];
}

function changeColour(a, b) {
  if (a.minutes === null || b.minutes === null) { return D.change[2]; }
  const d = b.minutes - a.minutes;
  return D.change[d < -10 ? 0 : d < -0.5 ? 1 : d <= 0.5 ? 2 : d <= 10 ? 3 : 4];
}

export function modeColour(mode) {
  if (mode === "") { return "#FFFFFF"; }
  if (mode.startsWith("walk")) { return D.modes[0]; }
  return mode === "board" ? D.modes[2] : mode.startsWith("bus") ? D.modes[1] : D.modes[3];
}

/* Look of one school in one arrangement. */
export function schoolLook(app, plan, j) {
  const m = app.model, a = plan === "today" ? m.today() : m.now(), role = m.role(a, j), before = m.role(m.today(), j);
  const students = m.load(a, j), places = a.places[j], top = m.largest(a, j), bits = a.open[j], band = app.state.band;
  return {
    role, gone: role === "closed" && before !== "closed",
    shown: role !== "closed" ? Boolean(bits & (1 << band)) || app.state.layers.allSchools : before !== "closed" || app.state.tool === "toggle",
    size: role === "closed" ? 4 : 5 + Math.min(9, Math.sqrt(students) * 0.28),
    used: places > 0 ? students / places : students > 0 ? 2 : 0,
    large: top >= 66 ? 2 : top >= 56 ? 1 : 0, changed: plan === "plan" && role !== before && role !== "closed"
  };
}

/* The answer to "what to show now" for draw.board. */
function look(app, plan) {
  const s = app.state, m = app.model, b = s.band, limit = m.limit(b), a = plan === "today" ? m.today() : m.now();
  const demand = m.demand(), colours = a.colours[b], schools = new Map(), t = window.Catchment.t;
  const trip = (g) => m.trip(a, g);
  function village(i) {
    const g = m.group(i, b), n = demand[g], x = trip(g);
    let turn = 0, colour;
    if (s.fill === "change") {
      const was = m.trip(m.today(), g), will = m.trip(m.now(), g);
      const d = was.minutes === null || will.minutes === null ? 0 : will.minutes - was.minutes;
      turn = d > 0.5 ? 1 : d < -0.5 ? -1 : 0;
      colour = changeColour(was, will);
    } else { colour = x.site < 0 ? "#FFFFFF" : s.fill === "modes" ? modeColour(x.mode) : minuteColour(x.minutes, limit); }
    return { size: n ? 2.4 + Math.min(4.2, Math.sqrt(n) * 0.62) : 1.8, colour, over: (x.over || x.site < 0) && n > 0, turn };
  }
  function school(j) {
    if (!schools.has(j)) { schools.set(j, schoolLook(app, plan, j)); }
    return schools.get(j);
  }
  return {
    layers: s.layers, tiles: false, fade: s.fill === "catchments" ? 0.5 : 0.82, mark: s.open, threads: threads(app, plan, a),
    village, school,
    siteOf: (c) => a.site[m.group(c, b)],
    siteName: (j) => {
      const look = school(j);
      if (!s.layers.rooms || look.role === "closed") { return m.siteName(j); }
      return m.siteName(j) + " " + t("web.rooms_label", { c: m.classes(a, j).length, r: a.rooms[j] });
    },
    villageName: (i) => m.villageName(i),
    paint: (c) => {
      const g = m.group(c, b), j = a.site[g];
      if (s.fill === "catchments") { return j < 0 ? -1 : colours[j]; }
      if (s.fill === "change") { return changeColour(m.trip(m.today(), g), m.trip(m.now(), g)); }
      if (j < 0) { return -1; }
      const x = trip(g);
      return s.fill === "modes" ? modeColour(x.mode) : minuteColour(x.minutes, limit);
    }
  };
}

/* Lines between the place opened and the villages or schools it belongs to. */
function threads(app, plan, a) {
  const s = app.state, m = app.model, b = s.band, out = [];
  if (!s.open) { return out; }
  if (s.open[0] === "site") {
    const demand = m.demand();
    for (let i = 0; i < m.nVillages; i++) {
      const g = m.group(i, b);
      if (a.site[g] === s.open[1] && demand[g] > 0) { out.push([i, s.open[1], true, D.ink]); }
    }
    return out;
  }
  const g = m.group(s.open[1], b), was = m.today().site[g], will = m.now().site[g];
  if (was >= 0 && was !== will) { out.push([s.open[1], was, plan === "today", plan === "today" ? D.ink : "#6B7682"]); }
  if (will >= 0 && (plan === "plan" || was === will)) { out.push([s.open[1], will, true, D.ink]); }
  return out;
}

/* Marks above everything: schools kept fixed, roads of the variant, what the tool in hand has hold of. */
function overlay(app, land, plan) {
  return (ctx, v) => {
    const px = (p) => [p[0] * v.k - v.x, p[1] * v.k - v.y], held = app.tools ? app.tools.held() : {};
    const lonlat = (q) => px([D.worldX(q[0] * 1e5), D.worldY(q[1] * 1e5)]);
    if (plan === "plan") {
      app.model.roads().forEach((r) => road(ctx, r, lonlat));
      app.model.fixed().forEach((j) => { if (land.sites[j]) { pin(ctx, ...px(land.sites[j])); } });
    }
    (held.villages || []).forEach((i) => {
      if (!land.villages[i]) { return; }
      const p = px(land.villages[i]);
      ring(ctx, p, 8, "#6a00a8");
    });
    if (held.line && held.line.length > 1) { path(ctx, held.line.map(lonlat), held.closed); }
    if (held.target !== undefined && held.target >= 0 && land.sites[held.target]) { ring(ctx, px(land.sites[held.target]), 18, "#6a00a8"); }
  };
}

function ring(ctx, p, r, colour) {
  [[5, "#FFFFFF"], [2.6, colour]].forEach(([w, c]) => {
    ctx.beginPath(); ctx.arc(p[0], p[1], r, 0, 2 * Math.PI); ctx.lineWidth = w; ctx.strokeStyle = c; ctx.stroke();
  });
}

function path(ctx, points, closed) {
  [[5, "rgba(255,255,255,.9)"], [2.4, "#6a00a8"]].forEach(([w, c]) => {
    ctx.beginPath();
    points.forEach((p, k) => (k ? ctx.lineTo(p[0], p[1]) : ctx.moveTo(p[0], p[1])));
    if (closed) { ctx.closePath(); }
    ctx.lineWidth = w; ctx.strokeStyle = c; ctx.setLineDash(closed ? [6, 4] : []); ctx.stroke(); ctx.setLineDash([]);
  });
}

/* A road built: thick blue line; a road closed: a bar across it. */
function road(ctx, r, lonlat) {
  const a = lonlat(r.from);
  if (r.to) {
    const b = lonlat(r.to);
    [[7, "#FFFFFF"], [4, "#0a58b0"]].forEach(([w, c]) => {
      ctx.beginPath(); ctx.moveTo(a[0], a[1]); ctx.lineTo(b[0], b[1]); ctx.lineWidth = w; ctx.strokeStyle = c; ctx.stroke();
    });
    return;
  }
  [[9, "#FFFFFF"], [6, D.alarm]].forEach(([w, c]) => {
    ctx.beginPath(); ctx.arc(a[0], a[1], 9, 0, 2 * Math.PI); ctx.lineWidth = w / 3; ctx.strokeStyle = c; ctx.stroke();
    ctx.beginPath(); ctx.moveTo(a[0] - 6, a[1]); ctx.lineTo(a[0] + 6, a[1]); ctx.lineWidth = w / 1.6; ctx.stroke();
  });
}

/* A padlock: this school is kept whatever the optimiser proposes. */
function pin(ctx, x, y) {
  const left = x - 15, top = y - 17;
  ctx.fillStyle = "#FFFFFF"; ctx.strokeStyle = D.ink; ctx.lineWidth = 1.4;
  ctx.beginPath(); ctx.arc(left + 4, top, 3, Math.PI, 0); ctx.stroke();
  ctx.beginPath(); ctx.rect(left, top, 8, 7); ctx.fill(); ctx.stroke();
  ctx.fillStyle = D.ink; ctx.fillRect(left + 3.2, top + 2.2, 1.6, 2.8);
}

const OPTIONS = {
  zoomSnap: 0.25, zoomDelta: 0.5, wheelPxPerZoomLevel: 90, maxZoom: 18, attributionControl: false,
  center: [30, 105], zoom: 5, boxZoom: false, doubleClickZoom: false
};

export function createScene(app) {
  const byId = (id) => document.getElementById(id), land = D.ground(app.model.payload);
  const boards = [], views = [null, null];
  let box = app.model.box();
  D.hold(true);

  function shown(k) { return app.state.view === "both" ? ["today", "plan"][k] : app.state.view; }

  function addBoard(k) {
    const map = window.L.map(k ? "map_b" : "map_a", k
      ? Object.assign({}, OPTIONS, { zoomControl: false, center: boards[0].map.getCenter(), zoom: boards[0].map.getZoom() }) : OPTIONS);
    if (!k) { map.fitBounds(box, { padding: [12, 12], animate: false }); }
    const board = D.board(map, land, () => views[k] || (views[k] = look(app, shown(k))));
    const pane = map.createPane("held");
    pane.style.zIndex = 460;
    pane.style.pointerEvents = "none";
    board.top = new D.Sheet((ctx, v) => overlay(app, land, shown(k))(ctx, v), { pane: "held" });
    board.top.addTo(map);
    boards.push(board);
    return board;
  }

  function second() {
    if (boards[1]) { return; }
    const a = boards[0].map, b = addBoard(1).map;
    let busy = false;
    const follow = (from, to) => from.on("move zoomend", () => {
      if (busy || app.state.view !== "both") { return; }
      busy = true;
      to.setView(from.getCenter(), from.getZoom(), { animate: false });
      busy = false;
    });
    follow(a, b); follow(b, a);
    app.tools.listen(boards[1], 1);
  }

  function captions() {
    const s = app.state, t = window.Catchment.t;
    [0, 1].forEach((k) => {
      const what = shown(k) === "today" ? t("map.today") : app.model.variantName();
      byId(k ? "tag-b" : "tag-a").textContent = what + " · " + app.model.years[s.year] + " · " + app.model.bandShort(s.band);
    });
  }

  function paint(all) {
    views[0] = views[1] = null;
    boards.forEach((b, k) => {
      if (k && app.state.view !== "both") { return; }
      b.paint(all);
      b.top.redraw();
    });
    captions();
  }

  function frames() {
    const both = app.state.view === "both";
    byId("frame-b").hidden = !both;
    byId("stage").classList.toggle("two", both);
    if (both) { second(); }
    boards[0].map.invalidateSize({ animate: false, pan: false });
    if (both) {
      boards[1].map.invalidateSize({ animate: false, pan: false });
      boards[1].map.setView(boards[0].map.getCenter(), boards[0].map.getZoom(), { animate: false });
    }
  }

  function fit() {
    const both = app.state.view === "both", wide = byId("legend").open && !both && byId("stage").clientWidth > 700, rail = !app.state.meeting;
    boards[0].map.fitBounds(box, { paddingTopLeft: [wide ? 252 : rail ? 60 : 8, 14], paddingBottomRight: [rail ? 30 : 8, 14], animate: false });
  }

  function fly(at) {
    const map = boards[0].map, calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches, z = Math.max(map.getZoom(), 12.5);
    map[calm ? "setView" : "flyTo"]([at[1] / 1e5, at[0] / 1e5], z, { duration: 0.5, animate: !calm });
  }

  /* Sites that a variant adds to the county's own. */
  function placeSites(at) {
    land.sites.length = 0;
    at.forEach((p) => land.sites.push(p.length ? [D.worldX(p[0]), D.worldY(p[1])] : null));
  }

  addBoard(0);
  return {
    land, boards, shown, paint, frames, fit, fly, placeSites,
    over: () => boards.forEach((b) => b.top.redraw()),
    hold: (on) => D.hold(on)
  };
}
