/* What if: the rule of catchment/optimise/whatif.py in whole numbers, so that both say the same. */
Catchment.whatif = (function () {
  "use strict";
  var UNREACHED = 65535, LARGE = 56, SUPER = 66;

  function bytes(text) {
    var raw = window.atob(text), out = new Uint8Array(raw.length);
    for (var k = 0; k < raw.length; k++) { out[k] = raw.charCodeAt(k); }
    return out;
  }

  function words(text) {
    var b = bytes(text), out = new Uint16Array(b.length >> 1);
    for (var k = 0; k < out.length; k++) { out[k] = b[2 * k] | (b[2 * k + 1] << 8); }
    return out;
  }

  /* Tables of one road network: `tenths(i, j)` and `mode(i, j)` of group i and site j; parts of villages,
     whose village is given by `of`, follow after all villages. */
  function travel(part, nBands, nSites, nVillages, of) {
    var blocks = part.map(function (p) {
      var at = new Int32Array(nSites).fill(-1);
      p.sites.forEach(function (j, k) { at[j] = k; });
      return { at: at, width: p.sites.length, sites: p.sites, tenths: words(p.tenths), modes: bytes(p.modes) };
    });
    function cell(i, j) {
      var p = blocks[i % nBands], k = p.at[j], v = Math.floor(i / nBands);
      return k < 0 ? -1 : (v < nVillages ? v : of[v - nVillages]) * p.width + k;
    }
    return {
      sites: function (band) { return blocks[band].sites; },
      tenths: function (i, j) { var c = cell(i, j); return c < 0 ? UNREACHED : blocks[i % nBands].tenths[c]; },
      mode: function (i, j) {
        var c = cell(i, j);
        if (c < 0) { return -1; }
        var m = (blocks[i % nBands].modes[c >> 1] >> (c & 1 ? 4 : 0)) & 15;
        return m === 15 ? -1 : m;
      }
    };
  }

  function places(start, opened) {
    var nBands = start.bandSize.length, nGrades = start.gradeBand.length, out = new Array(start.nSites * nBands).fill(0);
    for (var j = 0; j < start.nSites; j++) {
      var grades = 0, b;
      for (b = 0; b < nBands; b++) { if (opened[j] & (1 << b)) { grades += start.bandSize[b]; } }
      for (b = 0; b < nBands; b++) {
        if (!(opened[j] & (1 << b)) || !start.bandSize[b]) { continue; }
        var size = Infinity;
        for (var g = 0; g < nGrades; g++) { if (start.gradeBand[g] === b) { size = Math.min(size, start.classSize[j * nGrades + g]); } }
        out[j * nBands + b] = Math.floor(start.rooms[j] * start.bandSize[b] * size / Math.max(grades, 1));
      }
    }
    return out;
  }

  function bySize(groups, demand) { return groups.sort(function (a, b) { return demand[b] - demand[a] || a - b; }); }

  function placeBand(start, opened, room, band, site, capacity) {
    var bit = 1 << band, nBands = start.bandSize.length, lost = [], kept = [], fresh = [], able = [], left = new Map(), i, j;
    for (j = 0; j < start.nSites; j++) {
      if (!(opened[j] & bit)) { continue; }
      able.push(j);
      if (!(start.opened[j] & bit)) { fresh.push(j); }
      left.set(j, room[j * nBands + band]);
    }
    for (i = band; i < site.length; i += nBands) {
      if (site[i] >= 0 && !(opened[site[i]] & bit)) { lost.push(i); continue; }
      kept.push(i);
      if (site[i] >= 0) { left.set(site[i], left.get(site[i]) - start.demand[i]); }
    }
    function fits(i, j) { return !capacity || !start.demand[i] || left.get(j) >= start.demand[i]; }
    function take(i, j) { left.set(j, left.get(j) - start.demand[i]); site[i] = j; }
    function nearness(i, list) {
      return list.map(function (j) { return [start.travel.tenths(i, j), j]; }).sort(function (a, b) { return a[0] - b[0] || a[1] - b[1]; });
    }
    if (fresh.length) {
      bySize(kept, start.demand).forEach(function (i) {
        var own = site[i], reach = own >= 0 ? start.travel.tenths(i, own) : UNREACHED, near = nearness(i, fresh);
        for (var k = 0; k < near.length && near[k][0] < reach; k++) {
          if (fits(i, near[k][1])) {
            if (own >= 0) { left.set(own, left.get(own) + start.demand[i]); }
            take(i, near[k][1]);
            return;
          }
        }
      });
    }
    bySize(lost, start.demand).forEach(function (i) {
      var near = nearness(i, able).filter(function (n) { return n[0] < UNREACHED; });
      var free = near.filter(function (n) { return fits(i, n[1]); });
      if (!near.length) { site[i] = -1; return; }
      take(i, (free.length ? free : near)[0][1]);
    });
  }

  /* ------------------------------------------------ classes: the rule of catchment/places/classes.py */

  function before(a, b) {
    for (var k = 0; k < Math.min(a.length, b.length); k++) { if (a[k] !== b[k]) { return a[k] < b[k]; } }
    return a.length < b.length;
  }
  function better(a, b) { return before(a[0], b[0]) || (!before(b[0], a[0]) && before(a[1], b[1])); }

  function spread(pairs, rooms) {
    var least = pairs.map(function () { return 1; }), k;
    for (var r = 0; r < rooms - pairs.length; r++) {
      var worst = 0;
      for (k = 1; k < pairs.length; k++) {
        if (Math.ceil(pairs[k][0] / least[k]) - pairs[k][1] > Math.ceil(pairs[worst][0] / least[worst]) - pairs[worst][1]) { worst = k; }
      }
      least[worst] += 1;
    }
    var beyond = Math.max.apply(null, pairs.map(function (p, n) { return Math.ceil(p[0] / least[n]) - p[1]; }));
    var floor = pairs.map(function (p) { return Math.ceil(p[0] / (p[1] + beyond)); });
    var best = new Map([[0, [[0, 0, 0], []]]]);
    pairs.forEach(function (p, place) {
      var rest = floor.slice(place + 1).reduce(function (a, b) { return a + b; }, 0), grown = new Map(), s = p[0], size = p[1];
      var most = Math.max(floor[place], Math.ceil(s / size));
      best.forEach(function (old, used) {
        for (var k = floor[place]; k <= Math.min(most, rooms - rest - used); k++) {
          var base = Math.floor(s / k), larger = s % k;
          var over = (base + 1 > size ? larger : 0) + (base > size ? k - larger : 0);
          var excess = larger * Math.max(0, base + 1 - size) + (k - larger) * Math.max(0, base - size);
          var item = [[old[0][0] + over, old[0][1] + excess, old[0][2] + k], old[1].concat([k])];
          if (!grown.has(used + k) || better(item, grown.get(used + k))) { grown.set(used + k, item); }
        }
      });
      best = grown;
    });
    return Array.from(best.values()).reduce(function (a, b) { return better(b, a) ? b : a; })[1];
  }

  function runs(pairs, rooms) {
    var g = pairs.length, caps = new Set();
    function strictest(a, b) { var z = Infinity; for (var k = a; k < b; k++) { z = Math.min(z, pairs[k][1]); } return z; }
    function sum(a, b) { var s = 0; for (var k = a; k < b; k++) { s += pairs[k][0]; } return s; }
    function solve(cap) {
      var table = pairs.map(function () { return new Map(); }).concat([new Map()]);
      table[0].set(0, [[0, 0, 0], []]);
      for (var end = 1; end <= g; end++) {
        for (var from = 0; from < end; from++) {
          var load = sum(from, end), size = strictest(from, end);
          if (load - size > cap) { continue; }
          table[from].forEach(function (old, used) {
            if (used === rooms) { return; }
            var item = [[old[0][0] + (load > size ? 1 : 0), old[0][1] + Math.max(0, load - size), old[0][2] + load * load], old[1].concat([from])];
            if (!table[end].has(used + 1) || better(item, table[end].get(used + 1))) { table[end].set(used + 1, item); }
          });
        }
      }
      return table[g].get(rooms);
    }
    for (var a = 0; a < g; a++) { for (var b = a + 1; b <= g; b++) { caps.add(sum(a, b) - strictest(a, b)); } }
    var sorted = Array.from(caps).sort(function (x, y) { return x - y; });
    for (var n = 0; n < sorted.length; n++) { var found = solve(sorted[n]); if (found) { return found[1]; } }
    return [0];
  }

  /* Classes of one site by grade; a combined class counts at its lowest grade. */
  function form(count, rooms, size, combined) {
    var need = count.map(function (s, k) { return Math.ceil(s / size[k]); });
    if (need.reduce(function (a, b) { return a + b; }, 0) <= rooms) { return need; }
    var active = [], out = count.map(function () { return 0; });
    count.forEach(function (s, k) { if (s > 0) { active.push(k); } });
    var pairs = active.map(function (k) { return [count[k], size[k]]; });
    if (rooms >= active.length) { spread(pairs, rooms).forEach(function (n, k) { out[active[k]] = n; }); }
    else if (combined && rooms > 0) { runs(pairs, rooms).forEach(function (k) { out[active[k]] = 1; }); }
    else { active.forEach(function (k) { out[k] = 1; }); }
    return out;
  }

  /* Classes as [lowest grade, highest grade, size], even split, by position of the grade. */
  function split(count, formed) {
    var holder = [], low = -1, out = [], g = count.length, k;
    for (k = 0; k < g; k++) { if (formed[k] > 0) { low = k; } holder[k] = low; }
    for (k = g - 1, low = -1; k >= 0; k--) { if (formed[k] > 0) { low = k; } if (holder[k] < 0) { holder[k] = low; } }
    if (low < 0) { return out; }
    var load = count.map(function () { return 0; }), top = count.map(function (s, n) { return n; });
    for (k = 0; k < g; k++) {
      load[holder[k]] += count[k];
      if (holder[k] < k && count[k] > 0) { top[holder[k]] = Math.max(top[holder[k]], k); }
    }
    for (k = 0; k < g; k++) {
      for (var n = 0; n < formed[k]; n++) {
        out.push([k, top[k], Math.floor(load[k] / formed[k]) + (n < load[k] % formed[k] ? 1 : 0)]);
      }
    }
    return out;
  }

  /* Most schools are the same from one answer to the next. */
  var known = new Map();
  function classesOf(count, rooms, size, combined) {
    var key = count.join() + "|" + rooms + "|" + size.join() + "|" + combined;
    if (!known.has(key)) {
      if (known.size > 20000) { known.clear(); }
      known.set(key, split(count, form(count, rooms, size, combined)));
    }
    return known.get(key);
  }

  /* The whole answer: `start` is one year, `opened` one number a site with a bit for every band. */
  function answer(start, opened, capacity) {
    var nBands = start.bandSize.length, nGrades = start.gradeBand.length, site = start.site.slice(), room = places(start, opened), b, j, g;
    for (b = 0; b < nBands; b++) { placeBand(start, opened, room, b, site, capacity); }
    var load = new Array(start.nSites * nGrades).fill(0), mode = new Array(site.length), at = new Array(site.length), inBand = new Array(start.nSites * nBands).fill(0);
    var out = {
      site: site, mode: mode, tenths: at, load: load, places: room, opened: opened, classes: [], served: 0, unserved: 0, student_tenths: 0,
      worst: 0, over_limit: 0, moved: 0, over_places: 0, large: 0, super_large: 0, over: []
    };
    site.forEach(function (j, i) {
      var band = i % nBands, n = start.demand[i], stays = j === start.site[i], from = start.firstGrade[band];
      mode[i] = stays ? start.mode[i] : j >= 0 ? start.travel.mode(i, j) : -1;
      at[i] = j >= 0 ? start.travel.tenths(i, j) : UNREACHED;
      if (!stays) { out.moved += n; }
      if (j < 0) { out.unserved += n; return; }
      out.served += n;
      for (var k = 0; k < start.bandSize[band]; k++) { load[j * nGrades + from + k] += start.students[i * start.perGroup + k]; }
      inBand[j * nBands + band] += n;
      if (at[i] >= UNREACHED) { return; }
      out.student_tenths += n * at[i];
      if (n > 0) { out.worst = Math.max(out.worst, at[i]); }
      if (at[i] > start.limit[band]) { out.over_limit += n; }
    });
    for (j = 0; j < start.nSites; j++) {
      for (b = 0; b < nBands; b++) {
        var above = inBand[j * nBands + b] - room[j * nBands + b];
        if (above > 0) { out.over_places += above; out.over.push([j, b, above]); }
      }
      var count = [], size = [];
      for (g = 0; g < nGrades; g++) { count.push(load[j * nGrades + g]); size.push(start.classSize[j * nGrades + g]); }
      /* Grades may share a class where the lowest band is all that is taught. */
      var combined = opened[j] === 1;
      var classes = count.some(Boolean) ? classesOf(count, start.rooms[j], size, combined) : [];
      classes.forEach(function (c) { out.large += c[2] >= LARGE ? 1 : 0; out.super_large += c[2] >= SUPER ? 1 : 0; });
      out.classes.push(classes);
    }
    return out;
  }

  return { answer: answer, travel: travel, words: words, unreached: UNREACHED };
})();
