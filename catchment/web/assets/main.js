/* The workbench: one page over one county. State of the screen lives here; every figure comes from
   the server, every change goes to it and counts once it is acknowledged. */
import { Away, enter, get, listen, post } from "./api.js";
import { createColleague } from "./colleague.js";
import { conflict } from "./conflict.js";
import { ask, field } from "./dialog.js";
import { createEdit } from "./edit.js";
import { createFiles } from "./files.js";
import { createKeys } from "./keys.js";
import { createLegend } from "./legend.js";
import { createModel } from "./model.js";
import { createOutbox } from "./outbox.js";
import { createPanel } from "./panel.js";
import { createPlaces } from "./places.js";
import { createScene } from "./scene.js";
import { createSettings } from "./settings.js";
import { createTools } from "./tools.js";
import { createVariants } from "./variants.js";

const C = window.Catchment, byId = (id) => document.getElementById(id);
const CHECK_AFTER = 1200, YEARS_AFTER = 450;

const app = {
  state: {
    view: "plan", year: 0, band: 0, fill: "catchments", tab: "figures", scope: "county", open: null, tool: "look", only: "fail", when: "year",
    why: "", allBands: false, meeting: false,
    layers: { catchments: true, townships: true, roads: true, villages: true, over: true, schools: true, names: true, rooms: true, allSchools: false }
  },
  session: null, connected: true, boot: null,
  /* Year that is on its way, null where none is. */
  turning: null
};

/* For checks from outside. */
C.workbench = app;

app.may = (what) => Boolean(app.session && (app.session.can.includes(what) || (what === "edit" && ["editor", "approver"].includes(app.session.role))));
app.canAsk = () => app.may("edit") && !app.state.meeting;
app.canEdit = () => app.canAsk() && !(app.model.variant && app.model.variant.state === "approved");
app.reason = () => app.state.why.trim();

/* ---------------------------------------------------------------- painting */

let begun = 0, arrived = 0;
/* A click that will change figures: the time until they are all on the screen is measured. */
app.begin = () => { begun = begun || performance.now(); };

/* What is written into the page comes first, the focus last: asking for it lays the page out. */
app.paint = (all) => {
  controls();
  app.variants.buttons();
  app.linkState();
  app.legend.paint();
  app.scene.paint(all);
  app.panel.paint();
  if (!begun) { return; }
  const start = begun, answer = arrived || begun;
  begun = arrived = 0;
  window.requestAnimationFrame(() => window.setTimeout(() => {
    performance.measure("catchment:change", { start, end: performance.now() });
    performance.measure("catchment:drawn", { start: answer, end: performance.now() });
  }, 0));
};

let asked = 0, later = 0;
app.change = (part) => {
  if ("year" in part && !app.model.has(part.year)) { app.turning = part.year; wholeAnswer(part.year, part); return; }
  if ("year" in part) { app.turning = null; asked += 1; }
  const frames = "view" in part && part.view !== app.state.view, year = "year" in part && part.year !== app.state.year;
  Object.assign(app.state, part);
  if (frames) { app.scene.frames(); }
  app.paint("layers" in part || frames);
  if (year) { yearFigures(); }
  remember();
};

app.tab = (name) => app.change({ tab: name, open: null });

app.open = (place, fly) => {
  if (place) { document.body.classList.add("reading"); app.state.why = ""; }
  app.change({ open: place });
  if (!place) { byId("page").focus({ preventScroll: true }); return; }
  const at = place[0] === "site" ? app.model.sitesAt()[place[1]] : app.model.payload.villages.at[place[1]];
  if (fly && at.length) { app.scene.fly(at); }
  const back = byId("back");
  if (back && fly) { back.focus({ preventScroll: true }); }
};

/* A name that leads to its place. */
app.go = (kind, k, text) => C.el("button", { type: "button", class: "link", "data-keep": kind + k, onclick: () => app.open([kind, k], true) }, C.name(text));

