/* Shared by every page: words, elements, numbers, a search box. Data reaches the page as text only. */
var Catchment = (function () {
  "use strict";
  var words = {}, lang = "zh";

  function read(id) {
    return JSON.parse(document.getElementById(id).textContent);
  }

  function speak(table, language) {
    words = table;
    lang = table[language] ? language : "zh";
    document.documentElement.lang = lang === "zh" ? "zh-CN" : "en";
  }

  /* Word of a key; {name} is replaced by values as they are. Unknown keys fall back to the key. */
  function t(key, values) {
    var text = words[lang] && Object.prototype.hasOwnProperty.call(words[lang], key)
      ? words[lang][key] : null;
    if (text === null) { return key.slice(key.indexOf(".") + 1).replace(/_/g, " "); }
    if (values) {
      text = text.replace(/\{(\w+)\}/g, function (whole, name) {
        return Object.prototype.hasOwnProperty.call(values, name) ? String(values[name]) : whole;
      });
    }
    return text;
  }

  function has(key) {
    return Object.prototype.hasOwnProperty.call(words[lang] || {}, key);
  }

  function fill(node, children) {
    children.forEach(function (child) {
      if (child === null || child === undefined || child === false) { return; }
      if (Array.isArray(child)) { fill(node, child); return; }
      node.appendChild(child.nodeType ? child : document.createTextNode(String(child)));
    });
    return node;
  }

  function dress(node, attrs) {
    Object.keys(attrs || {}).forEach(function (key) {
      var value = attrs[key];
      if (value === null || value === undefined || value === false) { return; }
      if (key.slice(0, 2) === "on") { node.addEventListener(key.slice(2), value); }
      else if (key === "text") { node.textContent = value; }
      else { node.setAttribute(key, value === true ? "" : String(value)); }
    });
    return node;
  }

  function el(tag, attrs) {
    return fill(dress(document.createElement(tag), attrs), Array.prototype.slice.call(arguments, 2));
  }

  function svg(tag, attrs) {
    return fill(
      dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attrs),
      Array.prototype.slice.call(arguments, 2));
  }

  function empty(node) {
    while (node.firstChild) { node.removeChild(node.firstChild); }
    return node;
  }

  /* A name from the data: isolated, so that its direction does not reach its neighbours. */
  function name(text) {
    return el("bdi", { class: "name", text: text });
  }

  /* Formatters are made once: making one takes longer than drawing a row of a table. */
  var formats = [];
  function format(places) {
    formats[places] = formats[places] || new Intl.NumberFormat("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
    return formats[places];
  }

  function count(value) {
    if (value === null || value === undefined || !isFinite(value)) { return "—"; }
    return format(0).format(Math.round(value));
  }

  function decimal(value, places) {
    if (value === null || value === undefined || !isFinite(value)) { return "—"; }
    return format(places === undefined ? 1 : places).format(value);
  }

  /* Text entry with a list of matches below it; arrows, Enter and Escape work. */
  function searchBox(input, list, find, pick) {
    var found = [], at = -1, leaving = 0;

    function close() {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
      at = -1;
    }

    function mark(next) {
      var rows = list.querySelectorAll("[role=option]");
      if (!rows.length) { return; }
      at = (next + rows.length) % rows.length;
      rows.forEach(function (row, k) { row.setAttribute("aria-selected", k === at ? "true" : "false"); });
      input.setAttribute("aria-activedescendant", rows[at].id);
      rows[at].scrollIntoView({ block: "nearest" });
    }

    function take(k) {
      var item = found[k];
      if (!item) { return; }
      input.value = item.name;
      close();
      pick(item);
    }

    function show() {
      window.clearTimeout(leaving);
      var query = input.value.trim().toLowerCase();
      empty(list);
      if (!query) { close(); return; }
      var answer = find(query);
      found = answer.rows;
      found.forEach(function (item, k) {
        list.appendChild(el("li", {
          role: "option", id: list.id + "-" + k, "aria-selected": "false",
          onmousedown: function (event) { event.preventDefault(); },
          onclick: function () { take(k); }
        }, el("span", { class: "what " + item.kind, "aria-hidden": "true" }), name(item.name),
        el("span", { class: "where" }, name(item.where))));
      });
      if (!found.length) { list.appendChild(el("li", { class: "none", text: t("map.search_none") })); }
      if (answer.more) {
        list.appendChild(el("li", { class: "none", text: t("map.search_more", { n: answer.more }) }));
      }
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      at = -1;
    }

    input.addEventListener("input", show);
    input.addEventListener("focus", function () { if (input.value) { input.select(); } });
    input.addEventListener("blur", function () { leaving = window.setTimeout(close, 150); });
    input.addEventListener("keydown", function (event) {
      if (event.key === "ArrowDown") { if (list.hidden) { show(); } mark(at + 1); event.preventDefault(); }
      else if (event.key === "ArrowUp") { mark(at - 1); event.preventDefault(); }
      else if (event.key === "Enter") { if (found.length && !list.hidden) { take(Math.max(at, 0)); } event.preventDefault(); }
      else if (event.key === "Escape") { close(); }
    });
  }

  /* Any part of the name; names that begin with it first, exact ones before all. */
  var KIND = /^(.+?)(?:自然村|行政村|村民委员会|村委会|村民小组|村|组|屯|寨|庄|小学|教学点|学校)$/;
  function finder(items, limit) {
    items.forEach(function (item) {
      item.key = item.name.toLowerCase();
      item.all = (item.name + " " + item.where + " " + (item.code || "")).toLowerCase();
    });
    function search(query, parts) {
      var hits = [];
      items.forEach(function (item) {
        if (parts.every(function (p) { return item.all.indexOf(p) >= 0; })) {
          var at = item.key.indexOf(parts[0]);
          hits.push([item.key === query ? 0 : at === 0 ? 1 : at > 0 ? 2 : 3, hits.length, item]);
        }
      });
      return hits.sort(function (a, b) { return a[0] - b[0] || a[1] - b[1]; });
    }
    return function (query) {
      var parts = query.split(/\s+/), hits = search(query, parts);
      /* People say "Li family dam village" where the register has "Li family dam". */
      if (!hits.length) { hits = search(query, parts.map(function (p) { return p.replace(KIND, "$1"); })); }
      return {
        rows: hits.slice(0, limit).map(function (h) { return h[2]; }),
        more: Math.max(0, hits.length - limit)
      };
    };
  }

  /* Put words into every element that asks for one. */
  function label(root) {
    root.querySelectorAll("[data-w]").forEach(function (node) { node.textContent = t(node.getAttribute("data-w")); });
    root.querySelectorAll("[data-label]").forEach(function (node) {
      node.setAttribute("aria-label", t(node.getAttribute("data-label")));
    });
    root.querySelectorAll("[data-hint]").forEach(function (node) {
      node.setAttribute("placeholder", t(node.getAttribute("data-hint")));
    });
  }

  /* Of a note written first in Chinese and then in English, the half in the page's language. */
  function half(text) {
    var parts = /^(.*[\u4e00-\u9fff].*[。！；])\s*([A-Za-z][\x20-\x7e]+)$/.exec(text);
    return parts ? parts[lang === "zh" ? 1 : 2] : text;
  }

  return {
    half: half, read: read, speak: speak, t: t, has: has, el: el, svg: svg, empty: empty, name: name,
    count: count, decimal: decimal, searchBox: searchBox, finder: finder, label: label,
    lang: function () { return lang; }
  };
})();
