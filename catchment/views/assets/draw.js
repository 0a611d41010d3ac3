/* Drawing on canvas sheets above a Leaflet map: cells, roads, borders, villages, schools, labels. */
Catchment.draw = (function () {
  "use strict";
  var LADDER = ["#0B3C6F", "#C4622D", "#7FB8E0", "#F5E6A8"];
  var WITHIN = ["#DCEEF4", "#92C7DC", "#4A98BD"], OVER = ["#CC5A1B", "#6E1C00"];
  var CHANGE = ["#2C6FB0", "#A5CBE6", "#F4F3EF", "#F2B68C", "#C4511A"];
  var INK = "#1D2733", PAPER = "#FFFFFF", NAVY = "#0B3C6F", ALARM = "#A3160F";
  var ROADS = [[2.5, "#EBD7A4", "#A58B55"], [1.9, "#F3E6C6", "#AFA078"], [1.3, "#FFFFFF", "#ABA79D"],
    [0.8, null, "#B4B0A6"], [0.6, null, "#C9C5BB"]];

  function worldX(x) { return (x / 1e5 / 360 + 0.5) * 256; }
  function worldY(y) {
    var s = Math.sin(Math.max(-85, Math.min(85, y / 1e5)) * Math.PI / 180);
    return (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * 256;
  }

  /* Lines from counts and steps; with `chain`, each line starts where the one before ended. */
  function decode(flat, chain) {
    var points = 0, lines = 0, k = 0;
    while (k < flat.length) { points += flat[k]; lines += 1; k += 1 + 2 * flat[k]; }
    var xy = new Float64Array(points * 2), start = new Int32Array(lines + 1),
      box = new Float64Array(lines * 4), raw = new Int32Array(points * 2), x = 0, y = 0, p = 0;
    k = 0;
    for (var i = 0; i < lines; i++) {
      var n = flat[k++];
      if (!chain) { x = 0; y = 0; }
      var w = Infinity, s = Infinity, e = -Infinity, b = -Infinity;
      for (var j = 0; j < n; j++, p++) {
        x += flat[k++]; y += flat[k++];
        raw[2 * p] = x; raw[2 * p + 1] = y;
        var X = worldX(x), Y = worldY(y);
        xy[2 * p] = X; xy[2 * p + 1] = Y;
        if (X < w) { w = X; } if (X > e) { e = X; } if (Y < s) { s = Y; } if (Y > b) { b = Y; }
      }
      start[i + 1] = p;
      box[4 * i] = w; box[4 * i + 1] = s; box[4 * i + 2] = e; box[4 * i + 3] = b;
    }
    return { xy: xy, start: start, box: box, raw: raw, lines: lines };
  }

  /* While held, sheets take their place and size but are not drawn. */
  var held = false;
  var Sheet = L.Renderer.extend({
    options: { padding: 0.12 },
    initialize: function (paint, options) {
      this._paint = paint;
      L.Renderer.prototype.initialize.call(this, options);
    },
    _initContainer: function () {
      this._container = document.createElement("canvas");
      this._container.setAttribute("aria-hidden", "true");
    },
    _destroyContainer: function () { this._container.remove(); this._container = null; },
    _updatePaths: function () {},
    _update: function () {
      if (this._map._animatingZoom && this._bounds) { return; }
      L.Renderer.prototype._update.call(this);
      var size = this._bounds.getSize(), ratio = Math.min(window.devicePixelRatio || 1, 2), c = this._container;
      L.DomUtil.setPosition(c, this._bounds.min);
      if (c.width !== Math.round(size.x * ratio) || c.height !== Math.round(size.y * ratio)) {
        c.width = Math.round(size.x * ratio); c.height = Math.round(size.y * ratio);
        c.style.width = size.x + "px"; c.style.height = size.y + "px";
      }
      this._ratio = ratio;
      this.redraw();
    },
    /* What is drawn, in one text: a sheet whose picture would be the same is left as it is. */
    _place: function () { return [this._map.getZoom(), this._bounds.min, this._bounds.max, this._ratio].join(); },
    refresh: function (picture) {
      if (held || !this._map || !this._bounds || this._drawn === this._place() + picture) { return; }
      this.redraw();
      this._drawn = this._place() + picture;
    },
    redraw: function () {
      this._drawn = null;
      if (held || !this._map || !this._bounds) { return; }
      var ctx = this._container.getContext("2d"), size = this._bounds.getSize(),
        zoom = this._map.getZoom(), origin = this._map.getPixelOrigin().add(this._bounds.min);
      ctx.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
      ctx.clearRect(0, 0, size.x, size.y);
      var p = this.options.padding / (1 + 2 * this.options.padding);
      this._paint(ctx, { k: Math.pow(2, zoom), x: origin.x, y: origin.y, w: size.x, h: size.y, zoom: zoom, inX: size.x * p, inY: size.y * p });
    }
  });

  /* Add one line to the current path, leaving out points nearer than `gap` pixels to the last. */
  function trace(ctx, v, shape, i, gap) {
    var a = shape.start[i], b = shape.start[i + 1], xy = shape.xy, px = 0, py = 0;
    for (var p = a; p < b; p++) {
      var x = xy[2 * p] * v.k - v.x, y = xy[2 * p + 1] * v.k - v.y;
      if (p === a) { ctx.moveTo(x, y); }
      else if (p < b - 1 && Math.abs(x - px) < gap && Math.abs(y - py) < gap) { continue; }
      else { ctx.lineTo(x, y); }
      px = x; py = y;
    }
  }

  function seen(v, shape, i) {
    var b = shape.box;
    return b[4 * i] * v.k - v.x < v.w && b[4 * i + 2] * v.k - v.x > 0 &&
      b[4 * i + 1] * v.k - v.y < v.h && b[4 * i + 3] * v.k - v.y > 0;
  }

  /* Geometry of the whole county, decoded once and shared by both maps. */
  function ground(data) {
    var g = { roads: [], towns: [], county: [] };
    g.roads = data.roads.map(function (r) {
      return { rank: r.rank, hazard: r.hazard, shape: decode(r.line, true) };
    });
    g.towns = data.townships.map(function (o) {
      return { name: o.name, at: o.at.length ? [worldX(o.at[0]), worldY(o.at[1])] : null, shape: decode(o.rings, false) };
    });
    g.county = data.outline.map(function (o) { return decode(o.rings, false); });
    g.cells = data.cells.map(function (c) { return decode(c, false); });
    g.villages = data.villages.at.map(function (p) { return p.length ? [worldX(p[0]), worldY(p[1])] : null; });
    g.sites = data.sites.at.map(function (p) { return p.length ? [worldX(p[0]), worldY(p[1])] : null; });
    g.edges = edges(g.cells);
    g.borders = borders(g.edges);
    return g;
  }

  /* Edges between the same two cells laid end to end: one line is drawn quicker than its pieces. */
  function borders(list) {
    var pairs = new Map();
    list.forEach(function (e) {
      if (e[5] < 0) { return; }
      var key = e[4] < e[5] ? e[4] + "," + e[5] : e[5] + "," + e[4];
      if (!pairs.has(key)) { pairs.set(key, []); }
      pairs.get(key).push(e);
    });
    var out = [];
    pairs.forEach(function (own) {
      var ends = new Map(), used = new Set();
      own.forEach(function (e) {
        [e[0] + "," + e[1], e[2] + "," + e[3]].forEach(function (k) {
          if (!ends.has(k)) { ends.set(k, []); }
          ends.get(k).push(e);
        });
      });
      function walk(x, y) {
        var line = [x, y], next;
        function free(e) { return !used.has(e); }
        while ((next = ends.get(x + "," + y).find(free))) {
          used.add(next);
          if (next[0] === x && next[1] === y) { x = next[2]; y = next[3]; } else { x = next[0]; y = next[1]; }
          line.push(x, y);
        }
        if (line.length > 2) { out.push([own[0][4], own[0][5], line]); }
      }
      /* From loose ends first; what is left are rings. */
      own.forEach(function (e) {
        if (ends.get(e[0] + "," + e[1]).length === 1) { walk(e[0], e[1]); }
        if (ends.get(e[2] + "," + e[3]).length === 1) { walk(e[2], e[3]); }
      });
      own.forEach(function (e) { if (!used.has(e)) { walk(e[0], e[1]); } });
    });
    return out;
  }

  /* Edges of cells with the cells on both sides (-1 outside), keyed by their rounded ends. */
  function edges(cells) {
    var found = new Map();
    cells.forEach(function (shape, c) {
      for (var i = 0; i < shape.lines; i++) {
        for (var p = shape.start[i]; p < shape.start[i + 1] - 1; p++) {
          var a = shape.raw[2 * p] + "," + shape.raw[2 * p + 1],
            b = shape.raw[2 * p + 2] + "," + shape.raw[2 * p + 3],
            key = a < b ? a + ";" + b : b + ";" + a, old = found.get(key);
          if (old) { old[5] = c; }
          else {
            found.set(key, [shape.xy[2 * p], shape.xy[2 * p + 1], shape.xy[2 * p + 2], shape.xy[2 * p + 3], c, -1]);
          }
        }
      }
    });
    var out = Array.from(found.values()), off = 4e-5 / 360 * 256;
    /* Drawn boundaries need not share their vertices: look for the cell on the other side. */
    out.forEach(function (e) {
      if (e[5] >= 0) { return; }
      var dx = e[2] - e[0], dy = e[3] - e[1], n = Math.hypot(dx, dy) || 1, mx = (e[0] + e[2]) / 2, my = (e[1] + e[3]) / 2;
      for (var s = -1; s < 2; s += 2) {
        var x = mx - dy / n * off * s, y = my + dx / n * off * s;
        for (var c = 0; c < cells.length; c++) { if (c !== e[4] && inside(cells[c], x, y)) { e[5] = c; return; } }
      }
    });
    return out;
  }

  function hatch(ctx, back, line) {
    var c = document.createElement("canvas");
    c.width = 8; c.height = 8;
    var d = c.getContext("2d");
    d.fillStyle = back; d.fillRect(0, 0, 8, 8);
    d.strokeStyle = line; d.lineWidth = 1.6;
    d.beginPath();
    [[-2, 2, 2, -2], [-2, 10, 10, -2], [6, 10, 10, 6]].forEach(function (s) { d.moveTo(s[0], s[1]); d.lineTo(s[2], s[3]); });
    d.stroke();
    return ctx.createPattern(c, "repeat");
  }

  /* Shape of a school role around (x, y); r is its half size. */
  function symbol(ctx, role, x, y, r) {
    ctx.beginPath();
    if (role === "central") { ctx.rect(x - r * 0.9, y - r * 0.9, r * 1.8, r * 1.8); }
    else if (role === "teaching_point") {
      ctx.moveTo(x, y - r * 1.15); ctx.lineTo(x + r * 1.1, y + r * 0.8); ctx.lineTo(x - r * 1.1, y + r * 0.8); ctx.closePath();
    } else if (role === "junior") {
      ctx.moveTo(x, y - r * 1.2); ctx.lineTo(x + r * 1.2, y); ctx.lineTo(x, y + r * 1.2); ctx.lineTo(x - r * 1.2, y); ctx.closePath();
    } else if (role === "nine_year") {
      for (var k = 0; k < 6; k++) {
        var q = Math.PI / 6 + k * Math.PI / 3;
        ctx[k ? "lineTo" : "moveTo"](x + r * 1.12 * Math.cos(q), y + r * 1.12 * Math.sin(q));
      }
      ctx.closePath();
    } else { ctx.arc(x, y, r, 0, 2 * Math.PI); }
  }

  function cross(ctx, x, y, r, colour) {
    [[3.6, PAPER], [1.8, colour]].forEach(function (s) {
      ctx.lineWidth = s[0]; ctx.strokeStyle = s[1]; ctx.lineCap = "round";
      ctx.beginPath();
      ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r);
      ctx.stroke();
    });
  }

  /* One school: outline by role, filled from below by the share of places used. */
  function school(ctx, s, x, y) {
    var r = s.size;
    if (s.role === "closed") {
      if (s.gone) { cross(ctx, x, y, 4, ALARM); } else { cross(ctx, x, y, 3, "#8A94A0"); }
      return;
    }
    if (s.large) {
      ctx.strokeStyle = PAPER; ctx.lineWidth = 4.4;
      ctx.beginPath(); ctx.arc(x, y, r + 5, 0, 2 * Math.PI); ctx.stroke();
      ctx.strokeStyle = ALARM; ctx.lineWidth = s.large > 1 ? 3 : 1.8;
      ctx.beginPath(); ctx.arc(x, y, r + 5, 0, 2 * Math.PI); ctx.stroke();
    }
    ctx.lineJoin = "round";
    symbol(ctx, s.role, x, y, r);
    ctx.strokeStyle = PAPER; ctx.lineWidth = 4.2; ctx.stroke();
    ctx.fillStyle = PAPER; ctx.fill();
    if (s.used > 0) {
      ctx.save(); ctx.clip();
      var top = y + r * 1.2 - Math.min(1, s.used) * r * 2.4;
      ctx.fillStyle = s.used > 1 ? ALARM : "#3E79B4";
      ctx.fillRect(x - r * 1.4, top, r * 2.8, y + r * 1.4 - top);
      ctx.restore();
    }
    symbol(ctx, s.role, x, y, r);
    ctx.strokeStyle = INK; ctx.lineWidth = 1.6; ctx.stroke();
    if (s.changed) {
      ctx.fillStyle = "#E9B500"; ctx.strokeStyle = INK; ctx.lineWidth = 1;
      ctx.beginPath(); ctx.arc(x + r, y - r, 3.6, 0, 2 * Math.PI); ctx.fill(); ctx.stroke();
    }
  }

  /* A name cut to a width; Chinese characters count twice, and no half of a pair is left over. */
  function shorten(text, most) {
    var out = "", width = 0;
    for (var sign of text) {
      width += sign.codePointAt(0) > 0x2e7f ? 2 : 1;
      if (width > most) { return out + "…"; }
      out += sign;
    }
    return out;
  }

  /* Text with a light rim, placed only where it covers no other. */
  var family = "", widths = new Map();
  function widthOf(ctx, text, font) {
    var key = font + text;
    if (!widths.has(key)) { ctx.font = font; widths.set(key, ctx.measureText(text).width); }
    return widths.get(key);
  }

  function Labels(ctx, v) {
    var taken = [];
    family = family || getComputedStyle(document.body).fontFamily;
    /* A label of something in view must not be cut by the frame. */
    function cut(x, y, a, b, w) {
      var l = v.inX, r = v.w - v.inX, u = v.inY, d = v.h - v.inY;
      return x > l && x < r && y > u && y < d && (a < l + 2 || a + w > r - 2 || b > d || b < u + 10);
    }
    function covered(box) {
      for (var k = 0; k < taken.length; k++) {
        var o = taken[k];
        if (o[0] < box[2] && o[2] > box[0] && o[1] < box[3] && o[3] > box[1]) { return true; }
      }
      return false;
    }
    this.block = function (x, y, r) { taken.push([x - r, y - r, x + r, y + r]); };
    this.put = function (text, x, y, r, style) {
      var font = (style.weight || "500") + " " + style.size + "px " + family;
      var shown = shorten(text, 32), w = widthOf(ctx, shown, font), h = style.size;
      if (x + r + w < 0 || x - r - w > v.w || y + r + h < 0 || y - r - h > v.h) { return false; }
      var spots = style.centre ? [[x - w / 2, y + h * 0.35]]
        : [[x + r + 3, y + h * 0.35], [x - w / 2, y - r - 4], [x - w / 2, y + r + h + 1], [x - r - 3 - w, y + h * 0.35]];
      for (var i = 0; i < spots.length; i++) {
        var a = spots[i][0], b = spots[i][1], box = [a - 2, b - h, a + w + 2, b + 3];
        if (a < -w || a > v.w || b < 0 || b > v.h + h || cut(x, y, a, b, w)) { continue; }
        if (!style.force && covered(box)) { continue; }
        taken.push(box);
        /* Reading a font is slow, and most names find no room. */
        ctx.font = font;
        ctx.lineJoin = "round"; ctx.lineWidth = 3.2; ctx.strokeStyle = "rgba(255,255,255,.92)"; ctx.strokeText(shown, a, b);
        ctx.fillStyle = style.colour; ctx.fillText(shown, a, b);
        return true;
      }
      return false;
    };
  }

  /* A board is one map with its three sheets; `view()` answers what to show now. */
  function board(map, land, view) {
    var here = map.createPane("fill"), road = map.createPane("roads"), top = map.createPane("marks"), hatched = null;
    here.style.zIndex = 250; road.style.zIndex = 300; top.style.zIndex = 450;
    [here, road, top].forEach(function (pane) { pane.style.pointerEvents = "none"; });

    function colourOf(ctx, code) {
      if (code === -1) {
        hatched = hatched || {};
        hatched.none = hatched.none || hatch(ctx, "#FFFFFF", "#A3160F");
        return hatched.none;
      }
      if (code < LADDER.length) { return LADDER[code]; }
      hatched = hatched || {};
      hatched[code] = hatched[code] || hatch(ctx, code === 4 ? "#E9E4F0" : "#FFFFFF", code === 4 ? "#6A5A8C" : LADDER[(code - 5) % 4]);
      return hatched[code];
    }

    /* Colours of all cells as one text. */
    function coloured(s) {
      return [s.fade, s.layers.catchments].concat(s.layers.catchments ? land.cells.map(function (shape, c) { return s.paint(c); }) : []).join();
    }

    var fillSheet = new Sheet(function (ctx, v) {
      var s = view();
      ctx.fillStyle = s.tiles ? "rgba(0,0,0,0)" : "#FBFAF6";
      ctx.beginPath();
      land.county.forEach(function (shape) { for (var i = 0; i < shape.lines; i++) { trace(ctx, v, shape, i, 0.5); ctx.closePath(); } });
      ctx.fill("evenodd");
      if (s.layers.catchments) {
        var groups = new Map();
        land.cells.forEach(function (shape, c) {
          var paint = s.paint(c);
          if (paint === null) { return; }
          if (!groups.has(paint)) { groups.set(paint, []); }
          groups.get(paint).push(shape);
        });
        groups.forEach(function (shapes, paint) {
          ctx.beginPath();
          shapes.forEach(function (shape) {
            for (var i = 0; i < shape.lines; i++) { if (seen(v, shape, i)) { trace(ctx, v, shape, i, 0.3); ctx.closePath(); } }
          });
          ctx.globalAlpha = s.fade;
          ctx.fillStyle = typeof paint === "number" ? colourOf(ctx, paint) : paint;
          ctx.fill("evenodd");
        });
        ctx.globalAlpha = 1;
      }
    }, { pane: "fill" });

    var roadSheet = new Sheet(function (ctx, v) {
      var s = view(), z = v.zoom, grow = Math.max(0.5, Math.min(2.2, Math.pow(1.35, z - 11.5)));
      if (s.layers.roads) {
        ctx.lineJoin = "round"; ctx.lineCap = "round";
        [0, 1].forEach(function (pass) {
          land.roads.slice().sort(function (a, b) { return b.rank - a.rank; }).forEach(function (r) {
            var look = ROADS[r.rank];
            var steep = r.hazard && z >= 11.5;
            if ((r.rank === 4 && z < 11.5) || (pass && !look[1] && !steep)) { return; }
            ctx.beginPath();
            for (var i = 0; i < r.shape.lines; i++) { if (seen(v, r.shape, i)) { trace(ctx, v, r.shape, i, 0.8); } }
            ctx.strokeStyle = pass ? (steep ? ALARM : look[1]) : look[2];
            ctx.lineWidth = look[0] * grow + (pass || !look[1] ? 0 : 0.4 + 0.8 * Math.min(1, grow));
            if (pass && steep) { ctx.lineWidth = 1.2; ctx.setLineDash([2, 4]); }
            ctx.globalAlpha = r.rank > 2 ? 0.85 : 1;
            ctx.stroke();
            ctx.setLineDash([]);
          });
        });
        ctx.globalAlpha = 1;
      }
      if (s.layers.townships) {
        ctx.beginPath();
        land.towns.forEach(function (o) {
          for (var i = 0; i < o.shape.lines; i++) { trace(ctx, v, o.shape, i, 0.6); ctx.closePath(); }
        });
        ctx.strokeStyle = "rgba(70,60,50,.62)"; ctx.lineWidth = 1.1; ctx.setLineDash([7, 3, 1.5, 3]); ctx.stroke(); ctx.setLineDash([]);
      }
      ctx.beginPath();
      land.county.forEach(function (shape) { for (var i = 0; i < shape.lines; i++) { trace(ctx, v, shape, i, 0.6); ctx.closePath(); } });
      if (!land.county.length) {
        land.edges.forEach(function (e) {
          if (e[5] < 0) { ctx.moveTo(e[0] * v.k - v.x, e[1] * v.k - v.y); ctx.lineTo(e[2] * v.k - v.x, e[3] * v.k - v.y); }
        });
      }
      ctx.strokeStyle = "rgba(60,50,45,.8)"; ctx.lineWidth = 1.8; ctx.stroke();
    }, { pane: "roads" });

    /* Villages of one colour are one path: a path is quicker than its dots one by one. */
    function dots(ctx, v, s, grow) {
      var colours = new Map(), over = [];
      land.villages.forEach(function (p, i) {
        if (!p) { return; }
        var x = p[0] * v.k - v.x, y = p[1] * v.k - v.y;
        if (x < -20 || y < -20 || x > v.w + 20 || y > v.h + 20) { return; }
        var m = s.village(i), r = m.size * grow;
        if (m.over && s.layers.over) { over.push([x, y, r + 2.6]); }
        if (!colours.has(m.colour)) { colours.set(m.colour, []); }
        colours.get(m.colour).push([x, y, r, m.turn]);
      });
      function ring(o) { ctx.moveTo(o[0] + o[2], o[1]); ctx.arc(o[0], o[1], o[2], 0, 2 * Math.PI); }
      ctx.beginPath();
      over.forEach(ring);
      ctx.strokeStyle = PAPER; ctx.lineWidth = 3.6; ctx.stroke(); ctx.strokeStyle = ALARM; ctx.lineWidth = 1.7; ctx.stroke();
      colours.forEach(function (list, colour) {
        ctx.beginPath();
        list.forEach(function (o) {
          if (!o[3]) { ring(o); return; }
          var d = o[3] > 0 ? -1 : 1, w = o[2] * 1.5;
          ctx.moveTo(o[0], o[1] + d * w); ctx.lineTo(o[0] + w, o[1] - d * w * 0.75); ctx.lineTo(o[0] - w, o[1] - d * w * 0.75); ctx.closePath();
        });
        ctx.fillStyle = colour; ctx.fill();
        ctx.strokeStyle = colour === PAPER ? "#7C8793" : "rgba(29,39,51,.85)"; ctx.lineWidth = 0.9; ctx.stroke();
      });
    }

    var markSheet = new Sheet(function (ctx, v) {
      var s = view(), labels = new Labels(ctx, v), z = v.zoom;
      function px(p) { return [p[0] * v.k - v.x, p[1] * v.k - v.y]; }
      if (s.layers.catchments) {
        var side = land.cells.map(function (shape, c) { return s.siteOf(c); }), lines = [];
        land.borders.forEach(function (e) {
          if (side[e[0]] === side[e[1]]) { return; }
          var line = e[2], last = line.length - 2, px = 0, py = 0, path = new Path2D();
          for (var k = 0; k <= last; k += 2) {
            var x = line[k] * v.k - v.x, y = line[k + 1] * v.k - v.y;
            if (k === 0) { path.moveTo(x, y); }
            else if (k < last && Math.abs(x - px) < 0.6 && Math.abs(y - py) < 0.6) { continue; }
            else { path.lineTo(x, y); }
            px = x; py = y;
          }
          lines.push(path);
        });
        /* One path with all lines is slower to stroke than each line by itself, and round ends too. */
        ctx.lineJoin = "round"; ctx.lineCap = "butt";
        [["rgba(255,255,255,.85)", 3.4], ["rgba(29,39,51,.78)", 1.5]].forEach(function (pen) {
          ctx.strokeStyle = pen[0]; ctx.lineWidth = pen[1];
          lines.forEach(function (path) { ctx.stroke(path); });
        });
      }
      s.threads.forEach(function (line) {
        var a = land.villages[line[0]], b = land.sites[line[1]];
        if (!a || !b) { return; }
        var p = px(a), q = px(b);
        [[line[2] ? 3.6 : 3, "rgba(255,255,255,.9)", []], [line[2] ? 1.6 : 1.3, line[3], line[2] ? [] : [4, 4]]].forEach(function (k) {
          ctx.lineWidth = k[0]; ctx.strokeStyle = k[1]; ctx.setLineDash(k[2]);
          ctx.beginPath(); ctx.moveTo(p[0], p[1]); ctx.lineTo(q[0], q[1]); ctx.stroke();
        });
        ctx.setLineDash([]);
      });
      var grow = Math.max(0.45, Math.min(1.7, Math.pow(1.3, z - 11)));
      if (s.layers.villages) { dots(ctx, v, s, grow); }
      var order = land.sites.map(function (p, j) { return j; }).filter(function (j) { return land.sites[j]; });
      var looks = order.map(function (j) { return s.school(j); });
      if (s.layers.schools) {
        order.forEach(function (j, n) { var q = px(land.sites[j]); if (looks[n].role === "closed") { labels.block(q[0], q[1], 4); } });
        order.map(function (j, n) { return [j, looks[n]]; })
          .filter(function (o) { return o[1].shown; })
          .sort(function (a, b) { return (a[1].role === "closed" ? 0 : 1) - (b[1].role === "closed" ? 0 : 1) || b[1].size - a[1].size; })
          .forEach(function (o) {
            var q = px(land.sites[o[0]]), look = Object.assign({}, o[1], { size: o[1].size * Math.max(0.5, Math.min(1.35, grow)) });
            if (q[0] < -30 || q[1] < -30 || q[0] > v.w + 30 || q[1] > v.h + 30) { return; }
            school(ctx, look, q[0], q[1]);
            if (look.role !== "closed") { labels.block(q[0], q[1], look.size); }
          });
      }
      if (s.mark) {
        var at = s.mark[0] === "site" ? land.sites[s.mark[1]] : land.villages[s.mark[1]];
        if (at) {
          var o = px(at);
          [[6, PAPER], [3, "#E9B500"]].forEach(function (k) {
            ctx.beginPath(); ctx.arc(o[0], o[1], 17, 0, 2 * Math.PI); ctx.lineWidth = k[0]; ctx.strokeStyle = k[1]; ctx.stroke();
          });
        }
      }
      if (s.mark) {
        var spot = (s.mark[0] === "site" ? land.sites : land.villages)[s.mark[1]];
        if (spot) {
          var m = px(spot);
          labels.put(s.mark[0] === "site" ? s.siteName(s.mark[1]) : s.villageName(s.mark[1]), m[0], m[1], 19, { size: 14, weight: "700", colour: INK, force: true });
        }
      }
      /* What is marked has its name already. */
      var named = function (kind, i) { return s.mark && s.mark[0] === kind && s.mark[1] === i; };
      if (s.layers.names) {
        if (s.layers.townships && z < 11.8) {
          land.towns.forEach(function (t) {
            if (t.at) { var q = px(t.at); labels.put(t.name, q[0], q[1], 0, { size: 14, weight: "700", colour: "rgba(70,60,50,.95)", centre: true }); }
          });
        }
        order.map(function (j, n) { return [j, looks[n]]; })
          .filter(function (k) { return k[1].shown && k[1].role !== "closed" && !named("site", k[0]) && (z >= 11 || k[1].size > 8.5 || k[1].large); })
          .sort(function (a, b) { return b[1].size - a[1].size; })
          .forEach(function (k) {
            var q = px(land.sites[k[0]]);
            labels.put(s.siteName(k[0]), q[0], q[1], k[1].size + 2, { size: 12, weight: "600", colour: INK });
          });
        if (z >= 12.5 && s.layers.villages) {
          land.villages.forEach(function (p, i) {
            if (p && !named("village", i)) { var q = px(p); labels.put(s.villageName(i), q[0], q[1], 5, { size: 11, colour: "#4A5563" }); }
          });
        }
      }
    }, { pane: "marks" });

    fillSheet.addTo(map); roadSheet.addTo(map); markSheet.addTo(map);

    /* What lies at a point of the map container: a school, else a village, else the cell. */
    function hit(point) {
      var k = Math.pow(2, map.getZoom()), o = map.getPixelOrigin(), p = map.containerPointToLayerPoint(point).add(o), s = view();
      var best = null, reach = 15 * 15;
      if (s.layers.schools) {
        land.sites.forEach(function (q, j) {
          if (!q || !s.school(j).shown) { return; }
          var dx = q[0] * k - p.x, dy = q[1] * k - p.y, d = dx * dx + dy * dy;
          if (d < reach) { reach = d; best = ["site", j]; }
        });
      }
      if (best) { return best; }
      reach = 11 * 11;
      land.villages.forEach(function (q, i) {
        if (!q) { return; }
        var dx = q[0] * k - p.x, dy = q[1] * k - p.y, d = dx * dx + dy * dy;
        if (d < reach) { reach = d; best = ["village", i]; }
      });
      if (best) { return best; }
      var x = p.x / k, y = p.y / k;
      for (var c = 0; c < land.cells.length; c++) {
        if (inside(land.cells[c], x, y)) { return ["village", c]; }
      }
      return null;
    }

    return {
      map: map, hit: hit,
      paint: function (all) { fillSheet.refresh(coloured(view())); if (all) { roadSheet.redraw(); } markSheet.redraw(); }
    };
  }

  function inside(shape, x, y) {
    var odd = false, xy = shape.xy;
    for (var i = 0; i < shape.lines; i++) {
      var b = shape.box;
      if (x < b[4 * i] || x > b[4 * i + 2] || y < b[4 * i + 1] || y > b[4 * i + 3]) { continue; }
      for (var p = shape.start[i], q = shape.start[i + 1] - 1; p < shape.start[i + 1]; q = p++) {
        var yp = xy[2 * p + 1], yq = xy[2 * q + 1];
        if ((yp > y) !== (yq > y) && x < (xy[2 * q] - xy[2 * p]) * (y - yp) / (yq - yp) + xy[2 * p]) { odd = !odd; }
      }
    }
    return odd;
  }

  /* Colours of areas: areas whose schools take in touching cells today differ. */
  function spread(data, land) {
    var nBands = data.bands.length, of = data.areas.of, touch = data.areas.list.map(function () { return new Set(); }), out = [];
    data.years.forEach(function (w, y) {
      ["today", "plan"].forEach(function (plan) {
        var list = data.plans[plan].site[y];
        if (typeof list === "number") { return; }
        land.edges.forEach(function (e) {
          if (e[5] < 0) { return; }
          for (var b = 0; b < nBands; b++) {
            var p = list[e[4] * nBands + b], q = list[e[5] * nBands + b], a = p < 0 ? -1 : of[p], c = q < 0 ? -1 : of[q];
            if (a >= 0 && c >= 0 && a !== c) { touch[a].add(c); touch[c].add(a); }
          }
        });
      });
    });
    touch.map(function (s, k) { return k; }).sort(function (a, b) { return touch[b].size - touch[a].size || a - b; }).forEach(function (k) {
      var taken = new Set(Array.from(touch[k]).map(function (q) { return out[q]; })), c = 0;
      while (taken.has(c)) { c += 1; }
      out[k] = c;
    });
    return out;
  }

  return {
    hold: function (on) { held = on; }, spread: spread,
    ground: ground, board: board, symbol: symbol, school: school, decode: decode, worldX: worldX, worldY: worldY, Sheet: Sheet,
    trace: trace, seen: seen, hatch: hatch,
    ladder: LADDER, modes: ["#F5E6A8", "#7FB8E0", "#0B3C6F", "#C4622D"], within: WITHIN, over: OVER, change: CHANGE, ink: INK, navy: NAVY, alarm: ALARM
  };
})();