function press(box, value) {
  box.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(b.getAttribute("data-value") === String(value))));
}

function controls() {
  const s = app.state, years = app.model.years;
  press(byId("view"), s.view);
  press(byId("band"), s.band);
  byId("year").max = years.length - 1;
  byId("year").value = app.turning === null ? s.year : app.turning;
  byId("year").setAttribute("aria-valuetext", String(years[s.year]));
  byId("year-out").textContent = String(years[s.year]);
  byId("fill").value = s.fill;
  byId("variant-name").textContent = app.model.variantName() + (app.model.variant && app.model.variant.state === "approved" ? " · " + C.t("web.approved") : "");
  document.body.classList.toggle("readonly", !app.canEdit());
  document.body.classList.toggle("meets", s.meeting);
  document.body.classList.toggle("placed", Boolean(s.open));
  byId("meeting").setAttribute("aria-pressed", String(s.meeting));
}

/* ---------------------------------------------------------------- messages and connection */

app.tell = (kind, text) => {
  const box = byId("callouts"), line = C.el("p", { class: "callout " + kind, role: kind === "bad" ? "alert" : "status" }, C.el("span", { text }),
    C.el("button", { type: "button", class: "close", "aria-label": C.t("web.close"), text: "×", onclick: () => line.remove() }));
  while (box.children.length > 2) { box.firstChild.remove(); }
  box.appendChild(line);
  if (kind !== "bad") { window.setTimeout(() => line.remove(), 6000); }
};

app.failed = (fault) => {
  if (fault instanceof Away) { app.online(false); return; }
  if (fault.status === 401) { app.signIn(); return; }
  app.tell("bad", fault.words ? fault.words(C.lang()) : String(fault));
};

app.online = (on) => { app.connected = on; app.linkState(); };

app.linkState = () => {
  const box = byId("link-state"), waiting = app.outbox ? app.outbox.waiting : 0;
  const kind = "link-state " + (!app.connected ? "away" : waiting ? "saving" : "saved"), text = !app.connected ? C.t(waiting ? "web.away_waiting" : "web.away", { n: waiting }) : waiting ? C.t("web.saving") : app.model && app.model.variant ? C.t("web.saved", { n: app.model.variant.version }) : "";
  if (box.className !== kind) { box.className = kind; }
  if (box.textContent !== text) { box.textContent = text; }
  /* A sheet that goes from hand to hand says which year and version it shows. */
  const paper = app.model ? [app.model.years[app.state.year], text].filter(Boolean).join(" · ") : "";
  if (byId("paper").textContent !== paper) { byId("paper").textContent = paper; }
};

/* ---------------------------------------------------------------- variants and answers */

app.show = (variant, answer) => {
  const first = !app.model.variant || !variant || app.model.variant.id !== variant.id;
  app.model.set({ variant, answer, check: null });
  app.state.year = Math.min(app.state.year, app.model.years.length - 1);
  if (first) { app.variants.forget(); app.state.open = app.state.open && app.state.open[0] === "site" && app.state.open[1] >= app.model.nSites ? null : app.state.open; }
  app.scene.placeSites(app.model.sitesAt());
  app.variants.stale();
  app.paint();
  fullCheck(CHECK_AFTER);
  remember();
};

/* The server took a change. */
app.taken = (done, item) => {
  arrived = performance.now();
  app.online(true);
  if (app.model.variant && done.variant.id !== app.model.variant.id) { return; }
  if (item.why && item.why === app.reason()) { app.state.why = ""; }
  /* The year was turned meanwhile: the answer's own year is shown until the other has come. */
  const wanted = app.state.year, own = done.answer.years.indexOf(done.answer.year);
  app.state.year = own;
  app.show(done.variant, done.answer);
  if (wanted !== own) { app.change({ year: wanted }); }
  fetchYears();
  after(() => {
    app.variants.refresh();
    if (app.state.tab === "history") { app.variants.forget(); app.panel.page(); }
  });
};

