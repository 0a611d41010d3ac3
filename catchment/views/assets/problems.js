/* Map of the rows of the input that need attention. */
Catchment.problems = function (map, dataId) {
  "use strict";
  var el = Catchment.el, t = Catchment.t, name = Catchment.name, empty = Catchment.empty, D = Catchment.draw;
  var data = Catchment.read(dataId), byId = function (id) { return document.getElementById(id); }, chosen = -1;
  Catchment.speak(data.words, data.lang);
  var LOOK = { error: "#A3160F", warning: "#D39A00" };
  var spots = data.rows.map(function (r) { return r[9] === null ? null : [D.worldX(r[9]), D.worldY(r[10])]; });
  var placed = data.rows.filter(function (r) { return r[9] !== null; });
  var shape = data.outline.length ? D.decode([data.outline.length / 2].concat(data.outline.map(function (v, k) { return k < 2 ? v : v - data.outline[k - 2]; })), false) : null;

  var sheet = new D.Sheet(function (ctx, v) {
    if (shape) { ctx.beginPath(); D.trace(ctx, v, shape, 0, 0.5); ctx.closePath(); ctx.fillStyle = "#FBFAF6"; ctx.fill(); ctx.strokeStyle = "#6B7682"; ctx.stroke(); }
    data.rows.forEach(function (r, k) {
      if (!spots[k]) { return; }
      var x = spots[k][0] * v.k - v.x, y = spots[k][1] * v.k - v.y;
      ctx.beginPath();
      if (r[4] === "error") { ctx.rect(x - 5, y - 5, 10, 10); } else { ctx.arc(x, y, 5, 0, 2 * Math.PI); }
      ctx.fillStyle = LOOK[r[4]] || "#4A98BD"; ctx.fill(); ctx.lineWidth = 1.5; ctx.strokeStyle = "#fff"; ctx.stroke();
      if (k === chosen) { ctx.beginPath(); ctx.arc(x, y, 13, 0, 2 * Math.PI); ctx.lineWidth = 3; ctx.strokeStyle = "#0B3C6F"; ctx.stroke(); }
    });
  });
  if (placed.length) {
    var lon = placed.map(function (r) { return r[9] / 1e5; }), lat = placed.map(function (r) { return r[10] / 1e5; });
    map.fitBounds([[Math.min.apply(null, lat), Math.min.apply(null, lon)], [Math.max.apply(null, lat), Math.max.apply(null, lon)]], { padding: [40, 40], maxZoom: 13, animate: false });
  }
  sheet.addTo(map);

  function choose(k, fly) {
    chosen = k;
    sheet.redraw();
    document.querySelectorAll("article.finding").forEach(function (a, n) { a.classList.toggle("moved", n === k); });
    if (fly) { map.setView([data.rows[k][10] / 1e5, data.rows[k][9] / 1e5], Math.max(map.getZoom(), 11)); }
    else { document.querySelectorAll("article.finding")[k].scrollIntoView({ block: "center" }); }
  }

  map.on("click", function (event) {
    var k = Math.pow(2, map.getZoom()), p = map.containerPointToLayerPoint(event.containerPoint).add(map.getPixelOrigin()), best = -1, reach = 144;
    spots.forEach(function (s, n) { if (!s) { return; } var d = Math.pow(s[0] * k - p.x, 2) + Math.pow(s[1] * k - p.y, 2); if (d < reach) { reach = d; best = n; } });
    if (best >= 0) { choose(best, false); }
  });

  function layerName(code) { return Object.prototype.hasOwnProperty.call(data.layers, code) ? data.layers[code][Catchment.lang() === "zh" ? 0 : 1] : code; }

  /* What is not known of a row is left out, not told as an empty place. */
  function where(r) {
    var parts = [r[1] ? t("prob.row", { r: r[1] }) : null, r[2] ? [t("prob.column"), name(r[2])] : null, r[3] ? [t("prob.value"), name(r[3])] : null].filter(Boolean);
    return parts.length ? el("p", { class: "quiet" }, parts.map(function (p, k) { return [k ? t("prob.between") : "", p]; })) : null;
  }

  function build() {
    Catchment.label(document.body);
    document.title = t("prob.title");
    byId("lang").textContent = Catchment.lang() === "zh" ? "English" : "中文";
    var zh = Catchment.lang() === "zh";
    empty(byId("page")).appendChild(el("div", { class: "sheet" }, el("h2", { text: t("prob.count", { e: data.counts[0], w: data.counts[1], n: data.counts[2] }) }),
      el("p", { class: "quiet", text: t("prob.placed", { n: placed.length }) + (data.left_out ? t("prob.left_out", { n: data.left_out }) : "") }),
      data.rows.map(function (r, k) {
        return el("article", { class: "finding " + (r[4] === "error" ? "fail" : "unknown") + (k === chosen ? " moved" : "") }, el("p", { class: "badges" },
          el("span", { class: "badge " + (r[4] === "error" ? "res-fail" : "res-unknown"), text: t("prob." + (/^(error|warning)$/.test(r[4]) ? r[4] : "note")) }), " ", name(layerName(r[0])), r[11] ? [" · ", name(r[11])] : null),
        el("h3", {}, spots[k] ? el("button", { type: "button", class: "link", onclick: function () { choose(k, true); } }, name(zh ? r[5] : r[6])) : name(zh ? r[5] : r[6])),
        where(r),
        r[zh ? 7 : 8] ? el("p", { class: "why" }, name(r[zh ? 7 : 8])) : null);
      })));
  }
  byId("lang").addEventListener("click", function () { Catchment.speak(data.words, Catchment.lang() === "zh" ? "en" : "zh"); build(); });
  build();
  window.requestAnimationFrame(function () { window.requestAnimationFrame(function () { performance.mark("catchment:painted"); document.documentElement.setAttribute("data-ready", "1"); }); });
};
