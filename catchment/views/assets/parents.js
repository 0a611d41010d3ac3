/* The parents' page: find a village, read its sheet, print it. */
(function () {
  "use strict";
  var el = Catchment.el, t = Catchment.t, name = Catchment.name, decimal = Catchment.decimal, empty = Catchment.empty;
  var data = Catchment.read("parents-data"), byId = function (id) { return document.getElementById(id); }, open = -1;
  var NONE = -1, FEWER = -10, WITHHELD = -20;
  Catchment.speak(data.words, data.lang);

  function lang() { return Catchment.lang(); }
  function bandName(b) { return b[lang()] || b.id; }
  function siteName(j) { return j >= 0 ? name(data.sites[j]) : t("par.no_school"); }

  function classSize(n) { return n === FEWER ? t("par.fewer", { n: data.limit }) : n === WITHHELD ? t("par.not_told") : n <= NONE ? "—" : t("par.at_most", { n: n }); }

  function distance(band) {
    var from = data.distances[band], to = data.distances[band + 1];
    return band < 0 ? "—" : to === undefined ? t("par.km_over", { a: from }) : from ? t("par.km_band", { a: from, b: to }) : t("par.km_under", { b: to });
  }

  function people(n) { return n === FEWER ? t("par.not_told") : t("par.about", { n: n }); }

  /* All that the proposal has for a band, in order: the years before its first change are as today. */
  function stages(v, b) {
    var steps = data.steps[v * data.bands.length + b], first = data.years[0], out = [];
    steps.forEach(function (s, k) {
      var next = steps[k + 1];
      if (k === 0 && (!next || !next[0] || next[0] <= first)) { return; }
      out.push({ s: s, band: b, from: s[0] || first, to: next ? next[0] : 0 });
    });
    (data.shared[v * data.bands.length + b] || []).forEach(function (s) { out.push({ s: s, band: b, from: s[0], to: 0 }); });
    return out;
  }

  function when(g) {
    return g.from > data.years[0] ? t(g.to ? "par.when_span" : "par.when_from", { y: g.from, z: g.to }) : g.to ? t("par.when_until", { z: g.to }) : "";
  }

  /* What parents ask, answered where the data answers and said to be undecided where it does not. */
  function answers(v) {
    var n = data.bands.length, out = [], all = [], moved = [], sites = [];
    for (var b = 0; b < n; b++) {
      var here = data.steps[v * n + b][0][1];
      stages(v, b).forEach(function (g) {
        var j = g.s[1];
        all.push(g);
        if (j >= 0 && j !== here && moved.indexOf(j) < 0) { moved.push(j); }
        if (j >= 0 && sites.indexOf(j) < 0) { sites.push(j); }
      });
    }
    function by(kind) { return all.filter(function (g) { return g.s[4] >= 0 && data.modes[g.s[4]].indexOf(kind) === 0; }); }
    function line(g, more) { return el("p", {}, bandName(data.bands[g.band]) + t("par.colon"), siteName(g.s[1]), when(g), " ", more); }
    function add(q, parts) { out.push([el("dt", { text: t("par.ask_" + q) }), el("dd", {}, parts)]); }
    var bus = by("bus"), board = by("board");
    add("bus", bus.length ? [el("p", { text: t("par.ans_bus") }), bus.map(function (g) { return line(g); }), undecided("par.ans_bus_open")] : by("walk").length ? t("par.ans_walk") : t("par.ans_no_bus"));
    add("safe", undecided("par.ans_safe_open"));
    add("board", board.length ? [el("p", { text: t("par.ans_board") }), board.map(function (g) { return line(g, beds([g.s[1]])); }), undecided("par.ans_board_open")] : t("par.ans_no_board"));
    add("class", all.map(function (g) {
      if (g.s[1] < 0 || g.s[5] === NONE) { return null; }
      /* A band that keeps its school has one stage: its classes of today and of the last year. */
      var now = g.s[0] ? null : data.steps[v * n + g.band][0];
      if (now && now[5] !== g.s[5]) {
        return line(g, [t("par.now_then", { a: classSize(now[5]), y: data.years[data.years.length - 1], b: classSize(g.s[5]) }),
          el((now[6] | g.s[6]) & 2 ? "b" : "span", { class: (now[6] | g.s[6]) & 2 ? "warn" : "", text: t("par.within_standard", { n: data.standard[g.band] }) })]);
      }
      return line(g, [classSize(g.s[5]),
        g.s[6] & 2 ? el("b", { class: "warn", text: t("par.above_standard", { n: data.standard[g.band] }) }) : t("par.within_standard", { n: data.standard[g.band] })]);
    }));
    add("lunch", [sites.map(function (j) { return data.dining[j] < 0 ? null : el("p", {}, siteName(j), t("par.seats", { n: data.dining[j] })); }), undecided("par.ans_lunch_open")]);
    add("first", moved.length ? moved.map(function (j) {
      var built = data.works.filter(function (w) { return w[2] === j && ["build", "expand", "reopen"].indexOf(w[1]) >= 0; });
      return el("p", {}, built.length ? built.map(function (w) { return el("span", {}, workText(w), " "); }) : [siteName(j), t("par.ans_nothing_built")]);
    }) : t("par.ans_no_move"));
    out.push([el("dt", {}, ["teachers", "building", "return"].map(function (q) { return t("par.ask_" + q) + " "; })), el("dd", {}, undecided("par.undecided"))]);
    return el("section", { class: "band asked" }, el("h3", { text: t("par.asked") }), el("dl", { class: "qa" }, out));
  }

  function undecided(key) { return el("span", { class: "tagged", text: t(key) }); }
  function beds(sites) { return sites.map(function (j) { return data.beds[j] < 0 ? null : t("par.beds", { n: data.beds[j] }); }); }

  function card(title, s, fresh, limit, before, then) {
    var longer = before && s[2] !== null && before[2] !== null && s[2] - before[2] > 0.05 ? s[2] - before[2] : 0;
    return el("div", { class: "card" + (fresh ? " new" : "") }, el("h4", { text: title }),
      el("span", { class: "school" }, siteName(s[1])),
      s[1] < 0 ? el("p", { class: "warn", text: t("par.no_school_yet") }) : [el("dl", {},
        el("dt", { text: t("par.how") }), el("dd", { text: s[4] >= 0 ? t("mode." + data.modes[s[4]]) : "—" }),
        el("dt", { text: t("par.time") }), el("dd", { text: s[2] === null ? t("par.no_way") : t("par.min", { n: decimal(s[2]) }) }),
        el("dt", { text: t("par.distance") }), el("dd", { text: distance(s[3]) }),
        el("dt", { text: t("par.class_size") }), el("dd", { text: then ? t("par.now_then", { a: classSize(s[5]), y: data.years[data.years.length - 1], b: classSize(then[5]) }) : classSize(s[5]) })),
      longer ? el("p", { class: "warn", text: t("par.longer", { n: decimal(longer) }) }) : null,
      s[6] & 1 ? el("p", { class: "warn", text: t("par.over", { n: decimal(limit, 0) }) }) : null]);
  }

  function bandPart(v, b) {
    var steps = data.steps[v * data.bands.length + b], band = data.bands[b], today = steps[0], later = steps.slice(1);
    var same = later.length === 1 && later[0][0] === 0, moved = later.some(function (s) { return s[1] !== today[1]; });
    var others = data.shared[v * data.bands.length + b] || [];
    var verdict = others.length ? t("par.shared") : same ? t("par.same") : moved ? t("par.changes", { y: later[0][0] }) : t("par.same_school", { y: later[0][0] });
    return el("section", { class: "band" }, el("h3", { text: bandName(band) }), el("p", { class: "verdict" + (moved || others.length ? " change" : ""), text: verdict }),
      el("div", { class: same ? "pair single" : "pair" }, card(same ? t("par.today_and_then") : t("par.today"), today, false, band.limit, null, same && later[0][5] !== today[5] ? later[0] : null),
        same ? null : later.map(function (s) { return card(t("par.from_year", { y: s[0] }), s, true, band.limit, today); }),
        others.map(function (s) { return card(t("par.shared_other") + " · " + t("par.from_year", { y: s[0] }), s, true, band.limit, today); })),
      others.length ? el("p", { class: "small", text: t("par.shared_who") }) : null,
      data.stays && (moved || others.length) ? el("p", { class: "small", text: t("par.stays") }) : null);
  }

  function work(w) { return el("li", {}, workText(w)); }
  function workText(w) {
    var words = { y: w[0], n: w[3] }, line = t("par.work_" + w[1], words), parts = line.split("{s}");
    if (w[1] === "role") { parts = t("par.work_role", { y: w[0], r: t("role." + roles[w[3]]) }).split("{s}"); }
    return [parts[0], parts.length > 1 ? siteName(w[2]) : null, parts[1] || ""];
  }
  var roles = ["closed", "central", "complete", "teaching_point", "junior", "nine_year"];

  function concerns(v) {
    var sites = [], n = data.bands.length;
    for (var b = 0; b < n; b++) { data.steps[v * n + b].concat(data.shared[v * n + b] || []).forEach(function (s) { if (s[1] >= 0) { sites.push(s[1]); } }); }
    return data.works.filter(function (w) { return w[2] < 0 || sites.indexOf(w[2]) >= 0; });
  }

  /* What is open at the schools of the village, today's too, where it closes: a line a kind. */
  function pending(v) {
    var sites = [], n = data.bands.length, zh = lang() === "zh";
    for (var b = 0; b < n; b++) { data.steps[v * n + b].concat(data.shared[v * n + b] || []).forEach(function (s) { sites.push(s[1]); }); }
    var lines = ["fail", "evidence", "unknown"].map(function (kind) {
      var mine = data.open.filter(function (o) { return o[0] === kind && o[6].some(function (j) { return sites.indexOf(j) >= 0; }); });
      return mine.length ? el("p", {}, el("b", { text: t("par.open_" + kind + "_here") }), mine.map(function (o, k) { return [k ? t("par.semicolon") : "", name(zh ? o[1] : o[2])]; })) : null;
    }).filter(Boolean);
    return lines.length ? el("section", { class: "band pending" }, el("h3", { text: t("par.open_here") }), lines) : null;
  }

  function sheet(v) {
    var village = data.villages[v], works = concerns(v);
    return [el("h2", {}, name(village.name)), el("p", { class: "town" }, name(village.town)),
      el("p", { class: "small" }, t("par.students_of", { y: data.students.year }), people(data.students.villages[v]), t("par.town_total"), people(data.students.towns[village.town])),
      data.bands.map(function (b, k) { return bandPart(v, k); }),
      works.length ? el("section", { class: "band" }, el("h3", { text: t("par.first") }), el("ul", {}, works.map(work))) : null,
      pending(v), answers(v),
      el("p", { class: "small", text: t("par.time_note") + t("par.years_note", { y: data.years.join(t("map.comma")) }) })];
  }

  function respond() {
    function line(key) {
      return el("li", {}, t("par.notice_" + key), data.notice[key] ? name(data.notice[key]) : el("span", { class: "blank", text: "\u00a0" }));
    }
    return [el("h2", { text: t("par.respond") }), el("p", { text: t("par.respond_text") }), el("ul", {}, ["until", "place", "contact", "phone"].map(line))];
  }

  function common() {
    var box = empty(byId("common")), zh = lang() === "zh";
    var built = data.works.filter(function (w) { return ["build", "reopen", "expand", "road"].indexOf(w[1]) >= 0; });
    var changed = data.works.filter(function (w) { return built.indexOf(w) < 0; });
    box.appendChild(el("div", { class: "block" }, el("h2", { text: t("par.built") }),
      el("h3", { text: t("par.built_first") }), built.length ? el("ul", {}, built.map(work)) : el("p", { text: t("par.built_none") }),
      changed.length ? el("details", { open: changed.length < 9 }, el("summary", { text: t("par.changed", { n: changed.length }) }), el("ul", {}, changed.map(work))) : el("p", { text: t("par.changed_none") }),
      data.moves.length ? el("p", { id: "moves", text: t("par.moves", { l: data.moves.map(function (m) { return t("par.moves_year", { y: m[0], n: m[1] }); }).join(t("map.comma")) }) }) : null));
    function of(result) { return data.open.filter(function (o) { return o[0] === result; }); }
    box.appendChild(el("div", { class: "block" }, el("h2", { text: t("par.open") }),
      data.open.length ? [el("p", { text: t("par.open_rest", { y: data.focus, a: of("fail").length, b: of("evidence").length, c: of("unknown").length }) }),
        el("details", { id: "open-list" }, el("summary", { text: t("par.open_list") }), openPart(of("fail"), "par.open_fail"), openPart(of("evidence"), "par.open_evidence"), openPart(of("unknown"), "par.open_unknown"))]
        : el("p", { text: t("par.open_none") })));
    function openPart(list, title) {
      return list.length ? [el("h3", { text: t(title, { n: list.length }) }), el("ul", {}, list.map(function (o) {
        return el("li", {}, name(zh ? o[1] : o[2]), o[5] > 1 ? t("par.cases", { n: o[5] }) : "", " ", el("span", { class: "small" }, name(zh ? o[3] : o[4])));
      }))] : null;
    }
    box.appendChild(el("div", { class: "block" }, el("h2", { text: t("par.questions") }), el("p", { class: "small", text: t("par.questions_text") }),
      el("ul", {}, ["bus", "board", "lunch", "teachers", "building", "return"].map(function (q) { return el("li", { text: t("par.q_" + q) }); }))));
    box.appendChild(el("div", { class: "block" }, respond()));
  }

  function show(v) {
    open = v;
    var box = empty(byId("answer"));
    if (v < 0) { return; }
    box.appendChild(el("article", { class: "village" }, sheet(v), el("div", { class: "act" },
      el("button", { type: "button", id: "print-one", text: t("par.print_one"), onclick: function () { print([v]); } }),
      el("button", { type: "button", id: "print-town", onclick: function () { print(townOf(data.villages[v].town)); } }, t("par.print_town"), name(data.villages[v].town))),
    el("p", { class: "sign", text: t("par.sign") })));
  }

  function townOf(town) {
    var out = [];
    data.villages.forEach(function (v, k) { if (v.town === town) { out.push(k); } });
    return out;
  }

  function print(list) {
    var box = empty(byId("sheets"));
    list.forEach(function (v) {
      box.appendChild(el("article", { class: "village" }, el("p", { class: "small" }, name(data.county), " · ", t("par.title"), " ", name(data.scenario), data.note ? " · " : "", name(Catchment.half(data.note))),
        sheet(v), respond(), el("p", { class: "sign", text: t("par.sign") }), el("p", { class: "small", text: t("par.draft") }), el("p", { class: "small standing", text: stamp() })));
    });
    document.body.classList.toggle("many", list.length > 0);
    fit(box);
    window.print();
  }
  /* The largest type in which a sheet stays on its one page: the rules of paper are put on the screen
     and each sheet is measured. Below 9 pt goes only what else would need a second page. */
  var SIZES = [11.5, 11, 10.5, 10, 9.5, 9, 8.5, 8, 7.5, 7], PAPER = { wide: 184, tall: 277 };
  function fit(box) {
    var there = window.scrollY, rules = [];
    Array.prototype.forEach.call(document.styleSheets, function (sheetOf) {
      Array.prototype.forEach.call(sheetOf.cssRules, function (rule) { if (rule.media) { rules.push([rule, rule.media.mediaText]); } });
    });
    /* What is meant for paper, and nothing that is meant for the width of this screen. */
    rules.forEach(function (r) { r[0].media.mediaText = r[1] === "print" ? "all" : "not all"; });
    box.style.width = PAPER.wide + "mm";
    var most = box.offsetWidth / PAPER.wide * PAPER.tall, left = Array.prototype.slice.call(box.children);
    SIZES.forEach(function (size) {
      left.forEach(function (one) { one.style.setProperty("--pt", size); one.style.setProperty("--least", Math.min(size, 9) + "pt"); one.classList.toggle("tight", size <= 10); });
      left = left.filter(function (one) { return one.offsetHeight > most; });
    });
    box.style.width = "";
    rules.forEach(function (r) { r[0].media.mediaText = r[1]; });
    window.scrollTo(0, there);
  }

  window.addEventListener("afterprint", function () { document.body.classList.remove("many"); empty(byId("sheets")); });

  function towns() {
    var box = empty(byId("towns")), seen = [];
    data.villages.forEach(function (v) { if (seen.indexOf(v.town) < 0) { seen.push(v.town); } });
    seen.sort().forEach(function (town) {
      box.appendChild(el("details", {}, el("summary", {}, name(town)), el("div", { class: "chips" }, townOf(town).map(function (v) {
        return el("button", { type: "button", onclick: function () { go(v); } }, name(data.villages[v].name));
      }))));
    });
    box.appendChild(el("div", { class: "act" }, el("button", { type: "button", id: "print-all", text: t("par.print_all", { n: data.villages.length }),
      onclick: function () { print(data.villages.map(function (v, k) { return k; })); } })));
  }

  function go(v) {
    show(v);
    byId("browse").open = false;
    byId("answer").focus({ preventScroll: true });
    byId("answer").scrollIntoView({ block: "start" });
  }

  function stamp() {
    return [data.standing[lang()], Catchment.half(data.note), data.sources[lang()], data.rules[lang()], data.crs,
      data.digest ? t("map.stamp_digest", { d: data.digest }) : "", t("map.stamp_seed", { s: data.seed })].filter(Boolean).join(" · ");
  }

  function build() {
    Catchment.label(document.body);
    document.title = data.county + " · " + t("par.title");
    byId("county").textContent = data.county;
    byId("scenario").textContent = data.scenario;
    byId("note").textContent = Catchment.half(data.note);
    byId("note").hidden = !data.note;
    byId("lang").textContent = lang() === "zh" ? "English" : "中文";
    byId("stamp").textContent = stamp();
    towns();
    common();
    show(open);
  }

  byId("lang").addEventListener("click", function () { Catchment.speak(data.words, lang() === "zh" ? "en" : "zh"); build(); });
  build();
  var items = data.villages.map(function (v, k) { return { kind: "village", k: k, name: v.name, where: v.town, code: v.id }; });
  Catchment.searchBox(byId("find"), byId("found"), Catchment.finder(items, 40), function (item) { go(item.k); });
  window.requestAnimationFrame(function () {
    window.requestAnimationFrame(function () { performance.mark("catchment:painted"); document.documentElement.setAttribute("data-ready", "1"); });
  });
})();