/* What need not be in the picture of a click is done once that has been painted. */
function after(what) { window.requestAnimationFrame(() => window.setTimeout(what, 0)); }

/* The answer with the plan of all years: figures belong to a year, and a click is answered with the
   year shown alone. `part` is the change that waits for it. */
async function wholeAnswer(y, part) {
  const v = app.model.variant;
  window.clearTimeout(later);
  if (!v) { return; }
  asked += 1;
  const mine = asked, year = app.model.years[y];
  try {
    const answer = await get(`/api/variants/${v.id}/answer?year=${year}`);
    if (mine !== asked) { return; }
    app.turning = null;
    if (!app.model.variant || app.model.variant.id !== v.id || answer.version !== app.model.variant.version) { controls(); return; }
    /* Where the year in sight stood already, nothing of the picture changes. */
    const seen = !part && app.model.fresh() && app.model.answer.digest === answer.digest;
    app.model.set({ answer });
    if (part) { Object.assign(app.state, part); remember(); }
    if (!seen) { app.paint(); }
  } catch (fault) {
    if (mine === asked) { app.turning = null; controls(); }
    app.failed(fault);
  }
}

const yearFigures = () => wholeAnswer(app.state.year);

/* The other years are fetched once the hands rest. */
function fetchYears() {
  window.clearTimeout(later);
  later = window.setTimeout(() => { if (!app.outbox.waiting && !app.model.has(app.state.year ? 0 : 1)) { wholeAnswer(app.state.year); } }, YEARS_AFTER);
}

/* All rules and all years: told by an event, asked for when the event does not come. */
let timer = 0;
function fullCheck(wait) {
  window.clearTimeout(timer);
  if (!app.model.variant) { return; }
  timer = window.setTimeout(async () => {
    const v = app.model.variant;
    if (!v || (app.model.check && app.model.check.version === v.version)) { return; }
    /* A change is on its way: this version is about to be an old one. */
    if (app.outbox.waiting) { fullCheck(CHECK_AFTER); return; }
    try {
      const check = await get(`/api/variants/${v.id}/check?version=${v.version}`);
      if (!app.model.variant || app.model.variant.id !== v.id || app.model.variant.version !== v.version) { return; }
      if (check.state === "pending") { fullCheck(CHECK_AFTER); return; }
      if (check.state === "failed") { app.tell("bad", check[C.lang()] || check.zh || C.t("web.check_failed")); return; }
      if (check.agrees === false && check.plan) {
        /* The whole run is what counts. */
        app.model.set({ answer: Object.assign({}, app.model.answer, { plan: Object.assign({}, app.model.answer.plan, check.plan) }) });
        app.tell("warn", C.t("web.check_differs"));
        app.model.set({ check });
        app.paint();
        return;
      }
      app.model.set({ check });
      app.panel.page();
    } catch (fault) { if (fault instanceof Away) { app.online(false); } }
  }, wait);
}

/* What a document not yet saved says that the one on the table does not. */
app.mineWords = (doc) => {
  const old = app.model.variant ? app.model.variant.document : { actions: [] }, key = (a) => JSON.stringify(a), had = new Set(old.actions.map(key)), has = new Set(doc.actions.map(key));
  const out = doc.actions.filter((a) => !had.has(key(a))).map(app.variants.sentence)
    .concat(old.actions.filter((a) => !has.has(key(a))).map((a) => C.t("web.taken_back") + app.variants.sentence(a)));
  if (!app.outbox.same(Object.assign({}, old, { name: "", actions: [] }), Object.assign({}, doc, { name: "", actions: [] }))) { out.push(C.t("web.limits")); }
  if (old.name !== doc.name) { out.push(C.t("web.rename") + C.t("web.colon") + doc.name); }
  return out;
};

