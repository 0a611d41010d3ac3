/* Counties of a batch: a map coloured by findings that fail, and their ranking beside it. */
Catchment.province = function (map, dataId) {
  "use strict";
  var el = Catchment.el, t = Catchment.t, name = Catchment.name, empty = Catchment.empty, D = Catchment.draw;
  var data = Catchment.read(dataId), byId = function (id) { return document.getElementById(id); }, chosen = -1;
  Catchment.speak(data.words, data.lang);
  var SHADES = ["#DCEEF4", "#92C7DC", "#4A98BD", "#CC5A1B", "#6E1C00"];
  var FIGURES = ["hard", "fail", "unknown", "students", "over", "large", "short", "mean", "year", "abroad", "guests"];
  var done = data.rows.filter(function (r) { return r.state === "done"; });
  var shapes = data.rows.map(function (r) { return r.outline.length ? D.decode(r.outline, false) : null; });
  var west = 180, east = -180, south = 90, north = -90;
  shapes.forEach(function (shape) {
    if (!shape) { return; }
    for (var k = 0; k < shape.raw.length; k += 2) {
      west = Math.min(west, shape.raw[k] / 1e5); east = Math.max(east, shape.raw[k] / 1e5);
      south = Math.min(south, shape.raw[k + 1] / 1e5); north = Math.max(north, shape.raw[k + 1] / 1e5);
    }
  });

  /* Fifths of the counties: the darkest have most that fails; equal counts have one colour. */
  function fails(a, b) { return (a.figures[0] || 0) - (b.figures[0] || 0) || (a.figures[1] || 0) - (b.figures[1] || 0); }
  function shade(r) {
    if (r.rank === null) { return "#9AA3AC"; }
    if (!r.figures[0] && !r.figures[1]) { return SHADES[0]; }
    var more = 0, same = 0;
    done.forEach(function (other) { var d = fails(other, r); if (d > 0) { more++; } else if (d === 0) { same++; } });
    return SHADES[4 - Math.min(4, Math.floor(5 * (more + same / 2) / Math.max(done.length, 1)))];
  }

  var sheet = new D.Sheet(function (ctx, v) {
    data.rows.forEach(function (r, n) {
      if (!shapes[n]) { return; }
      ctx.beginPath(); D.trace(ctx, v, shapes[n], 0, 0.5); ctx.closePath();
      ctx.globalAlpha = 0.75; ctx.fillStyle = shade(r); ctx.fill(); ctx.globalAlpha = 1;
      ctx.lineWidth = n === chosen ? 4 : 1.2; ctx.strokeStyle = n === chosen ? "#0B3C6F" : "#1D2733"; ctx.stroke();
      ctx.fillStyle = "#1D2733";
      for (var k = 0; k < r.points.length; k += 2) {
        ctx.fillRect(D.worldX(r.points[k]) * v.k - v.x - 1, D.worldY(r.points[k + 1]) * v.k - v.y - 1, 2, 2);
      }
    });
    /* Children whom a neighbouring county takes in: from the village to the school. */
    ctx.strokeStyle = "#6B1FA8"; ctx.lineWidth = 2; ctx.setLineDash([6, 4]);
    data.links.forEach(function (link) {
      var l = link.line, x = D.worldX(l[2]) * v.k - v.x, y = D.worldY(l[3]) * v.k - v.y;
      ctx.beginPath(); ctx.moveTo(D.worldX(l[0]) * v.k - v.x, D.worldY(l[1]) * v.k - v.y); ctx.lineTo(x, y); ctx.stroke();
      ctx.fillStyle = "#6B1FA8"; ctx.fillRect(x - 4, y - 4, 8, 8);
    });
    ctx.setLineDash([]);
    data.rows.forEach(function (r, n) {
      if (!shapes[n]) { return; }
      var b = shapes[n].box, x = (b[0] + b[2]) / 2 * v.k - v.x, y = (b[1] + b[3]) / 2 * v.k - v.y;
      ctx.font = "bold 13px sans-serif"; ctx.textAlign = "center"; ctx.lineWidth = 4; ctx.strokeStyle = "#fff"; ctx.fillStyle = "#1D2733";
      var words = r.rank + " " + (r.county || r.name);
      ctx.strokeText(words, x, y); ctx.fillText(words, x, y);
    });
  });
  if (west < east) { map.fitBounds([[south, west], [north, east]], { padding: [30, 30], animate: false }); }
  sheet.addTo(map);

  function choose(n, fly) {
    chosen = n;
    sheet.redraw();
    var cards = document.querySelectorAll("article.finding");
    cards.forEach(function (a, k) { a.classList.toggle("moved", k === n); });
    if (fly && shapes[n]) {
      var raw = shapes[n].raw;
      map.setView([raw[1] / 1e5, raw[0] / 1e5], Math.max(map.getZoom(), 9), { animate: false });
    } else { cards[n].scrollIntoView({ block: "center" }); }
  }
  map.on("click", function (event) {
    var k = Math.pow(2, map.getZoom()), p = map.containerPointToLayerPoint(event.containerPoint).add(map.getPixelOrigin());
    for (var n = 0; n < shapes.length; n++) {
      if (shapes[n] && D.inside(shapes[n], p.x / k, p.y / k)) { choose(n, false); return; }
    }
  });

  function figure(value, k) {
    if (value === null) { return null; }
    return el("li", {}, t("prov." + FIGURES[k], { n: k === 7 ? value.toFixed(1) : (k === 8 ? String(value) : Catchment.count(value)) }));
  }
  function build() {
    Catchment.label(document.body);
    document.title = t("prov.title");
    byId("lang").textContent = Catchment.lang() === "zh" ? "English" : "中文";
    empty(byId("page")).appendChild(el("div", { class: "sheet" },
      el("h2", { text: t("prov.count", { n: done.length, m: data.rows.length }) }),
      el("p", { class: "quiet", text: t("prov.legend") }),
      data.links.length ? [el("p", { class: "quiet", text: t("prov.links") }), el("ul", {}, data.links.map(function (l) {
        return el("li", {}, name(l.county + " " + l.village + " → " + l.host + " " + l.school + " "), t("prov.linked", { n: Catchment.count(l.students) }));
      }))] : null,
      data.left.all ? el("p", { class: "left" }, t("prov.left_whole", { n: Catchment.count(data.left.all), m: Catchment.count(data.left.whole) })) : null,
      data.left.cut.length ? [el("p", { class: "why" }, t("prov.left_cut")), el("ul", { class: "left" }, data.left.cut.map(function (c) {
        return el("li", {}, name(c.county + " " + c.school + " "), t("map.grades", { a: c.from, b: c.to }) + " ", name(c.cut_off_villages + " "), t("prov.left_students", { n: Catchment.count(c.students) }));
      }))] : null,
      data.rows.map(function (r, n) {
        var bad = r.state !== "done";
        return el("article", { class: "finding " + (bad ? "fail" : "unknown") + (n === chosen ? " moved" : "") },
          el("p", { class: "badges" }, el("span", { class: "badge " + (bad ? "res-fail" : "res-unknown"), text: bad ? t("prov." + r.state) : t("prov.rank", { n: r.rank }) }), name(r.name)),
          el("h3", {}, el("button", { type: "button", class: "link", onclick: function () { choose(n, true); } }, name(r.county || r.name))),
          bad ? null : el("ul", {}, r.figures.map(figure)),
          r.said ? el("p", { class: "why" }, name(r.said)) : null);
      })));
  }
  byId("lang").addEventListener("click", function () { Catchment.speak(data.words, Catchment.lang() === "zh" ? "en" : "zh"); build(); });
  build();
  window.requestAnimationFrame(function () { window.requestAnimationFrame(function () { performance.mark("catchment:painted"); document.documentElement.setAttribute("data-ready", "1"); }); });
};
