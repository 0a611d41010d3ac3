/* Changes on their way to the server, one after another. A change is a function from document to
   document; it counts only when the server has acknowledged it. While the server is away the changes
   wait here, in sight, and are sent again; an acknowledgement that was lost is recognised. */
import { Away, Refusal, call, get } from "./api.js";

/* What a document says, in an order of its own: the server fills in years and defaults and sorts the
   actions, and a document must be recognised in what it made of it. */
function gist(value, key) {
  if (Array.isArray(value)) { return value.map((v) => gist(v)); }
  if (value === null || typeof value !== "object") { return value; }
  const out = {};
  Object.keys(value).sort().forEach((k) => {
    const v = value[k];
    const empty = v === null || v === undefined || v === "" || v === 0 || (typeof v === "object" && !Object.keys(v).length);
    if (!empty && !(key === "road" && k === "class")) { out[k] = gist(v); }
  });
  return out;
}

function said(doc) {
  const actions = (doc.actions || []).map((a) => JSON.stringify(gist(a, a.do === "road" && a.road === "closed" ? "road" : ""))).sort();
  return JSON.stringify([doc.name || "", doc.note || "", actions, gist(doc.limits || {}), doc.class_size || null, (doc.method && doc.method.assignment) || "today"]);
}

const same = (a, b) => said(a) === said(b);

const fresh = () => Array.from(window.crypto.getRandomValues(new Uint8Array(16)), (x) => x.toString(16).padStart(2, "0")).join("");

export function createOutbox(app) {
  const queue = [];
  let busy = false, timer = 0, pause = 400;

  function push(item) {
    queue.push(item);
    app.linkState();
    pump();
  }

  /* The document as it will be when everything waiting has been taken. */
  function expected() {
    return queue.reduce((doc, item) => (item.make ? item.make(doc) : doc), app.model.variant ? app.model.variant.document : { actions: [] });
  }

  async function pump() {
    if (busy || !queue.length) { return; }
    const item = queue[0];
    let wait = 0;
    busy = true;
    window.clearTimeout(timer);
    try {
      const done = await send(item);
      queue.shift();
      pause = 400;
      app.taken(done, item);
    } catch (fault) {
      if (fault instanceof Away) {
        app.online(false);
        wait = pause;
        pause = Math.min(pause * 1.6, 4000);
      } else { wait = await refused(fault, item); }
    }
    busy = false;
    app.linkState();
    if (queue.length && wait >= 0) { timer = window.setTimeout(pump, wait); }
  }

  /* The variant a change is for is made first, where there is none yet. */
  async function send(item) {
    const year = app.model.years[app.state.year];
    if (!app.model.variant) {
      const made = await call("POST", "/api/variants", { document: { name: window.Catchment.t("web.first_variant"), note: "", actions: [] }, why: "", from: null, answer: false });
      app.model.set({ variant: made.variant });
    }
    const v = app.model.variant, id = item.variant || v.id;
    const before = item.expected || v.version;
    item.expected = before;
    item.variant = id;
    /* By this name the server knows the request when it comes again because its answer was lost. */
    item.ask = item.ask || fresh();
    if (item.move) { return call("POST", `/api/variants/${id}/${item.move}`, { expected: before, year, whole: false, ask: item.ask }); }
    item.document = item.document || item.make(v.document);
    try {
      return await call("PUT", `/api/variants/${id}`, { expected: before, document: item.document, why: item.why || "", year, whole: false, ask: item.ask });
    } catch (fault) {
      if (fault instanceof Refusal && fault.status === 409 && fault.body.variant && same(fault.body.variant.document, item.document)) {
        return taken(id, fault.body.variant, year);
      }
      throw fault;
    }
  }

  async function taken(id, variant, year) {
    return { variant, answer: await get(`/api/variants/${id}/answer?year=${year}`) };
  }

  /* Milliseconds to wait before going on; below 0: not before somebody says so. */
  async function refused(fault, item) {
    if (!(fault instanceof Refusal)) { queue.shift(); app.tell("bad", String(fault)); return 0; }
    if (fault.status === 429 || fault.status === 503) { return 1000; }
    if (fault.status === 401) { app.signIn(); return -1; }
    queue.shift();
    if (fault.status === 409 && fault.body.error === "conflict" && fault.body.variant) { await app.conflict(fault.body, item); return 0; }
    app.tell("bad", fault.words(window.Catchment.lang()));
    app.paint();
    /* The variant made for it stays. */
    app.variants.refresh();
    return 0;
  }

  /* Once more, on top of what the others made of it. */
  function again(item) {
    delete item.document; delete item.expected; delete item.ask;
    queue.unshift(item);
  }

  return {
    push, pump, again, expected, same,
    /* Nothing may wait for a variant that is being left. */
    get waiting() { return queue.length; },
    get sending() { return busy; },
    drop() { queue.length = 0; }
  };
}
