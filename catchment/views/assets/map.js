/* The planner's map: state, controls, panels. Figures are those of the run; nothing is estimated here. */
Catchment.start = function (mainMap, dataId) {
  "use strict";
  var el = Catchment.el, svg = Catchment.svg, t = Catchment.t, count = Catchment.count, decimal = Catchment.decimal,
    name = Catchment.name, empty = Catchment.empty, D = Catchment.draw;
  var data = Catchment.read(dataId), byId = function (id) { return document.getElementById(id); };
  Catchment.speak(data.words, data.lang);

  var nBands = data.bands.length, nSites = data.sites.id.length, nVillages = data.villages.id.length, nYears = data.years.length;
  var LOWER_IS_BETTER = /minutes|km|over_|unserved|no_trip|large|largest|combined|shortfall|shortage|worsened/;
  var TILES = ["minutes_mean", "over_limit_students", "schools_open", "large_classes"];
  var SAYS = ["today", "plan"];
  var RINGS = [15, 30, 40];
  var backed = Boolean(data.tiles || data.picture);
  var state = {
    view: "plan", year: startYear(), band: 0, fill: "catchments", lang: Catchment.lang(), tab: "figures", scope: "county",
    open: null, rows: 60, only: "fail", when: "year", what: [], minded: true,
    layers: { catchments: true, townships: data.townships.length > 0, roads: true, villages: true, over: true, schools: true, names: true }
  };

  /* The page opens on the year in which the last school opens, closes or changes. */
  function startYear() {
    var open = data.plans.plan.open;
    for (var y = nYears - 1; y > 0; y--) {
      if (String(at(open, y)) !== String(at(open, y - 1))) { return y; }
    }
    return nYears - 1;
  }

  function at(list, y) { var x = list[y]; return typeof x === "number" ? list[x] : x; }
  function group(village, band) { return village * nBands + band; }
  /* A part of an arrangement in a year: that of the run, or of the what-if where there is one. */
  function part(plan, key, y) {
    var tried = plan === "plan" && trial.active(y) ? trial.overlay(y) : null;
    return tried && key in tried ? tried[key] : at(data.plans[plan][key], y);
  }
  function siteOf(plan, y, g) { return part(plan, "site", y)[g]; }
  function siteName(j) { return j >= 0 ? data.sites.name[j] : t("map.nowhere"); }
  function bandName(b) { return data.bands[b][state.lang] || data.bands[b].id; }
  function bandShort(b) { var x = data.bands[b]; return x.from ? t("map.grades", { a: x.from, b: x.to }) : bandName(b); }
  function roleOf(plan, y, j) { return data.roles[part(plan, "role", y)[j]]; }

  /* Children who do not go to the school of their group, by group. */
  var partsKept = { today: [], plan: [] };
  function partsOf(plan, y) {
    if (plan === "plan" && trial.active(y)) { return trial.overlay(y).parts; }
    if (!partsKept[plan][y]) {
      var flat = data.parts[plan][y], out = partsKept[plan][y] = new Map();
      for (var k = 0; k < flat.length; k += 5) {
        if (!out.has(flat[k])) { out.set(flat[k], []); }
        out.get(flat[k]).push({ site: flat[k + 1], n: flat[k + 2], why: flat[k + 3] ? "shared" : "kept", m: flat[k + 4] });
      }
    }
    return partsKept[plan][y];
  }

  /* Where the children of a group go: its own school first, then those of its parts. */
  function goers(plan, y, g) {
    var left = at(data.demand, y)[g], more = partsOf(plan, y).get(g) || [];
    more.forEach(function (p) { left -= p.n; });
    return [{ site: siteOf(plan, y, g), n: left, why: more.length ? "own" : "", m: part(plan, "mode", y)[g] }].concat(more);
  }

  /* Trip of a group in a plan and year: site, minutes, metres, over, mode; of a part, to its school. */
  function trip(plan, y, g, one) {
    var j = one ? one.site : siteOf(plan, y, g);
    if (j < 0) { return { site: -1, minutes: null, metres: null, over: false, mode: "" }; }
    var was = plan === "today", row = was ? data.trips_today[data.network_today[y]][g] : data.trips[data.network[y]][g], m = one ? one.m : part(plan, "mode", y)[g], mode = m >= 0 ? data.modes[m] : "";
    for (var k = 0; k < row.length; k += 4) {
      if (row[k] === j) {
        return {
          site: j, minutes: row[k + 1] < 0 ? null : row[k + 1], metres: row[k + 2] < 0 ? null : row[k + 2],
          over: row[k + 3] === 1 && mode !== "board", mode: mode
        };
      }
    }
    return trial.trip(y, g, j, mode);
  }

  function load(plan, y, j) {
    var n = data.grades.length, all = part(plan, "load", y), sum = 0;
    for (var k = 0; k < n; k++) { sum += all[j * n + k]; }
    return sum;
  }

  function classesOf(plan, y, j) {
    var row = part(plan, "classes", y)[j], out = [];
    for (var k = 0; k < row.length; k += 3) { out.push({ from: row[k], to: row[k + 1], size: row[k + 2] }); }
    return out;
  }

  function largest(plan, y, j) {
    return classesOf(plan, y, j).reduce(function (m, c) { return Math.max(m, c.size); }, 0);
  }

  /* ---------------------------------------------------------------- what a map shows */

  function minuteColour(minutes, limit) {
    if (minutes === null) { return "#FFFFFF"; }
    if (minutes > limit) { return minutes > 1.5 * limit ? D.over[1] : D.over[0]; }
    return D.within[minutes <= limit / 3 ? 0 : minutes <= 2 * limit / 3 ? 1 : 2];
  }

  function changeColour(a, b) {
    if (a.minutes === null || b.minutes === null) { return D.change[2]; }
    var d = b.minutes - a.minutes;
    return D.change[d < -10 ? 0 : d < -0.5 ? 1 : d <= 0.5 ? 2 : d <= 10 ? 3 : 4];
  }

  function modeColour(mode) { return mode === "" ? "#FFFFFF" : mode.indexOf("walk") === 0 ? D.modes[0] : mode === "board" ? D.modes[2] : mode.indexOf("bus") === 0 ? D.modes[1] : D.modes[3]; }

  /* Which ring around a school a village lies in: 0 to 2, 3 beyond the last, -1 without a way. */
  function ringOf(minutes) {
    if (minutes === null) { return -1; }
    for (var k = 0; k < RINGS.length; k++) { if (minutes <= RINGS[k]) { return k; } }
    return RINGS.length;
  }
  function ringColour(k) { return k === RINGS.length ? D.over[0] : D.within[k]; }

  function look(plan) {
    var y = state.year, b = state.band, limit = data.bands[b].limit, demand = at(data.demand, y), colours = plan === "plan" && trial.active(y) ? trial.colours(y, b) : at(data.colours[plan][b], y);
    var cache = new Array(nSites), threads = [], open = state.open, reached = open && open[0] === "site" ? open[1] : null;
    function village(i) {
      var g = group(i, b), n = demand[g], x = trip(plan, y, g), turn = 0, colour;
      if (state.fill === "change") {
        var a = trip("today", y, g), p = trip("plan", y, g), d = a.minutes === null || p.minutes === null ? 0 : p.minutes - a.minutes;
        turn = d > 0.5 ? 1 : d < -0.5 ? -1 : 0;
        colour = changeColour(a, p);
      } else { colour = x.site < 0 ? "#FFFFFF" : state.fill === "modes" ? modeColour(x.mode) : minuteColour(x.minutes, limit); }
      return { size: n ? 2.4 + Math.min(4.2, Math.sqrt(n) * 0.62) : 1.8, colour: colour, over: (x.over || x.site < 0) && n > 0, turn: turn };
    }
    function school(j) {
      if (cache[j]) { return cache[j]; }
      var role = roleOf(plan, y, j), before = roleOf("today", y, j), n = load(plan, y, j), places = part(plan, "places", y)[j];
      var top = largest(plan, y, j), bits = part(plan, "open", y)[j];
      cache[j] = {
        role: role, gone: role === "closed" && before !== "closed",
        shown: role !== "closed" ? Boolean(bits & (1 << b)) || state.layers.allSchools : before !== "closed",
        size: role === "closed" ? 4 : 5 + Math.min(9, Math.sqrt(n) * 0.28), used: places > 0 ? n / places : n > 0 ? 2 : 0,
        large: top >= 66 ? 2 : top >= 56 ? 1 : 0, changed: plan === "plan" && role !== before && role !== "closed"
      };
      return cache[j];
    }
    if (open && open[0] === "site") {
      for (var i = 0; i < nVillages; i++) {
        if (goers(plan, y, group(i, b)).some(function (o) { return o.site === open[1] && o.n > 0; })) { threads.push([i, open[1], true, D.ink]); }
      }
    } else if (open && open[0] === "village") {
      var g0 = group(open[1], b), was = siteOf("today", y, g0), will = siteOf("plan", y, g0);
      if (was >= 0 && was !== will) { threads.push([open[1], was, plan === "today", plan === "today" ? D.ink : "#6B7682"]); }
      if (will >= 0 && (plan === "plan" || was === will)) { threads.push([open[1], will, true, D.ink]); }
      (partsOf(plan, y).get(g0) || []).forEach(function (o) { threads.push([open[1], o.site, true, D.ink]); });
    }
    return {
      layers: state.layers, tiles: backed, fade: backed ? 0.42 : state.fill === "catchments" || state.fill === "areas" ? 0.5 : 0.82,
      mark: open, threads: threads, village: village, school: school,
      /* Around a chosen school the lines are those of the rings, not of the catchments. */
      siteOf: function (c) {
        var g = group(c, b);
        return state.fill === "rings" && reached !== null ? ringOf(trial.minutes(y, g, reached)) : siteOf(plan, y, g);
      },
      siteName: function (j) { return data.sites.name[j]; }, villageName: function (i) { return data.villages.name[i]; },
      paint: function (c) {
        var g = group(c, b), j = siteOf(plan, y, g);
        if (state.fill === "catchments") { return j < 0 ? -1 : colours[j]; }
        if (state.fill === "areas") { return j < 0 ? -1 : data.areas.of[j] < 0 ? null : areaColours[data.areas.of[j]]; }
        if (state.fill === "reach" || state.fill === "rings") {
          var to = reached === null ? j : reached, m = to < 0 ? null : trial.minutes(y, g, to);
          return m === null ? -1 : state.fill === "rings" ? ringColour(ringOf(m)) : minuteColour(m, limit);
        }
        if (state.fill === "modes") { return j < 0 ? -1 : modeColour(trip(plan, y, g).mode); }
        if (state.fill === "minutes") { var x = trip(plan, y, g); return x.site < 0 ? -1 : minuteColour(x.minutes, limit); }
        return changeColour(trip("today", y, g), trip("plan", y, g));
      }
    };
  }

  var trial = Catchment.trial(data, { at: at, group: group, state: state, redraw: function () { change({}); } });
  var land = D.ground(data), areaColours = D.spread(data, land), shownPlan = ["plan", "today"], views = [null, null];
  D.hold(true);
  var boards = [D.board(mainMap, land, function () { return views[0] || (views[0] = look(shownPlan[0])); })];
  var box = county();
  mainMap.fitBounds(box, { padding: [12, 12], animate: false });
  addTiles(mainMap);

  /* The whole county, beside the legend where the legend is open. */
  function fit() {
    var wide = byId("legend").open && state.view !== "both" && byId("stage").clientWidth > 700;
    mainMap.fitBounds(box, { paddingTopLeft: [wide ? 252 : 14, 14], paddingBottomRight: [30, 14], animate: false });
  }

  function county() {
    var w = Infinity, s = Infinity, e = -Infinity, n = -Infinity;
    data.villages.at.concat(data.sites.at).forEach(function (p) {
      if (!p.length) { return; }
      w = Math.min(w, p[0]); e = Math.max(e, p[0]); s = Math.min(s, p[1]); n = Math.max(n, p[1]);
    });
    return isFinite(w) ? [[s / 1e5, w / 1e5], [n / 1e5, e / 1e5]] : [[20, 100], [30, 110]];
  }

  function addTiles(map) {
    if (data.picture) { L.imageOverlay(data.picture.src, data.picture.bounds, { pane: "tilePane" }).addTo(map); }
    if (!data.tiles) { return; }
    data.tiles.layers.forEach(function (layer) {
      L.tileLayer(layer.url, { minZoom: data.tiles.min, maxZoom: data.tiles.max, attribution: data.tiles.attribution }).addTo(map);
    });
  }

  function second() {
    if (boards[1]) { return; }
    var map = L.map("map_b", Object.assign({}, mainMap.options, { zoomControl: false, center: mainMap.getCenter(), zoom: mainMap.getZoom() }));
    boards.push(D.board(map, land, function () { return views[1] || (views[1] = look(shownPlan[1])); }));
    addTiles(map);
    var busy = false;
    function follow(a, b) {
      a.on("move zoomend", function () {
        if (busy || state.view !== "both") { return; }
        busy = true;
        b.setView(a.getCenter(), a.getZoom(), { animate: false });
        busy = false;
      });
    }
    follow(mainMap, map); follow(map, mainMap);
    listen(boards[1]);
  }

  /* ---------------------------------------------------------------- painting and state */

  function paint(all) {
    views = [null, null];
    boards.forEach(function (b, k) { if (k === 0 || state.view === "both") { b.paint(all); } });
  }

  function change(part, quiet) {
    var begun = performance.now();
    Object.assign(state, part);
    shownPlan = state.view === "both" ? ["today", "plan"] : [state.view, "plan"];
    controls();
    paint("layers" in part);
    captions();
    legend();
    page();
    if (quiet) { return; }
    /* Until the new picture has been handed to the screen, not merely computed. */
    window.requestAnimationFrame(function () {
      window.setTimeout(function () { performance.measure("catchment:switch", { start: begun, end: performance.now() }); }, 0);
    });
  }

  function frames() {
    var both = state.view === "both";
    byId("frame-b").hidden = !both;
    byId("stage").classList.toggle("two", both);
    if (both) { second(); }
    mainMap.invalidateSize({ animate: false, pan: false });
    if (both) {
      boards[1].map.invalidateSize({ animate: false, pan: false });
      boards[1].map.setView(mainMap.getCenter(), mainMap.getZoom(), { animate: false });
    }
  }

  function captions() {
    byId("tag-a").textContent = t("map." + (shownPlan[0] === "plan" && trial.active(state.year) ? "trial" : shownPlan[0])) + " · " + data.years[state.year] + " · " + bandShort(state.band);
    byId("tag-b").textContent = t("map." + (shownPlan[1] === "plan" && trial.active(state.year) ? "trial" : shownPlan[1])) + " · " + data.years[state.year] + " · " + bandShort(state.band);
  }

  function press(box, value) {
    box.querySelectorAll("button").forEach(function (b) {
      b.setAttribute("aria-pressed", String(b.getAttribute("data-value") === String(value)));
    });
  }

  function controls() {
    trial.banner(data.years);
    press(byId("view"), state.view);
    press(byId("band"), state.band);
    byId("year").value = state.year;
    byId("year").setAttribute("aria-valuetext", String(data.years[state.year]));
    byId("year-out").textContent = String(data.years[state.year]);
    byId("fill").value = state.fill;
  }

  function build() {
    var root = document.body;
    document.title = data.county + " · " + data.scenario + " · " + t("map.title");
    Catchment.label(root);
    byId("county").textContent = data.county;
    byId("scenario").textContent = data.scenario;
    byId("note").textContent = Catchment.half(data.note);
    byId("note").title = data.note;
    byId("note").hidden = !data.note;
    byId("lang").textContent = state.lang === "zh" ? "English" : "中文";
    byId("lang").setAttribute("lang", state.lang === "zh" ? "en" : "zh-CN");
    document.querySelectorAll(".water").forEach(function (w) { w.hidden = Boolean(data.review); });
    document.querySelector(".foot strong").textContent = data.review ? t("map.review", { n: data.review }) : t("map.water");
    byId("stamp").textContent = [
      t("map.author", { n: data.author || t("map.not_given") }), t("map.data_dates", { n: data.dates || t("map.not_given") }),
      Catchment.half(data.note), t("map.stamp_method", { m: t("map.method_" + data.method), s: t("map.status_" + data.status) }),
      data.picture && data.picture.number ? t("map.base", { n: data.picture.number }) : "",
      data.digest ? t("map.stamp_digest", { d: data.digest }) : "", t("map.stamp_seed", { s: data.seed }), data.crs, data.rules ? data.rules[state.lang] : ""
    ].filter(Boolean).join(" · ");
    empty(byId("band"));
    data.bands.forEach(function (b, k) {
      byId("band").appendChild(el("button", { type: "button", "data-value": k, title: bandName(k), text: bandShort(k), onclick: function () { change({ band: k }); } }));
    });
    byId("year").max = nYears - 1;
    byId("year").hidden = nYears < 2;
    empty(byId("fill"));
    ["catchments", "areas", "minutes", "change", "reach", "rings", "modes"].filter(function (f) { return f !== "areas" || data.areas.list.length; }).forEach(function (f) { byId("fill").appendChild(el("option", { value: f, text: t("map.fill_" + f) })); });
  }

  /* ---------------------------------------------------------------- legend and layers */

  function swatch(colour, kind) { return svg("svg", { class: "sw", width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" }, kind ? kind(colour) : svg("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: colour, stroke: "#55606C", "stroke-width": 0.7 })); }
  function dot(colour) { return svg("circle", { cx: 11, cy: 8, r: 4.5, fill: colour, stroke: D.ink, "stroke-width": 0.9 }); }
  /* Signs of the legend are drawn once: a canvas is slow to make, and they never change. */
  var signs = new Map();
  function sign(role) {
    var key = JSON.stringify(role);
    if (!signs.has(key)) { signs.set(key, drawnSign(role)); }
    return signs.get(key);
  }

  function drawnSign(role) {
    var c = el("canvas", { class: "sw", width: 44, height: 36, "aria-hidden": "true" }), x = c.getContext("2d");
    x.scale(2, 2);
    D.school(x, Object.assign({ size: 6, used: 0.55, large: 0, changed: false }, role), 11, 9);
    return c;
  }

  function layerBox(key, title, rows) {
    var id = "layer-" + key;
    return el("section", {},
      el("label", { class: "layer", for: id }, el("input", {
        type: "checkbox", id: id, checked: state.layers[key],
        onchange: function (event) { var l = Object.assign({}, state.layers); l[key] = event.target.checked; change({ layers: l }); byId(id).focus(); }
      }), title), rows && rows.length ? el("ul", {}, rows.map(function (r) { return el("li", {}, r[0], r[1]); })) : null);
  }

  function ringRows() {
    return RINGS.map(function (m, k) { return [ringColour(k), t("map.ring_within", { a: m })]; })
      .concat([[ringColour(RINGS.length), t("map.ring_beyond", { a: RINGS[RINGS.length - 1] })]]);
  }

  var drawnLegend = "";
  function legend() {
    var key = [state.lang, state.fill, state.band, JSON.stringify(state.layers)].join();
    if (key === drawnLegend) { return; }
    drawnLegend = key;
    var body = empty(byId("legend-body")), limit = data.bands[state.band].limit, d = function (x) { return decimal(x, x % 1 ? 1 : 0); };
    var minutes = [
      [D.within[0], "≤ " + d(limit / 3)], [D.within[1], d(limit / 3) + "–" + d(2 * limit / 3)], [D.within[2], d(2 * limit / 3) + "–" + d(limit)],
      [D.over[0], t("map.over_until", { a: d(limit), b: d(1.5 * limit) })], [D.over[1], t("map.over_beyond", { a: d(1.5 * limit) })]
    ];
    var change5 = ["map.less_10", "map.less", "map.same", "map.more", "map.more_10"].map(function (w, k) { return [D.change[k], t(w)]; });
    var modes = data.modes.map(function (m) { return [modeColour(m), mode(m)]; });
    var none = svg("svg", { class: "sw", width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" },
      svg("rect", { x: 1, y: 2, width: 20, height: 12, rx: 2, fill: "#fff", stroke: D.alarm }), svg("path", { d: "M3 14 L13 2 M9 14 L19 2", stroke: D.alarm, "stroke-width": 1.4 }));
    var cellRows = state.fill === "catchments" ? [[svg("svg", { class: "sw", width: 44, height: 16, viewBox: "0 0 44 16", "aria-hidden": "true" },
      D.ladder.map(function (c, k) { return svg("rect", { x: 1 + k * 10.5, y: 2, width: 10.5, height: 12, fill: c, "fill-opacity": 0.55, stroke: D.ink, "stroke-width": 0.8 }); })), t("map.legend_catchments")]]
      : state.fill === "areas" ? [[svg("svg", { class: "sw", width: 44, height: 16, viewBox: "0 0 44 16", "aria-hidden": "true" },
        D.ladder.map(function (c, k) { return svg("rect", { x: 1 + k * 10.5, y: 2, width: 10.5, height: 12, fill: c, "fill-opacity": 0.55, stroke: D.ink, "stroke-width": 0.8 }); })), t("map.legend_areas")]]
        : (state.fill === "rings" ? ringRows() : state.fill === "minutes" || state.fill === "reach" ? minutes : state.fill === "modes" ? modes : change5).map(function (r) { return [swatch(r[0]), r[1]]; });
    var toSchool = state.fill === "reach" || state.fill === "rings";
    cellRows.push([none, t(toSchool ? "map.legend_no_way" : "map.legend_none")]);
    if (toSchool) { cellRows.push([null, t("map.legend_reach")]); }
    body.appendChild(layerBox("catchments", t("map.fill_" + state.fill), cellRows));
    body.appendChild(layerBox("schools", t("map.schools"), ["central", "complete", "teaching_point", "junior", "nine_year"].map(function (r) {
      return [sign({ role: r }), t("role." + r)];
    }).concat([
      [sign({ role: "complete", used: 1.2 }), t("map.legend_full")],
      [sign({ role: "complete", large: 1, size: 4 }), t("map.legend_large")],
      [sign({ role: "teaching_point", changed: true }), t("map.legend_changed")],
      [sign({ role: "closed", gone: true }), t("map.legend_gone")]
    ])));
    body.appendChild(layerBox("allSchools", t("map.all_schools"), []));
    body.appendChild(layerBox("villages", state.fill === "change" ? t("map.villages_change") : state.fill === "modes" ? t("map.villages_modes") : t("map.villages_minutes", { b: bandShort(state.band) }),
      (state.fill === "change" ? change5 : state.fill === "modes" ? modes : minutes).map(function (r) { return [swatch(r[0], dot), r[1]]; })));
    body.appendChild(layerBox("over", t("map.legend_over", { a: d(limit) }), []));
    body.appendChild(layerBox("names", t("map.names"), []));
    body.appendChild(layerBox("roads", t("map.roads"), data.roads.some(function (r) { return r.hazard; }) ? [[svg("svg", { class: "sw", width: 22, height: 16, viewBox: "0 0 22 16", "aria-hidden": "true" },
      svg("path", { d: "M1 8 H21", stroke: D.alarm, "stroke-width": 1.6, "stroke-dasharray": "2 3" })), t("map.hazard")]] : []));
    if (data.townships.length) { body.appendChild(layerBox("townships", t("map.townships"), [])); }
  }

  /* A part of the panel that is made when it is first unfolded: most readers never do. */
  function fold(attrs, title, make) {
    var box = el("details", attrs, el("summary", { text: title, onclick: fill })), made = false;
    function fill() {
      if (made) { return; }
      made = true;
      [].concat(make()).forEach(function (part) { if (part) { box.appendChild(part); } });
    }
    if (attrs.open) { fill(); } else { box.addEventListener("toggle", fill); }
    return box;
  }

  /* ---------------------------------------------------------------- figures */

  function show(value, unit) {
    if (value === null || value === undefined) { return "—"; }
    if (unit === "share") { return decimal(value * 100, 1) + "%"; }
    if (Math.abs(value) >= 10000) { return count(value); }
    if (unit === "min" || unit === "km" || value % 1) { return decimal(value, 1); }
    return count(value);
  }

  function unitWord(unit) { return unit === "share" || !unit ? "" : Catchment.has("unit." + unit) ? t("unit." + unit) : unit; }
  function indicatorName(x) { return label(x.name); }
  function label(code) { var m = measure(code); return m ? m[state.lang === "zh" ? 0 : 1] : code.replace(/_/g, " "); }
  function measure(code) { return Object.prototype.hasOwnProperty.call(data.measures, code) ? data.measures[code] : null; }
  function definition(code) { var m = measure(code); return m ? m[state.lang === "zh" ? 2 : 3] : null; }

  function round(v) { return Number(v.toFixed(1)); }

  function difference(x, y) {
    var a = x.today[y], b = x.plan[y];
    if (a === null || b === null) { return el("span", { class: "diff" }, "—"); }
    /* The difference of the figures as they are shown, so that a reader can check it. */
    var share = x.unit === "share", d = round(share ? 100 * b : b) - round(share ? 100 * a : a);
    if (!share && Math.max(Math.abs(a), Math.abs(b)) >= 10000) { d = Math.round(b) - Math.round(a); }
    var text = share ? [decimal(Math.abs(d), 1), el("small", { text: t("map.points") })] : show(round(Math.abs(d)), x.unit);
    if (Math.abs(d) < 0.05) { return el("span", { class: "diff same" }, "＝"); }
    var judged = LOWER_IS_BETTER.test(x.name) ? (d < 0 ? "good" : "bad") : "";
    return el("span", { class: "diff " + judged }, d > 0 ? "▲ " : "▼ ", text);
  }

  function spark(x, y) {
    var all = x.today.concat(x.plan).filter(function (v) { return v !== null; }), lo = Math.min.apply(null, all), hi = Math.max.apply(null, all);
    if (nYears < 2 || !all.length) { return null; }
    function px(k) { return 3 + k * 50 / (x.years.length - 1); }
    function py(v) { return hi === lo ? 11 : 19 - (v - lo) / (hi - lo) * 16; }
    function line(list) { return list.map(function (v, k) { return v === null ? "" : px(k).toFixed(1) + "," + py(v).toFixed(1); }).filter(Boolean).join(" "); }
    return svg("svg", { class: "spark", width: 56, height: 22, viewBox: "0 0 56 22", "aria-hidden": "true" },
      svg("polyline", { points: line(x.today), fill: "none", stroke: "#7C8793", "stroke-width": 1.4, "stroke-dasharray": "3 2" }),
      svg("polyline", { points: line(x.plan), fill: "none", stroke: D.navy, "stroke-width": 1.8 }),
      x.plan[y] === null ? null : svg("circle", { cx: px(y), cy: py(x.plan[y]), r: 2.6, fill: D.navy }));
  }

  function figures() {
    var y = state.year, year = data.years[y], scope = state.scope, id = scope === "county" ? "" : data.bands[state.band].id;
    var rows = data.indicators.filter(function (x) { return x.scope === scope && (scope === "county" || x.id === id) && x.years.indexOf(year) >= 0 && x.today.concat(x.plan).some(function (v) { return v !== null; }); });
    if (!rows.length) { return [el("p", { class: "empty", text: t("map.no_figures") })]; }
    function when(x) { return x.years.indexOf(year); }
    var tiles = TILES.map(function (n) { return rows.find(function (x) { return x.name === n; }); }).filter(Boolean);
    rows.forEach(function (x) { if (tiles.length < 4 && tiles.indexOf(x) < 0 && LOWER_IS_BETTER.test(x.name)) { tiles.push(x); } });
    var keep = data.conservation.find(function (r) { return r[0] === year; });
    var towns = townTable(year);
    return [
      el("div", { class: "head" }, el("h2", { text: t("map.figures_title", { y: year }) }),
        el("div", { class: "seg small", role: "group", "aria-label": t("map.scope") }, ["county", "band"].map(function (s) {
          return el("button", { type: "button", "data-value": s, "aria-pressed": String(state.scope === s), text: s === "county" ? t("map.whole") : bandShort(state.band), onclick: function () { change({ scope: s }); } });
        }))),
      trial.active(y) ? el("p", { class: "callout" }, t("map.trial_figures"), " ", el("button", { type: "button", class: "link", text: t("map.tab_trial"), onclick: function () { tab("trial"); } })) : null,
      el("div", { class: "tiles" }, tiles.map(function (x) {
        return el("div", { class: "tile" }, el("p", { class: "what", text: indicatorName(x) }),
          el("p", { class: "big" }, el("b", { text: show(x.plan[when(x)], x.unit) }), " ", el("small", { text: unitWord(x.unit) })),
          el("p", { class: "was" }, t("map.was", { v: show(x.today[when(x)], x.unit) }), " ", difference(x, when(x))));
      })),
      el("table", { class: "grid figures" }, el("caption", { class: "quiet", text: t("map.table_note") }),
        el("thead", {}, el("tr", {}, [t("map.measure"), nYears > 1 ? t("map.trend") : "", t("map.today"), t("map.plan"), t("map.diff")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, rows.map(function (x) {
          return el("tr", {}, el("th", { scope: "row", title: definition(x.name) }, indicatorName(x), unitWord(x.unit) ? el("small", { text: " " + unitWord(x.unit) }) : null),
            el("td", { class: "trend" }, spark(x, when(x))), el("td", { text: show(x.today[when(x)], x.unit) }), el("td", { class: "strong", text: show(x.plan[when(x)], x.unit) }), el("td", {}, difference(x, when(x))));
        }))),
      histogram(),
      keep ? el("p", { class: "sum", text: t("map.conservation", { a: count(keep[1]), b: count(keep[2]), c: count(keep[3]), d: count(keep[4]) }) }) : null,
      towns,
      data.sources && data.sources[state.lang] ? el("p", { class: "cite" }, name(data.sources[state.lang])) : null,
      data.notes.length ? el("details", { class: "more" }, el("summary", { text: t("map.plan_notes") }), el("ul", {}, data.notes.map(function (n) { return el("li", {}, name(n)); }))) : null
    ];
  }

  /* Students of the band by minutes, today and proposal, with the same table for those who cannot see it. */
  function histogram() {
    var y = state.year, b = state.band, limit = data.bands[b].limit, step = 10, demand = at(data.demand, y), rows = [[], []], top = 1, bins = 0;
    SAYS.forEach(function (p, k) {
      for (var i = 0; i < nVillages; i++) {
        goers(p, y, group(i, b)).forEach(function (o) {
          var x = trip(p, y, group(i, b), o);
          if (x.minutes === null || !o.n) { return; }
          var n = Math.min(11, Math.floor(x.minutes / step));
          rows[k][n] = (rows[k][n] || 0) + o.n;
          bins = Math.max(bins, n + 1);
        });
      }
    });
    if (!bins) { return null; }
    for (var n = 0; n < bins; n++) { rows.forEach(function (r) { r[n] = r[n] || 0; top = Math.max(top, r[n]); }); }
    var w = 360 / bins, h = 92, bars = [];
    rows[0].forEach(function (a, n) {
      [[a, 0, "#8A94A0"], [rows[1][n], 1, D.navy]].forEach(function (r) {
        var tall = r[0] / top * (h - 8);
        bars.push(svg("rect", { x: (n * w + 2 + r[1] * (w / 2 - 2)).toFixed(1), y: (h - tall).toFixed(1), width: (w / 2 - 3).toFixed(1), height: tall.toFixed(1), fill: r[2] }));
      });
      bars.push(svg("text", { x: (n * w + 1).toFixed(1), y: h + 13, "font-size": 10.5, fill: "#55606C", text: String(n * step) }));
    });
    var at30 = limit / step * w;
    if (at30 < 360) { bars.push(svg("path", { d: "M" + at30.toFixed(1) + " 0 V" + h, stroke: D.alarm, "stroke-width": 1.6, "stroke-dasharray": "4 3" })); }
    return el("details", { class: "more", open: true }, el("summary", { text: t("map.histogram", { b: bandShort(b) }) }),
      svg("svg", { class: "histogram", viewBox: "0 0 362 108", role: "img", "aria-label": t("map.histogram", { b: bandShort(b) }) }, bars),
      el("p", { class: "quiet", text: t("map.histogram_note", { a: decimal(limit, limit % 1 ? 1 : 0) }) }),
      fold({}, t("map.as_table"), function () { return el("table", { class: "grid" }, el("thead", {}, el("tr", {}, [t("map.minutes"), t("map.today"), t("map.plan")].map(function (x) { return el("th", { scope: "col", text: x }); }))),
        el("tbody", {}, rows[0].map(function (a, n) {
          return el("tr", {}, el("th", { scope: "row", text: n === 11 ? "≥ " + n * step : n * step + "–" + (n + 1) * step }), el("td", { text: count(a) }), el("td", { class: "strong", text: count(rows[1][n]) }));
        }))); }));
  }

  function townTable(year) {
    var rows = data.indicators.filter(function (x) { return x.scope === "township" && (x.name === "minutes_mean" || x.name === "over_limit_students"); });
    if (!rows.length) { return null; }
    var towns = [];
    rows.forEach(function (x) { if (towns.indexOf(x.id) < 0) { towns.push(x.id); } });
    function cell(town, which) {
      var x = rows.find(function (r) { return r.id === town && r.name === which; }), k = x ? x.years.indexOf(year) : -1;
      return x ? [el("td", { text: show(x.today[k], x.unit) }), el("td", { class: "strong", text: show(x.plan[k], x.unit) })] : [el("td", {}, "—"), el("td", {}, "—")];
    }
    return fold({ class: "more" }, t("map.by_township"), function () { return el("table", { class: "grid" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("map.township") }), ["minutes_mean", "over_limit_students"].map(function (w) {
        return el("th", { scope: "col", colspan: 2, text: label(w) });
      }))), el("tbody", {}, towns.map(function (town) {
        return el("tr", {}, el("th", { scope: "row" }, name(town)), cell(town, "minutes_mean"), cell(town, "over_limit_students"));
      }))); });
  }

  /* ---------------------------------------------------------------- lists */

  function more(total) {
    return total > state.rows ? el("button", { type: "button", class: "wide", text: t("map.show_more", { n: count(total - state.rows) }), onclick: function () { state.rows += 200; page(); } }) : null;
  }

  function go(what, k, text) {
    return el("button", { type: "button", class: "link", onclick: function () { openPlace([what, k], true); } }, name(text));
  }

  function mode(x) { return x ? t("mode." + x) : "—"; }

  /* Against today's trip of the first year, as figures and documents have it. */
  function worse() {
    var y = state.year, b = state.band, demand = at(data.demand, y), rows = [];
    for (var i = 0; i < nVillages; i++) {
      var g = group(i, b), a = trip("today", 0, g);
      if (!demand[g]) { continue; }
      goers("plan", y, g).forEach(function (o) {
        var p = trip("plan", y, g, o);
        if (!o.n) { return; }
        if (p.site < 0 && a.site >= 0) { rows.push([i, a, p, Infinity, o.n]); }
        else if (a.minutes !== null && p.minutes !== null && p.minutes - a.minutes > 0.05) { rows.push([i, a, p, p.minutes - a.minutes, o.n]); }
      });
    }
    rows.sort(function (m, n) { return n[3] - m[3] || m[0] - n[0]; });
    var students = rows.reduce(function (s, r) { return s + r[4]; }, 0);
    /* How many travel clearly longer is the run's own figure; with a trial it is told there. */
    var told = data.indicators.find(function (x) { return x.name === "worsened_students" && x.scope === "band" && x.id === data.bands[b].id; });
    var clearly = told && !trial.active(y) ? told.plan[told.years.indexOf(data.years[y])] : null;
    return [
      el("h2", { text: t("map.worse_title", { b: bandShort(b), y: data.years[y] }) }),
      el("p", { class: "quiet", text: rows.length ? t("map.worse_sum", { n: count(rows.length), s: count(students) }) + (clearly === null || clearly === undefined ? "" : t("map.worse_clearly", { s: count(clearly), y: data.years[0] })) : t("map.worse_none") }),
      rows.length ? el("table", { class: "grid list" }, el("thead", {}, el("tr", {}, [t("map.village"), t("map.minutes_then"), t("map.longer"), t("map.students")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, rows.slice(0, state.rows).map(function (r) {
          return el("tr", {}, el("th", { scope: "row" }, go("village", r[0], data.villages.name[r[0]]), el("small", {}, name(data.villages.towns[data.villages.town[r[0]]]), " · ", name(siteName(r[1].site)), " → ", name(siteName(r[2].site)))),
            el("td", {}, decimal(r[1].minutes) + " → ", el("b", { text: decimal(r[2].minutes) }), r[2].over ? el("span", { class: "badge bad", text: t("map.over") }) : null, el("small", { text: mode(r[1].mode) + " → " + mode(r[2].mode) })),
            el("td", { class: "bad", text: r[3] === Infinity ? t("map.unserved") : "+" + decimal(r[3]) }), el("td", { text: count(r[4]) }));
        }))) : null,
      more(rows.length)
    ];
  }

  function findingCard(row) {
    var rule = data.findings.rules[row[0]], zh = state.lang === "zh", unit = unitWord(rule.unit);
    var place = row[2] >= 0 ? go("site", row[2], row[4]) : row[3] >= 0 ? go("village", row[3], row[4]) : name(row[4]);
    return el("article", { class: "finding " + row[1] },
      el("p", { class: "badges" }, el("span", { class: "badge res-" + row[1], text: t("res." + row[1]) }), el("span", { class: "badge sev-" + rule.severity, text: t("sev." + rule.severity) }),
        rule.verified ? null : el("span", { class: "badge unsure", text: t("map.unverified") }), el("code", { text: rule.code })),
      el("h3", {}, name(zh ? rule.title_zh : rule.title_en)),
      el("p", {}, place, row[5] !== null ? " · " + row[5] : "", row[6] !== null ? el("span", {}, " · ", el("b", { text: show(row[6], rule.unit) }), unit ? " " + unit : "",
        row[7] !== null ? t("map.limit_is", { v: show(row[7], rule.unit) }) : "", row[8] !== null && row[8] > 0 ? el("span", { class: "bad", text: t("map.excess_is", { v: show(row[8], rule.unit) }) }) : null) : null),
      (zh ? row[9] : row[10]) ? el("p", { class: "quiet" }, name(zh ? row[9] : row[10])) : null,
      el("p", { class: "cite" }, t("map.citation"), name(zh ? rule.citation_zh : rule.citation_en)));
  }

  /* One card a rule, the worst first, with the places below it. */
  function ruleCard(rule, rows) {
    var zh = state.lang === "zh", unit = unitWord(rule.unit), places = [];
    rows.sort(function (a, b) { return (b[8] || 0) - (a[8] || 0) || (a[5] || 0) - (b[5] || 0); });
    rows.forEach(function (r) { if (places.indexOf(r[4]) < 0) { places.push(r[4]); } });
    if (rows.length === 1) { return findingCard(rows[0]); }
    return el("article", { class: "finding " + rows[0][1] },
      el("p", { class: "badges" }, el("span", { class: "badge res-" + rows[0][1], text: t("res." + rows[0][1]) + " " + count(rows.length) }), el("span", { class: "badge sev-" + rule.severity, text: t("sev." + rule.severity) }),
        rule.verified ? null : el("span", { class: "badge unsure", text: t("map.unverified") }), el("code", { text: rule.code })),
      el("h3", {}, name(zh ? rule.title_zh : rule.title_en)),
      el("p", { class: "cite" }, t("map.citation"), name(zh ? rule.citation_zh : rule.citation_en)),
      fold({}, t("map.places_at", { n: count(places.length) }), function () { return [el("table", { class: "grid list" }, el("tbody", {}, rows.slice(0, 200).map(function (r) {
        return el("tr", {}, el("th", { scope: "row" }, r[2] >= 0 ? go("site", r[2], r[4]) : r[3] >= 0 ? go("village", r[3], r[4]) : name(r[4]), el("small", {}, name(zh ? r[9] : r[10]))),
          el("td", { text: r[5] === null ? "" : r[5] }), el("td", {}, r[6] === null ? "" : [el("b", { text: show(r[6], rule.unit) }), unit ? " " + unit : "", r[7] === null ? null : el("small", { text: t("map.limit_is", { v: show(r[7], rule.unit) }) })]));
      }))), rows.length > 200 ? el("p", { class: "quiet", text: t("map.and_more", { n: count(rows.length - 200) }) }) : null]; }));
  }

  function findings() {
    var counts = { fail: 0, unknown: 0, evidence: 0 }, weight = { hard: 0, process: 1, standard: 2, soft: 3 }, year = data.years[state.year], rules = new Map();
    data.findings.rows.forEach(function (r) {
      if (state.when === "year" && r[5] !== null && r[5] !== year) { return; }
      counts[r[1]] = (counts[r[1]] || 0) + 1;
      if (r[1] !== state.only) { return; }
      if (!rules.has(r[0])) { rules.set(r[0], []); }
      rules.get(r[0]).push(r);
    });
    var groups = Array.from(rules.entries()).sort(function (a, b) {
      return weight[data.findings.rules[a[0]].severity] - weight[data.findings.rules[b[0]].severity] || b[1].length - a[1].length || a[0] - b[0];
    });
    function seg(part, values, words) {
      return el("div", { class: "seg small", role: "group", "aria-label": t("map.findings_title") }, values.map(function (k, n) {
        return el("button", { type: "button", "data-value": k, "aria-pressed": String(state[part] === k), text: words[n], onclick: function () { var c = {}; c[part] = k; change(c); } });
      }));
    }
    return [
      el("h2", { text: t("map.findings_title") }),
      el("p", { class: "quiet", text: t("map.findings_note", { n: count(data.findings.passed) }) }),
      el("div", { class: "segs" }, seg("only", ["fail", "unknown", "evidence"], ["fail", "unknown", "evidence"].map(function (k) { return t("res." + k) + " " + count(counts[k]); })),
        seg("when", ["year", "all"], [String(year), t("map.all_years")])),
      groups.length ? groups.map(function (g) { return ruleCard(data.findings.rules[g[0]], g[1]); }) : el("p", { class: "empty", text: t("map.findings_none") })
    ];
  }

  function ledgerRow(r, own) {
    var j = data.sites.id.indexOf(r[1]);
    return el("tr", {}, el("th", { scope: "row" }, own === true ? t("map.class_of", { g: r[3], c: r[4] }) : [j >= 0 ? go("site", j, r[2]) : name(r[2]), el("small", { text: t("map.class_of", { g: r[3], c: r[4] }) })]),
    el("td", {}, el("b", { text: count(r[5]) }), el("small", { text: t("cat." + r[6]) })), el("td", {}, name(r[10] || r[9]), r[12] ? el("small", {}, name(r[12])) : null));
  }

  function ledger() {
    var year = data.years[state.year], rows = data.ledger.filter(function (r) { return r[0] === year; }).sort(function (a, b) { return b[5] - a[5]; });
    var large = rows.filter(function (r) { return r[6] !== "over_standard"; }).length;
    return [
      el("h2", { text: t("map.classes_title", { y: year }) }),
      el("p", { class: "quiet", text: rows.length ? t("map.classes_sum", { n: count(rows.length), m: count(large) }) : data.ledger.length ? t("map.classes_none_year") : t("map.classes_none") }),
      rows.length ? el("table", { class: "grid list" }, el("thead", {}, el("tr", {}, [t("map.school"), t("map.class_size"), t("map.way_out")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, rows.slice(0, state.rows).map(function (r) { return ledgerRow(r, false); }))) : null,
      more(rows.length)
    ];
  }

  /* ---------------------------------------------------------------- one place */

  function facts(rows) {
    return el("table", { class: "grid facts" }, el("thead", {}, el("tr", {}, ["", t("map.today"), t("map.plan")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
      el("tbody", {}, rows.map(function (r) { return el("tr", {}, el("th", { scope: "row", text: r[0] }), el("td", {}, r[1]), el("td", { class: "strong" }, r[2])); })));
  }

  /* Which limit of the plan the school has reached, and what one place more would spare. */
  function binding(j) {
    var list = data.binding.rows.filter(function (r) { return r[0] === j && r[2] === data.years[state.year]; });
    return list.length && state.view !== "today" && !trial.active(state.year) ? el("p", { class: "why" }, el("b", { text: t("map.binding") }), list.map(function (r) {
      return el("span", { class: "line" }, bandShort(r[1]) + " · ", name(data.binding.texts[r[3]][state.lang === "zh" ? 0 : 1]));
    })) : null;
  }

  function sitePage(j) {
    var y = state.year, year = data.years[y], roles = SAYS.map(function (p) { return roleOf(p, y, j); });
    function bothWays(f) { return SAYS.map(function (p, k) { return roles[k] === "closed" ? "—" : f(p); }); }
    function row(title, f) { return [title].concat(bothWays(f)); }
    var changed = roles[0] !== roles[1], closing = null;
    data.years.forEach(function (when, k) { if (closing === null && roleOf("plan", k, j) !== roleOf("today", k, j)) { closing = when; } });
    var rows = [[t("map.role"), t("role." + roles[0]), t("role." + roles[1])],
      row(t("map.students"), function (p) { return count(load(p, y, j)); }),
      row(t("map.class_count"), function (p) { return count(classesOf(p, y, j).length); }),
      row(t("map.rooms"), function (p) { return count(part(p, "rooms", y)[j]); }),
      row(t("map.places"), function (p) { return count(part(p, "places", y)[j]); }),
      row(t("map.places_used"), function (p) { var k = part(p, "places", y)[j]; return k ? decimal(100 * load(p, y, j) / k, 0) + "%" : "—"; }),
      row(t("map.largest_class"), function (p) { return classSize(largest(p, y, j)); })];
    var real = y === 0 ? data.classes.filter(function (c) { return c[0] === j && c[3] >= 56; }) : [];
    var found = data.findings.rows.filter(function (r) { return r[2] === j && (r[5] === null || r[5] === year); });
    var book = data.ledger.filter(function (r) { return r[1] === data.sites.id[j] && r[0] === year; }).sort(function (a, b) { return b[5] - a[5]; });
    return [
      head(data.sites.name[j], [data.sites.town[j], areaOf(j), t("map.code") + " " + data.sites.id[j]]),
      changed || closing !== null ? el("p", { class: "callout" }, closing !== null && closing > year ? t("map.will_change", { y: closing }) : t("map.changes_to", { a: t("role." + roles[0]), b: t("role." + roles[1]), y: closing === null ? year : closing })) : null,
      data.sites.guessed.indexOf(j) >= 0 ? el("p", { class: "quiet", text: t("map.rooms_guessed") }) : null,
      trial.buttons(j),
      facts(rows),
      binding(j),
      rings(j),
      gradeTable(j),
      yearTable(j),
      real.length ? el("p", { class: "callout bad" }, t("map.real_large"), real.map(function (c) { return el("span", {}, " ", name(t("map.class_of", { g: c[1], c: c[2] })), " ", el("b", { text: count(c[3]) })); })) : null,
      book.length ? el("details", { class: "more", open: book.length < 9 }, el("summary", { text: t("map.classes_here", { n: book.length }) }), el("table", { class: "grid list" }, el("tbody", {}, book.map(function (r) { return ledgerRow(r, true); })))) : null,
      origins(j),
      leavers(j),
      found.length ? el("section", {}, el("h3", { text: t("map.tab_findings") }), found.slice(0, 30).map(findingCard)) : el("p", { class: "quiet", text: t("map.no_findings_here") })
    ];
  }

  function areaOf(j) { return j >= 0 && data.areas.of[j] >= 0 ? data.areas.list[data.areas.of[j]][0] : ""; }

  function classSize(n) {
    if (!n) { return "—"; }
    return el("span", {}, count(n), n >= 66 ? el("span", { class: "badge bad", text: t("cat.super_large") }) : n >= 56 ? el("span", { class: "badge bad", text: t("cat.large") }) : null);
  }

  function gradeTable(j) {
    var y = state.year, n = data.grades.length, any = false;
    var body = data.grades.map(function (g, k) {
      var cells = SAYS.map(function (p) {
        var students = part(p, "load", y)[j * n + k], own = classesOf(p, y, j).filter(function (c) { return c.from <= g && c.to >= g; });
        if (!students && !own.length) { return el("td", {}, "—"); }
        any = true;
        return el("td", {}, el("b", { text: count(students) }), own.length ? el("small", { text: t("map.in_classes", { n: own.length, s: own.map(function (c) { return c.size; }).join(t("map.comma")) }) + (own[0].to > own[0].from ? t("map.combined", { a: own[0].from, b: own[0].to }) : "") }) : null);
      });
      return el("tr", {}, el("th", { scope: "row", text: t("map.grade", { g: g }) }), cells);
    });
    return any ? el("details", { class: "more", open: true }, el("summary", { text: t("map.by_grade") }), el("table", { class: "grid facts" },
      el("thead", {}, el("tr", {}, [t("map.grade_head"), t("map.today"), t("map.plan")].map(function (h) { return el("th", { scope: "col", text: h }); }))), el("tbody", {}, body))) : null;
  }

  /* Students and classes of the proposal by grade and year. */
  function yearTable(j) {
    var n = data.grades.length, shown = data.grades.map(function (g, k) { return k; }).filter(function (k) {
      return data.years.some(function (w, y) { return part("plan", "load", y)[j * n + k] > 0; });
    });
    if (!shown.length || nYears < 2) { return null; }
    return fold({ class: "more" }, t("map.by_grade_year"), function () { return [el("p", { class: "quiet", text: t("map.by_grade_year_note") }),
      el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": t("map.by_grade_year") }, el("table", { class: "grid years-table" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col", text: t("map.grade_head") }), data.years.map(function (w) { return el("th", { scope: "col", text: w }); }))),
        el("tbody", {}, shown.map(function (k) {
          return el("tr", {}, el("th", { scope: "row", text: t("map.grade", { g: data.grades[k] }) }), data.years.map(function (w, y) {
            var s = part("plan", "load", y)[j * n + k], own = classesOf("plan", y, j).filter(function (c) { return c.from <= data.grades[k] && c.to >= data.grades[k]; });
            var most = own.reduce(function (m, c) { return Math.max(m, c.size); }, 0);
            return el("td", { class: y === state.year ? "strong" : "" }, s ? [count(s), el("small", { class: most >= 56 ? "bad" : "", text: own.length + "×" + most })] : "—");
          }));
        }))))]; });
  }

  /* Villages and students of the band by minutes to this school, whichever school they go to. */
  function rings(j) {
    var y = state.year, b = state.band, demand = at(data.demand, y), rows = [];
    for (var k = 0; k <= RINGS.length; k++) { rows.push({ villages: [], students: 0, own: 0 }); }
    for (var i = 0; i < nVillages; i++) {
      var g = group(i, b), m = trial.minutes(y, g, j), place = ringOf(m);
      if (place < 0) { continue; }
      rows[place].villages.push([m, i]);
      rows[place].students += demand[g];
      goers("plan", y, g).forEach(function (o) { if (o.site === j) { rows[place].own += o.n; } });
    }
    if (!rows.some(function (r) { return r.villages.length; })) { return null; }
    rows.forEach(function (r) { r.villages.sort(function (a, c) { return a[0] - c[0] || a[1] - c[1]; }); });
    var names = ringRows();
    return el("details", { class: "more", id: "rings", open: state.fill === "rings" }, el("summary", { text: t("map.rings_title", { b: bandShort(b) }) }),
      el("p", { class: "quiet", text: t("map.rings_note") }),
      state.fill === "rings" ? null : el("div", { class: "try-row" }, el("button", { type: "button", class: "plain", id: "rings-show", text: t("map.rings_show"), onclick: function () { change({ fill: "rings" }); byId("rings").querySelector("summary").focus({ preventScroll: true }); } })),
      el("table", { class: "grid list" }, el("thead", {}, el("tr", {}, [t("map.minutes"), t("map.villages"), t("map.students"), t("map.ring_own")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, rows.map(function (r, k) {
          return el("tr", {}, el("th", { scope: "row" }, swatch(names[k][0]), " ", names[k][1],
            r.villages.length ? fold({}, t("map.ring_names"), function () { return el("small", {}, r.villages.slice(0, 150).map(function (v, n) {
              return [n ? t("map.comma") : "", go("village", v[1], data.villages.name[v[1]]), " " + decimal(v[0])];
            }), r.villages.length > 150 ? t("map.and_others", { n: r.villages.length - 150 }) : ""); }) : null),
          el("td", { text: count(r.villages.length) }), el("td", { text: count(r.students) }), el("td", { class: "strong", text: count(r.own) }));
        }))));
  }

  /* Where the villages that come here today go in the proposal. */
  function leavers(j) {
    var y = state.year, demand = at(data.demand, y), to = new Map();
    for (var g = 0; g < nVillages * nBands; g++) {
      if (siteOf("today", y, g) !== j || !demand[g]) { continue; }
      goers("plan", y, g).forEach(function (o) {
        if (o.site === j || !o.n) { return; }
        if (!to.has(o.site)) { to.set(o.site, [0, []]); }
        var e = to.get(o.site), i = Math.floor(g / nBands);
        e[0] += o.n;
        if (e[1].indexOf(i) < 0) { e[1].push(i); }
      });
    }
    if (!to.size) { return null; }
    return el("details", { class: "more", open: true }, el("summary", { text: t("map.leavers") }), el("table", { class: "grid list" },
      el("thead", {}, el("tr", {}, [t("map.to_school"), t("map.students")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
      el("tbody", {}, Array.from(to.entries()).sort(function (a, b) { return b[1][0] - a[1][0] || a[0] - b[0]; }).map(function (e) {
        return el("tr", {}, el("th", { scope: "row" }, e[0] >= 0 ? go("site", e[0], siteName(e[0])) : el("span", { class: "bad", text: t("map.nowhere") }),
          el("small", {}, e[1][1].slice(0, 12).map(function (i, k) { return [k ? t("map.comma") : "", go("village", i, data.villages.name[i])]; }), e[1][1].length > 12 ? t("map.and_others", { n: e[1][1].length - 12 }) : "")), el("td", { text: count(e[1][0]) }));
      }))));
  }

  function origins(j) {
    var y = state.year, demand = at(data.demand, y), rows = [];
    for (var i = 0; i < nVillages; i++) {
      var a = 0, p = 0, far = null, how = "";
      for (var b = 0; b < nBands; b++) {
        var g = group(i, b);
        SAYS.forEach(function (k) {
          goers(k, y, g).forEach(function (o) {
            if (o.site !== j || !o.n) { return; }
            if (k === "today") { a += o.n; } else { p += o.n; }
            var x = trip(k, y, g, o);
            if (x.minutes !== null && (far === null || x.minutes > far)) { far = x.minutes; how = x.mode; }
          });
        });
      }
      if (a || p) { rows.push([i, a, p, far, how]); }
    }
    rows.sort(function (m, n) { return Math.max(n[1], n[2]) - Math.max(m[1], m[2]) || m[0] - n[0]; });
    return el("details", { class: "more", open: true }, el("summary", { text: t("map.origins", { n: rows.length }) }),
      rows.length ? el("table", { class: "grid list" }, el("thead", {}, el("tr", {}, [t("map.village"), t("map.today"), t("map.plan"), t("map.longest")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, rows.slice(0, 150).map(function (r) {
          return el("tr", { class: r[1] !== r[2] ? "moved" : "" }, el("th", { scope: "row" }, go("village", r[0], data.villages.name[r[0]])), el("td", { text: count(r[1]) }), el("td", { class: "strong", text: count(r[2]) }),
            el("td", {}, decimal(r[3]), el("small", { text: mode(r[4]) })));
        }))) : el("p", { class: "empty", text: t("map.nobody") }));
  }

  function villagePage(i) {
    var y = state.year, year = data.years[y], demand = at(data.demand, y), where = data.villages.towns[data.villages.town[i]];
    return [
      head(data.villages.name[i], [where, t("map.code") + " " + data.villages.id[i]]),
      at(data.estimated, y)[i] ? el("p", { class: "callout", text: t("map.estimated") }) : null,
      data.bands.map(function (band, b) {
        var g = group(i, b), ways = SAYS.map(function (p) { return trip(p, y, g); }), moves = ways[0].site !== ways[1].site;
        var several = goers("plan", y, g).length > 1, why = data.reasons.rows.filter(function (r) { return r[0] === i && r[1] === b && (moves || several ? r[2] <= year : r[2] === year); }).sort(function (m, n) { return n[2] - m[2]; })[0];
        function pair(title, f) { return [title, f(ways[0]), f(ways[1])]; }
        return el("section", { class: "band" + (b === state.band ? " now" : "") },
          el("h3", {}, bandName(b), el("small", { text: " " + t("map.n_students", { n: count(demand[g]) }) }), moves ? el("span", { class: "badge move", text: t("map.moves") }) : null),
          facts([
            pair(t("map.school"), function (x) { return x.site >= 0 ? [go("site", x.site, siteName(x.site)), areaOf(x.site) ? el("small", {}, name(areaOf(x.site))) : null] : el("span", { class: "bad", text: t("map.nowhere") }); }),
            pair(t("map.minutes"), function (x) { return el("span", { class: x.over ? "bad" : "" }, decimal(x.minutes), x.over ? el("span", { class: "badge bad", text: t("map.over") }) : null); }),
            pair(t("map.mode"), function (x) { return mode(x.mode); }),
            pair(t("map.km"), function (x) { return x.metres === null ? "—" : decimal(x.metres / 1000, 1); })
          ]),
          shares(y, g),
          alternatives(g, b, ways[1].site),
          why ? el("p", { class: "why" }, el("b", { text: t("map.why") }), name(data.reasons.texts[why[3]][state.lang === "zh" ? 0 : 1])) : null);
      }),
      el("p", { class: "quiet", text: t("map.minutes_note") }),
      data.findings.rows.filter(function (r) { return r[3] === i && r[2] < 0 && (r[5] === null || r[5] === year); }).slice(0, 30).map(findingCard)
    ];
  }

  /* Of a village-band whose children go to several schools: who goes where, and why. */
  function shares(y, g) {
    return SAYS.map(function (p) {
      var list = goers(p, y, g);
      return list.length < 2 ? null : el("table", { class: "grid list parts" }, el("caption", { class: "quiet", text: t("map.parts") + " · " + t("map." + p) }),
        el("thead", {}, el("tr", {}, [t("map.school"), t("map.students"), t("map.minutes")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, list.map(function (o) {
          var x = trip(p, y, g, o);
          return el("tr", {}, el("th", { scope: "row" }, o.site >= 0 ? go("site", o.site, siteName(o.site)) : el("span", { class: "bad", text: t("map.nowhere") }), el("small", { text: t("map.part_" + o.why) })),
            el("td", { class: "strong", text: count(o.n) }), el("td", {}, decimal(x.minutes), x.over ? el("span", { class: "badge bad", text: t("map.over") }) : null, el("small", { text: mode(x.mode) })));
        })));
    });
  }

  /* The two nearest other schools that teach the band in the arrangement shown, and their places. */
  function alternatives(g, b, own) {
    var next = trial.nearest(state.year, g, b, own, 2);
    if (!next.length) { return el("p", { class: "quiet", text: t("map.no_other") }); }
    return el("table", { class: "grid list other" }, el("thead", {}, el("tr", {}, [t("map.other_schools"), t("map.minutes"), t("map.places_left")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
      el("tbody", {}, next.map(function (x) {
        return el("tr", {}, el("th", { scope: "row" }, go("site", x.site, siteName(x.site))),
          el("td", {}, decimal(x.tenths / 10), x.over ? el("span", { class: "badge bad", text: t("map.over") }) : null, el("small", { text: mode(x.mode) })),
          el("td", { class: x.left < x.students ? "bad" : "", text: x.left < 0 ? t("map.short_of", { n: count(-x.left) }) : count(x.left) }));
      })));
  }

  function head(title, under) {
    return el("div", { class: "place" }, el("button", { type: "button", class: "back", id: "back", text: t("map.back"), onclick: function () { openPlace(null, false); byId("panel").focus(); } }),
      el("h2", {}, name(title)), el("p", { class: "quiet" }, under.concat([data.years[state.year]]).filter(Boolean).map(function (u, k) { return [k ? " · " : "", name(u)]; })));
  }

  function page() {
    var box = empty(byId("page")), tabs = byId("tabs");
    tabs.querySelectorAll("[role=tab]").forEach(function (b) {
      var on = b.id === "tab-" + state.tab && !state.open;
      b.setAttribute("aria-selected", String(on));
      b.tabIndex = b.id === "tab-" + state.tab ? 0 : -1;
    });
    box.setAttribute("aria-labelledby", "tab-" + state.tab);
    var parts = state.open ? (state.open[0] === "site" ? sitePage(state.open[1]) : villagePage(state.open[1]))
      : { figures: figures, worse: worse, findings: findings, classes: ledger, trial: trial.page }[state.tab]();
    box.appendChild(el("div", { class: "sheet" }, parts));
  }

  function openPlace(place, fly) {
    change({ open: place });
    byId("page").scrollTop = 0;
    if (!place) { return; }
    document.body.classList.add("reading");
    if (fly) {
      var p = (place[0] === "site" ? data.sites : data.villages).at[place[1]];
      if (p.length) {
        var calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches, z = Math.max(mainMap.getZoom(), 12.5);
        mainMap[calm ? "setView" : "flyTo"]([p[1] / 1e5, p[0] / 1e5], z, { duration: 0.6, animate: !calm });
      }
    }
    var back = byId("back");
    if (back && fly) { back.focus({ preventScroll: true }); }
  }

  /* ---------------------------------------------------------------- events */

  function listen(board) {
    var map = board.map, frame = map.getContainer(), tip = byId("tip"), wanted = null;
    map.on("click", function (event) {
      var found = board.hit(event.containerPoint);
      if (found) { openPlace(found, false); }
    });
    map.on("mousemove", function (event) {
      if (wanted) { return; }
      wanted = window.requestAnimationFrame(function () {
        wanted = null;
        var found = board.hit(event.containerPoint), plan = board === boards[0] ? shownPlan[0] : shownPlan[1];
        frame.style.cursor = found ? "pointer" : "";
        if (!found) { tip.hidden = true; return; }
        empty(tip);
        tip.appendChild(tipFor(found, plan));
        tip.hidden = false;
        var stage = byId("stage").getBoundingClientRect(), r = frame.getBoundingClientRect();
        var x = r.left - stage.left + event.containerPoint.x + 14, y = r.top - stage.top + event.containerPoint.y + 14;
        tip.style.left = Math.max(4, Math.min(x, stage.width - tip.offsetWidth - 6)) + "px";
        tip.style.top = Math.max(4, Math.min(y, stage.height - tip.offsetHeight - 6)) + "px";
      });
    });
    map.on("mouseout movestart", function () { tip.hidden = true; });
  }

  function tipFor(found, plan) {
    var y = state.year, k = found[1];
    if (found[0] === "site") {
      var role = roleOf(plan, y, k);
      return el("div", {}, el("b", {}, name(data.sites.name[k])), el("br"), t("role." + role), role === "closed" ? "" : " · " + t("map.n_students", { n: count(load(plan, y, k)) }));
    }
    var x = trip(plan, y, group(k, state.band));
    return el("div", {}, el("b", {}, name(data.villages.name[k])), el("br"), "→ ", name(siteName(x.site)),
      (partsOf(plan, y).get(group(k, state.band)) || []).map(function (o) { return [t("map.comma"), name(siteName(o.site)) , " " + count(o.n)]; }), el("br"),
      x.minutes === null ? t("map.unserved") : t("map.tip_trip", { m: decimal(x.minutes), h: mode(x.mode) }), x.over ? " · " + t("map.over") : "");
  }

  function tab(which) { state.rows = 60; change({ tab: which, open: null }); byId("page").scrollTop = 0; }

  function wire() {
    byId("view").addEventListener("click", function (event) {
      var v = event.target.getAttribute("data-value");
      if (!v) { return; }
      var was = state.view;
      change({ view: v });
      if ((was === "both") === (v === "both")) { return; }
      var narrow = byId("stage").clientWidth < 1300;
      if (narrow) { byId("legend").open = v !== "both" && window.matchMedia("(min-width: 900px)").matches; }
      frames();
      if (!state.open) { fit(); }
      paint(true);
    });
    byId("year").addEventListener("input", function (event) { change({ year: Number(event.target.value) }); });
    byId("fill").addEventListener("change", function (event) { change({ fill: event.target.value }); });
    byId("lang").addEventListener("click", function () {
      Catchment.speak(data.words, state.lang === "zh" ? "en" : "zh");
      state.lang = Catchment.lang();
      build();
      change({});
    });
    byId("print").addEventListener("click", function () { window.print(); });
    byId("grip").addEventListener("click", function () {
      var tall = document.body.classList.toggle("tall");
      byId("grip").setAttribute("aria-expanded", String(tall));
      window.setTimeout(frames, 0);
    });
    var tabs = Array.from(byId("tabs").querySelectorAll("[role=tab]"));
    tabs.forEach(function (b, k) {
      b.addEventListener("click", function () { tab(b.id.slice(4)); });
      b.addEventListener("keydown", function (event) {
        var step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (step) { var next = tabs[(k + step + tabs.length) % tabs.length]; tab(next.id.slice(4)); next.focus(); }
      });
    });
    var items = data.sites.name.map(function (n, j) { return { kind: "site", k: j, name: n, where: data.sites.town[j], code: data.sites.id[j] }; })
      .concat(data.villages.name.map(function (n, i) { return { kind: "village", k: i, name: n, where: data.villages.towns[data.villages.town[i]], code: data.villages.id[i] }; }));
    Catchment.searchBox(byId("find"), byId("found"), Catchment.finder(items, 30), function (item) { openPlace([item.kind, item.k], true); });
    listen(boards[0]);
    /* Canvases are printed as they stand: the stage keeps its size and is scaled to the sheet. */
    window.addEventListener("beforeprint", function () {
      var stage = byId("stage"), w = stage.clientWidth, h = stage.clientHeight;
      stage.style.width = w + "px";
      stage.style.height = h + "px";
      stage.style.zoom = Math.min(1.25, 800 / w, 600 / h).toFixed(3);
      byId("legend").open = true;
    });
    window.addEventListener("afterprint", function () {
      var stage = byId("stage");
      stage.style.width = stage.style.height = stage.style.zoom = "";
      frames();
    });
  }

  trial.join({ data: data, change: change, go: go, siteName: siteName, bandShort: bandShort, edges: land.edges, byId: byId, tab: tab, roleOf: roleOf });
  if (window.matchMedia("(min-width: 900px)").matches) { byId("legend").open = true; }
  build();
  wire();
  change({}, true);
  frames();
  fit();
  D.hold(false);
  paint(true);
  window.requestAnimationFrame(function () {
    window.requestAnimationFrame(function () { performance.mark("catchment:painted"); document.documentElement.setAttribute("data-ready", "1"); });
  });
};
