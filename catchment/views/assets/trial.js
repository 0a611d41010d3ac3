/* The what-if of the page: what was changed, what follows, undo, and the recipe to carry it on. */
Catchment.trial = function (data, room) {
  "use strict";
  var el = Catchment.el, t = Catchment.t, count = Catchment.count, decimal = Catchment.decimal, name = Catchment.name, W = Catchment.whatif;
  var T = data.trial, at = room.at, state = room.state, hub = null;
  var nBands = data.bands.length, nSites = data.sites.id.length, nGrades = data.grades.length, nYears = data.years.length, nVillages = data.villages.id.length, nGroups = nVillages * nBands;
  var travels = [], starts = [], answers = new Map(), inks = new Map(), boards = data.modes.indexOf("board");
  var gradeBand = [], bandSize = data.bands.map(function () { return 0; }), firstGrade = [];
  data.grades.forEach(function (g, k) {
    data.bands.forEach(function (b, n) {
      if (g >= b.from && g <= b.to) { gradeBand[k] = n; if (!bandSize[n]) { firstGrade[n] = k; } bandSize[n] += 1; }
    });
  });

  function travel(y) {
    var w = data.network[y];
    travels[w] = travels[w] || W.travel(T.travel[w], nBands, nSites, nVillages, T.of);
    return travels[w];
  }

  function first(list, y) { return typeof list[y] === "number" ? list[y] : y; }

  /* Village of a group; parts of villages that several schools share follow after all villages. */
  function villageOf(i) { var v = Math.floor(i / nBands); return v < nVillages ? v : T.of[v - nVillages]; }

  /* Groups of a year, without the children who go elsewhere, and then those as groups of their own. */
  function start(y) {
    if (!starts[y]) {
      var students = W.words(T.students[first(T.students, y)]), wide = Math.max.apply(null, bandSize), site = at(data.plans.plan.site, y).concat(at(T.site, y));
      starts[y] = {
        nSites: nSites, travel: travel(y), students: students, perGroup: wide, site: site, mode: at(data.plans.plan.mode, y).concat(at(T.mode, y)),
        demand: site.map(function (_, i) { var n = 0; for (var k = 0; k < wide; k++) { n += students[i * wide + k]; } return n; }), opened: at(data.plans.plan.open, y), rooms: at(T.rooms, y),
        classSize: T.size, limit: T.limit, gradeBand: gradeBand, bandSize: bandSize, firstGrade: firstGrade
      };
    }
    return starts[y];
  }

  /* Which bands each site teaches in a year, a bit a band, after all changes up to it. */
  function opened(y) {
    var out = start(y).opened.slice();
    state.what.forEach(function (c) { if (c.year <= y) { out[c.site] = c.bits; } });
    return out;
  }

  function active(y) { return state.what.some(function (c) { return c.year <= y; }); }
  function base(y) { return answer(y, "base", start(y).opened); }
  function now(y) { return answer(y, "now", opened(y)); }

  function answer(y, which, bits) {
    var key = y + which + state.minded;
    if (!answers.has(key)) { answers.set(key, W.answer(start(y), bits, state.minded)); }
    return answers.get(key);
  }

  function role(bits) {
    var code = !bits ? "closed" : bits === 1 ? "teaching_point" : null;
    if (!code) {
      var high = data.bands.some(function (b, k) { return bits & (1 << k) && b.from >= 7; }), low = data.bands.some(function (b, k) { return bits & (1 << k) && b.from < 7; });
      code = high && low ? "nine_year" : high ? "junior" : "complete";
    }
    return data.roles.indexOf(code);
  }

  function overlay(y) {
    var key = y + "overlay" + state.minded;
    if (!answers.has(key)) {
      var a = now(y), s = start(y), roles = at(data.plans.plan.role, y), places = at(data.plans.plan.places, y), today = at(data.plans.today.role, y);
      answers.set(key, {
        site: a.site.slice(0, nGroups), mode: a.mode.slice(0, nGroups), parts: partsOf(y, a, s), load: a.load, open: a.opened, rooms: s.rooms,
        role: roles.map(function (r, j) { return a.opened[j] === s.opened[j] ? r : a.opened[j] === T.today[j] && today[j] ? today[j] : role(a.opened[j]); }),
        places: places.map(function (p, j) {
          if (a.opened[j] === s.opened[j]) { return p; }
          var sum = 0;
          for (var b = 0; b < nBands; b++) { sum += a.places[j * nBands + b]; }
          return sum;
        }),
        classes: a.classes.map(function (list, j) {
          return list.reduce(function (out, c) { out.push(data.grades[c[0]], data.grades[c[1]], c[2]); return out; }, []);
        })
      });
    }
    return answers.get(key);
  }

  /* Children of a group who go elsewhere, in the trial: as in the run, unless their school no longer teaches them. */
  function partsOf(y, a, s) {
    var out = new Map(), flat = data.parts.plan[y], why = new Map();
    for (var k = 0; k < flat.length; k += 5) { why.set(flat[k] + "/" + flat[k + 1], flat[k + 3] ? "shared" : "kept"); }
    for (var i = nGroups; i < a.site.length; i++) {
      if (!s.demand[i]) { continue; }
      var g = group(i);
      if (!out.has(g)) { out.set(g, []); }
      out.get(g).push({ site: a.site[i], n: s.demand[i], why: why.get(g + "/" + s.site[i]) || "shared", m: a.mode[i] });
    }
    return out;
  }
  function group(i) { return villageOf(i) * nBands + i % nBands; }

  function trip(y, g, j, mode) {
    var x = travel(y).tenths(g, j);
    if (x >= W.unreached) { return { site: j, minutes: null, metres: null, over: false, mode: mode }; }
    return { site: j, minutes: x / 10, metres: null, over: x > T.limit[g % nBands] && mode !== "board", mode: mode };
  }

  /* Colours of catchments after the change: the run's, exchanged where neighbours would be alike. */
  function colours(y, b) {
    var key = y + "/" + b + state.minded;
    if (!inks.has(key)) {
      var out = at(data.colours.plan[b], y).slice(), site = now(y).site, was = start(y).site, touch = new Map(), fresh = new Set();
      site.forEach(function (j, i) { if (i % nBands === b && j >= 0 && j !== was[i]) { fresh.add(j); } });
      hub.edges.forEach(function (e) {
        if (e[5] < 0) { return; }
        var p = site[e[4] * nBands + b], q = site[e[5] * nBands + b];
        if (p < 0 || q < 0 || p === q) { return; }
        [[p, q], [q, p]].forEach(function (k) { if (!touch.has(k[0])) { touch.set(k[0], new Set()); } touch.get(k[0]).add(k[1]); });
      });
      fresh.forEach(function (j) {
        var taken = new Set(Array.from(touch.get(j) || []).map(function (k) { return out[k]; })), c = 0;
        if (!taken.has(out[j])) { return; }
        while (taken.has(c)) { c += 1; }
        out[j] = c;
      });
      inks.set(key, out);
    }
    return inks.get(key);
  }

  /* The nearest schools that teach the band, other than a group's own, with places left. */
  function nearest(y, g, b, own, most) {
    var bits = active(y) ? now(y).opened : start(y).opened, a = active(y) ? now(y) : base(y), road = travel(y), near = [];
    road.sites(b).forEach(function (j) {
      if (j !== own && bits[j] & (1 << b) && road.tenths(g, j) < W.unreached) { near.push([road.tenths(g, j), j]); }
    });
    near.sort(function (m, n) { return m[0] - n[0] || m[1] - n[1]; });
    return near.slice(0, most).map(function (n) {
      var load = 0, m = road.mode(g, n[1]);
      for (var k = 0; k < bandSize[b]; k++) { load += a.load[n[1] * nGrades + firstGrade[b] + k]; }
      return {
        site: n[1], tenths: n[0], mode: m < 0 ? "" : data.modes[m], over: n[0] > T.limit[b] && m !== boards,
        left: a.places[n[1] * nBands + b] - load, students: start(y).demand[g]
      };
    });
  }

  /* ---------------------------------------------------------------- what was changed */

  function set(list) {
    Array.from(answers.keys()).forEach(function (key) { if (key.indexOf("base") < 0) { answers.delete(key); } });
    inks.clear();
    var held = document.activeElement && document.activeElement.closest(".try-row, .trial-bar");
    hub.change({ what: list, view: state.view === "today" ? "plan" : state.view });
    /* The button pressed is gone: the focus goes to what can be done next, not to the top of the page. */
    var next = held && (document.querySelector(".try-row button") || hub.byId("panel"));
    if (next) { next.focus({ preventScroll: true }); }
  }

  function undo() { set(state.what.slice(0, -1)); }
  function reset() { set([]); }
  function put(j, bits, how) { set(state.what.concat([{ site: j, year: state.year, bits: bits, how: how }])); }

  function buttons(j) {
    var bits = opened(state.year)[j], today = T.today[j], most = today || T.may[j], list = [];
    var lower = (bits | most) & 1 && bits > 1 && !data.bands.some(function (b, k) { return bits & (1 << k) && b.from >= 7; });
    if (bits) { list.push(["close", 0]); }
    if (lower) { list.push(["point", 1]); }
    if (!bits && most > 1 && most & 1) { list.push(["open_point", 1]); }
    if (most && bits !== most && start(state.year).rooms[j] > 0) { list.push([bits ? "whole" : data.sites.school[j] ? "reopen" : "build", most]); }
    if (!list.length) { return null; }
    return el("section", { class: "try" }, el("h3", { text: t("map.try") }), el("p", { class: "quiet", text: t("map.try_note", { y: data.years[state.year] }) }),
      el("div", { class: "try-row" }, list.map(function (b) {
        return el("button", { type: "button", class: "try-" + b[0], "data-try": b[0], text: t("map.try_" + b[0]), onclick: function () { put(j, b[1], b[0]); } });
      }), state.what.length ? el("button", { type: "button", class: "plain", text: t("map.undo"), onclick: undo }) : null));
  }

  function line(c) { return [data.years[c.year] + " · ", name(data.sites.name[c.site]), " · " + t("map.did_" + c.how)]; }

  function banner() {
    var box = Catchment.empty(hub.byId("trial-bar"));
    box.hidden = !state.what.length;
    if (box.hidden) { return; }
    var last = state.what[state.what.length - 1], a = now(state.year), b = base(state.year);
    Catchment.el("span", {});
    box.appendChild(el("b", { text: t("map.trial_on", { n: state.what.length }) }));
    box.appendChild(el("span", { class: "last" }, line(last)));
    box.appendChild(el("span", { class: "short" }, t("map.trial_short", {
      m: count(a.moved), a: decimal(mean(b)), b: decimal(mean(a)), o: signed(a.over_limit - b.over_limit), p: signed(a.over_places - b.over_places)
    })));
    box.appendChild(el("span", { class: "acts" }, el("button", { type: "button", text: t("map.undo"), id: "undo", onclick: undo }),
      el("button", { type: "button", text: t("map.reset"), id: "reset", onclick: reset }),
      el("button", { type: "button", text: t("map.details"), onclick: function () { hub.tab("trial"); } })));
  }

  function mean(a) { return a.served ? a.student_tenths / a.served / 10 : null; }
  function signed(n) { return (n > 0 ? "+" : n < 0 ? "−" : "±") + count(Math.abs(n)); }

  function row(word, f, places) {
    var b = f(base(state.year)), a = f(now(state.year)), d = b === null || a === null ? null : Number(a.toFixed(places)) - Number(b.toFixed(places));
    return el("tr", {}, el("th", { scope: "row", text: t(word) }), el("td", { text: decimal(b, places) }), el("td", { class: "strong", text: decimal(a, places) }),
      el("td", { text: d === null ? "—" : Math.abs(d) < 0.05 ? "＝" : (d > 0 ? "▲ " : "▼ ") + decimal(Math.abs(d), places) }));
  }

  function movers() {
    var a = now(state.year), s = start(state.year), rows = [];
    a.site.forEach(function (j, i) { if (j !== s.site[i] && (i < nGroups || s.demand[i])) { rows.push([i, s.site[i], j, s.demand[i], a.tenths[i], s.site[i] >= 0 ? s.travel.tenths(i, s.site[i]) : W.unreached]); } });
    return rows.sort(function (m, n) { return n[4] - m[4] || m[0] - n[0]; });
  }

  /* Steps of a recipe; of several changes to one school in one year the last counts. */
  function recipe() {
    var last = new Map();
    state.what.forEach(function (c) { last.set(c.year + "/" + c.site, c); });
    return "# " + t("map.recipe_head") + "\n" + Array.from(last.values()).sort(function (a, b) { return a.year - b.year || a.site - b.site; }).map(function (c) {
      var id = JSON.stringify(data.sites.id[c.site]), was = start(c.year).opened[c.site], year = data.years[c.year], lines;
      if (was === c.bits) { return "# " + year + " " + data.sites.id[c.site] + ": " + t("map.recipe_same"); }
      var undone = was !== T.today[c.site] ? "# " + t("map.recipe_undo") + "\n" : "", candidate = !data.sites.school[c.site];
      if (!c.bits) { lines = ['do = "merge"', "year = " + year, "school = " + id]; }
      else if (candidate) { lines = ['do = "build"', "year = " + year, "site = " + id, "rooms = " + start(c.year).rooms[c.site]]; }
      else if (c.bits === 1 && was > 1) { lines = ['do = "downgrade"', "year = " + year, "school = " + id]; }
      else if (was) { lines = ['do = "keep"', "year = " + year, "school = " + id]; }
      else { lines = ['do = "reopen"', "year = " + year, "school = " + id]; }
      return undone + "[[action]]\n" + lines.join("\n") + "\nreason = " + JSON.stringify(t("map.recipe_reason"));
    }).join("\n\n") + "\n";
  }

  function page() {
    var minded = el("label", { class: "layer" }, el("input", {
      type: "checkbox", id: "minded", checked: state.minded,
      onchange: function (event) { hub.change({ minded: event.target.checked }); hub.byId("minded").focus(); }
    }), t("map.minded"));
    var split = data.parts.plan.some(function (p) { return p.length; }) ? el("p", { class: "callout", text: t("map.parts_trial") }) : null;
    if (!state.what.length) { return [el("h2", { text: t("map.tab_trial") }), el("p", { text: t("map.trial_how") }), split, el("p", { class: "quiet", text: t("map.trial_rule") }), minded]; }
    var y = state.year, a = now(y), list = movers(), text = el("textarea", { id: "recipe", readonly: true, rows: 9, spellcheck: "false", "aria-label": t("map.recipe") });
    text.value = recipe();
    return [
      el("h2", { text: t("map.trial_title", { y: data.years[y] }) }),
      split,
      el("ol", { class: "changes" }, state.what.map(function (c) { return el("li", {}, line(c)); })),
      el("div", { class: "try-row" }, el("button", { type: "button", class: "plain", text: t("map.undo"), onclick: undo }), el("button", { type: "button", class: "plain", text: t("map.reset"), onclick: reset })),
      minded,
      el("table", { class: "grid figures", id: "trial-figures" }, el("thead", {}, el("tr", {}, [t("map.measure"), t("map.plan"), t("map.trial"), t("map.diff")].map(function (h) { return el("th", { scope: "col", text: h }); }))),
        el("tbody", {}, row("map.t_mean", mean, 1), row("map.t_worst", function (x) { return x.worst / 10; }, 1), row("map.t_over_limit", function (x) { return x.over_limit; }, 0),
          row("map.t_moved", function (x) { return x.moved; }, 0), row("map.t_over_places", function (x) { return x.over_places; }, 0),
          row("map.t_large", function (x) { return x.large; }, 0), row("map.t_unserved", function (x) { return x.unserved; }, 0))),
      a.over.length ? el("details", { class: "more", open: true }, el("summary", { text: t("map.over_list", { n: a.over.length }) }), el("table", { class: "grid list" }, el("tbody", {}, a.over.slice().sort(function (m, n) { return n[2] - m[2]; }).slice(0, 60).map(function (o) {
        return el("tr", {}, el("th", { scope: "row" }, hub.go("site", o[0], data.sites.name[o[0]]), el("small", { text: hub.bandShort(o[1]) })), el("td", { class: "bad", text: "+" + count(o[2]) }));
      })))) : null,
      el("details", { class: "more", open: true }, el("summary", { text: t("map.movers", { n: list.length }) }), el("table", { class: "grid list" },
        el("thead", {}, el("tr", {}, [t("map.village"), t("map.minutes_then"), t("map.students")].map(function (h) { return el("th", { scope: "col", text: h }); }))), el("tbody", {}, list.slice(0, 150).map(function (r) {
          var v = villageOf(r[0]);
          return el("tr", {}, el("th", { scope: "row" }, hub.go("village", v, data.villages.name[v]), el("small", {}, hub.bandShort(r[0] % nBands) + " · ", name(hub.siteName(r[1])), " → ", name(hub.siteName(r[2])))),
            el("td", {}, (r[5] < W.unreached ? decimal(r[5] / 10) : "—") + " → ", el("b", { class: r[4] > T.limit[r[0] % nBands] ? "bad" : "", text: r[2] >= 0 ? decimal(r[4] / 10) : t("map.unserved") })), el("td", { text: count(r[3]) }));
        })))),
      el("details", { class: "more", open: true }, el("summary", { text: t("map.recipe") }), el("p", { class: "quiet", text: t("map.recipe_note") }), text,
        el("button", { type: "button", class: "wide", id: "copy", text: t("map.copy"), onclick: function () { text.focus(); text.select(); hub.byId("copy").textContent = document.execCommand("copy") ? t("map.copied") : t("map.copy_by_hand"); } })),
      el("p", { class: "quiet", text: t("map.trial_rule") })
    ];
  }

  /* For checks from outside: the answer to any set of open sites. */
  Catchment.reckon = function (y, bits, minded) { return W.answer(start(y), bits, minded); };

  function minutes(y, g, j) { var x = travel(y).tenths(g, j); return x >= W.unreached ? null : x / 10; }

  return {
    minutes: minutes, active: active, overlay: overlay, trip: trip, colours: colours, nearest: nearest, buttons: buttons, page: page, banner: banner, recipe: recipe,
    join: function (parts) { hub = parts; }
  };
};