app.conflict = async (body, item) => {
  const choice = await conflict(app, body, item);
  if (choice === "mine") { app.show(body.variant, await get(`/api/variants/${body.variant.id}/answer?year=${app.model.years[app.state.year]}`)); app.outbox.again(item); return; }
  if (choice === "copy") {
    const doc = Object.assign({}, item.document, { name: C.t("web.copy_of", { n: item.document.name }) });
    const made = (await post("/api/variants", { document: doc, why: item.why || "", from: body.variant.id })).variant;
    app.outbox.drop();
    await app.variants.refresh();
    await app.variants.open(made.id, true);
    return;
  }
  app.outbox.drop();
  await app.variants.open(body.variant.id, true);
};

/* ---------------------------------------------------------------- events */

function listenToServer() {
  listen({
    state: (on) => { app.online(on); if (on) { app.outbox.pump(); } },
    hello: async (e) => {
      const restarted = app.boot && e.boot !== app.boot;
      app.boot = e.boot;
      if (!restarted) { return; }
      app.tell("good", C.t("web.back"));
      await app.variants.refresh();
      await app.colleague.refresh();
      if (app.model.variant && !app.outbox.waiting) { app.variants.open(app.model.variant.id, true); }
    },
    change: (e) => {
      const v = app.model.variant;
      /* News of the own change comes before its answer, which refreshes the list itself. */
      if (!app.outbox.waiting || (v && e.variant !== v.id)) { app.variants.refresh(); }
      if (!v || e.variant !== v.id || e.version <= v.version || app.outbox.waiting) { return; }
      const words = e.words && e.words[C.lang()], what = Array.isArray(words) ? words.join(C.lang() === "zh" ? "；" : "; ") : words || "";
      if (e.kind === "delete") { app.tell("warn", C.t("web.other_deleted", { w: e.by })); app.show(null, null); return; }
      window.setTimeout(() => {
        if (app.model.variant && app.model.variant.id === e.variant && e.version > app.model.variant.version && !app.outbox.waiting) {
          app.tell("warn", C.t("web.other_changed", { w: e.by, c: what }));
          app.variants.open(e.variant, true);
        }
      }, 300);
    },
    check: (e) => { const v = app.model.variant; if (v && e.variant === v.id && e.version === v.version) { fullCheck(0); } },
    job: (e) => app.colleague.news(e),
    county: () => app.reloadCounty()
  });
}

let reloading = false;
app.reloadCounty = () => { if (!reloading) { reloading = true; window.location.reload(); } };

/* ---------------------------------------------------------------- sign in */

/* Shown once, whoever asks; answers when somebody is signed in. */
let signing = null;
app.signIn = () => {
  signing = signing || signInForm().then((session) => { signing = null; app.session = session; if (app.outbox) { app.outbox.pump(); } return session; });
  return signing;
};

async function signInForm() {
  for (;;) {
    const asked = await ask(C.t("web.sign_in"), [
      C.el("p", { class: "quiet", text: C.t("web.sign_in_note") }),
      field(C.t("web.user"), { name: "user", type: "text", autocomplete: "username", required: true }),
      field(C.t("web.password"), { name: "password", type: "password", autocomplete: "current-password", required: true })
    ], [["ok", C.t("web.sign_in"), "primary"]]);
    if (asked.answer !== "ok") { continue; }
    try { return await post("/api/login", { user: asked.values.user, password: asked.values.password }); } catch (fault) {
      app.tell("bad", fault.words ? fault.words(C.lang()) : C.t("web.away"));
    }
  }
}

/* ---------------------------------------------------------------- the frame of the page */

/* The address holds what is on the table; browsers are slow to take a new one. */
let remembering = 0;
function remember() {
  window.clearTimeout(remembering);
  remembering = window.setTimeout(() => {
    const v = app.model.variant, hash = "#" + (v ? "v=" + v.id + "&" : "") + "year=" + app.model.years[app.state.year];
    if (window.location.hash !== hash) { window.history.replaceState(null, "", window.location.pathname + hash); }
  }, 300);
}

function build() {
  const p = app.model.payload, t = C.t;
  document.title = p.county + " · " + t("web.title");
  C.label(document.body);
  byId("county").textContent = p.county;
  byId("note").textContent = C.half(p.note);
  byId("note").hidden = !p.note;
  byId("lang").textContent = C.lang() === "zh" ? "English" : "中文";
  byId("lang").setAttribute("lang", C.lang() === "zh" ? "en" : "zh-CN");
  byId("me").textContent = app.session.user + " · " + t("web.role_" + app.session.role);
  byId("me").disabled = app.session.mode !== "office";
  byId("stamp").textContent = [C.half(p.note), p.digest ? t("map.stamp_digest", { d: p.digest }) : "", p.crs].filter(Boolean).join(" · ");
  C.empty(byId("band"));
  p.bands.forEach((b, k) => byId("band").appendChild(C.el("button", { type: "button", "data-value": k, title: app.model.bandName(k), text: app.model.bandShort(k), onclick: () => app.change({ band: k }) })));
  C.empty(byId("fill"));
  ["catchments", "minutes", "change", "modes"].forEach((f) => byId("fill").appendChild(C.el("option", { value: f, text: t("map.fill_" + f) })));
  app.tools.buildRail();
  app.tools.say();
}

function wire() {
  byId("view").addEventListener("click", (e) => { const v = e.target.getAttribute("data-value"); if (v) { app.change({ view: v }); } });
  byId("year").addEventListener("input", (e) => app.change({ year: Number(e.target.value) }));
  byId("fill").addEventListener("change", (e) => app.change({ fill: e.target.value }));
  byId("undo").addEventListener("click", () => app.step("undo"));
  byId("redo").addEventListener("click", () => app.step("redo"));
  byId("limits").addEventListener("click", () => app.settings.open());
  byId("variant").addEventListener("click", () => app.tab("variants"));
  /* Space and Enter come as a click without a pointer: nobody leaves a meeting by the key that turns a page. */
  byId("meeting").addEventListener("click", (e) => { if (!app.state.meeting || e.detail > 0) { app.meet(!app.state.meeting); } });
  byId("print").addEventListener("click", () => window.print());
  byId("me").addEventListener("click", async () => { await post("/api/logout").catch(() => null); window.location.reload(); });
  byId("lang").addEventListener("click", () => { C.speak(app.words, C.lang() === "zh" ? "en" : "zh"); build(); app.paint(); app.linkState(); });
  byId("grip").addEventListener("click", () => {
    byId("grip").setAttribute("aria-expanded", String(document.body.classList.toggle("tall")));
    window.setTimeout(app.scene.frames, 0);
  });
  const tabs = Array.from(byId("tabs").querySelectorAll("[role=tab]"));
  tabs.forEach((b, k) => {
    b.addEventListener("click", () => app.tab(b.id.slice(4)));
    b.addEventListener("keydown", (e) => {
      const step = e.key === "ArrowRight" ? 1 : e.key === "ArrowLeft" ? -1 : 0;
      if (step) { const next = tabs[(k + step + tabs.length) % tabs.length]; app.tab(next.id.slice(4)); next.focus(); e.preventDefault(); }
    });
  });
  const p = app.model.payload, items = p.sites.name.map((n, j) => ({ kind: "site", k: j, name: n, where: p.sites.town[j], code: p.sites.id[j] }))
    .concat(p.villages.name.map((n, i) => ({ kind: "village", k: i, name: n, where: p.villages.towns[p.villages.town[i]], code: p.villages.id[i] })));
  C.searchBox(byId("find"), byId("found"), C.finder(items, 30), (item) => app.open([item.kind, item.k], true));
  window.addEventListener("beforeunload", (e) => { if (app.outbox.waiting) { e.preventDefault(); } });
}

app.step = (move) => {
  if (!app.canEdit() || !app.model.variant) { return; }
  app.begin();
  app.outbox.push({ move });
};

/* Meeting: large type, today beside the variant, nothing can be changed. */
app.meet = (on) => {
  app.tools.take("look");
  /* What was said of the other way of working no longer holds. */
  byId("callouts").querySelectorAll(".good").forEach((line) => line.remove());
  Object.assign(app.state, { meeting: on, view: on ? "both" : "plan", tab: "figures", open: null });
  app.paint();
  app.scene.frames();
  app.scene.fit();
  app.paint(true);
  if (on) {
    byId("page").focus({ preventScroll: true });
    app.tell("good", C.t("web.meeting_keys"));
  }
};

/* Enter and Space stay: leaving is a choice of its own. */
app.askLeave = async () => {
  const asked = await ask(C.t("web.meeting_leave"), C.el("p", { text: C.t("web.meeting_leave_note") }), [["cancel", C.t("web.meeting_stay"), "primary"], ["ok", C.t("web.meeting_leave_ok")]]);
  if (asked.answer === "ok" && app.state.meeting) { app.meet(false); }
};

async function start() {
  /* Who is it? The words of a sign-in form are needed before anybody is. */
  let stranger = null;
  try { app.session = await enter(); } catch (fault) {
    if (fault.status !== 401) { throw fault; }
    stranger = fault;
  }
  app.words = await words();
  C.speak(app.words, (app.session || stranger.body).lang || "zh");
  C.label(document.body);
  if (stranger) {
    if (stranger.body.mode !== "office") { throw stranger; }
    app.session = await app.signIn();
    C.speak(app.words, app.session.lang || C.lang());
  }
  const payload = await get("/api/county"), hash = new URLSearchParams(window.location.hash.slice(1));
  app.boot = app.session.boot;
  app.model = createModel(payload, app.state);
  app.state.year = payload.years.length > 1 ? 1 : 0;
  const year = payload.years.indexOf(Number(hash.get("year")));
  if (year >= 0) { app.state.year = year; }
  app.state.layers.townships = payload.townships.length > 0;
  app.outbox = createOutbox(app);
  app.edit = createEdit(app);
  app.panel = createPanel(app);
  app.places = createPlaces(app);
  app.legend = createLegend(app);
  app.variants = createVariants(app);
  app.colleague = createColleague(app);
  app.files = createFiles(app);
  app.settings = createSettings(app);
  app.tools = createTools(app);
  if (window.matchMedia("(min-width: 1200px)").matches) { byId("legend").open = true; }
  app.scene = createScene(app);
  app.model.set({ edges: app.scene.land.edges });
  app.tools.listen(app.scene.boards[0], 0);
  build();
  wire();
  createKeys(app);
  await app.variants.refresh();
  const wanted = Number(hash.get("v")) || (app.variants.list().length ? app.variants.list()[0].id : 0);
  if (!(wanted && app.variants.list().some((v) => v.id === wanted) && await app.variants.open(wanted, true))) { app.paint(true); }
  app.scene.frames();
  app.scene.fit();
  app.scene.hold(false);
  app.paint(true);
  listenToServer();
  app.colleague.refresh();
  app.linkState();
  window.requestAnimationFrame(() => window.requestAnimationFrame(() => { performance.mark("catchment:painted"); document.documentElement.setAttribute("data-ready", "1"); }));
}

/* Words come as key: [zh, en]; the page wants a table a language. */
async function words() {
  const both = await get("/api/words"), out = { zh: {}, en: {} };
  Object.entries(both).forEach(([k, w]) => { out.zh[k] = w[0]; out.en[k] = w[1]; });
  return out;
}

start().catch((fault) => {
  const text = fault.status === 401 ? C.t("web.open_link") : fault.words ? fault.words(C.lang()) : "打不开工作台，请重新运行 catchment serve 并用新链接打开。 / The workbench cannot be opened; run catchment serve again and use its new link. (" + fault + ")";
  byId("callouts").appendChild(C.el("p", { class: "callout bad", role: "alert", text }));
  document.documentElement.setAttribute("data-failed", "1");
});
