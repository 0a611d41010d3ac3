/* Talking to the server: requests, the event stream, and whether there is a connection at all. */

export class Refusal extends Error {
  constructor(status, body) {
    super(body.error || String(status));
    this.status = status;
    this.body = body;
  }

  /* What to tell the person, in the language of the page. */
  words(lang) { return this.body[lang] || this.body.zh || this.message; }
}

/* No answer came: the server is away. Whether it took the request is not known. */
export class Away extends Error {}

const PATIENCE = 30_000;

export async function call(method, path, body, options = {}) {
  const headers = { Accept: "application/json" }, form = body instanceof FormData;
  if (body !== undefined && !form) { headers["Content-Type"] = "application/json"; }
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, credentials: "same-origin", cache: method === "GET" ? "no-cache" : "no-store",
      body: body === undefined ? undefined : form ? body : JSON.stringify(body), signal: options.signal || AbortSignal.timeout(options.patience || PATIENCE)
    });
  } catch (fault) {
    if (options.signal && options.signal.aborted) { throw fault; }
    throw new Away(String(fault));
  }
  if (answer.status === 204) { return null; }
  let data;
  try { data = await answer.json(); } catch (fault) {
    if (answer.status === 502 || answer.status === 504) { throw new Away(String(fault)); }
    data = { error: "unreadable", zh: "服务器的回答无法读取（" + answer.status + "）", en: "The server's answer cannot be read (" + answer.status + ")" };
    throw new Refusal(answer.status, data);
  }
  if (!answer.ok) { throw new Refusal(answer.status, data); }
  return options.status ? { status: answer.status, data } : data;
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body, options) => call("POST", path, body === undefined ? {} : body, options);

/* The event stream; `on` holds a function for each kind of event, and `state(online)`. */
export function listen(on) {
  let source = null, waiting = 0, pause = 500, closed = false;

  function open() {
    source = new EventSource("/api/events");
    source.onopen = () => { pause = 500; };
    source.onerror = () => {
      source.close();
      on.state(false);
      if (closed) { return; }
      window.clearTimeout(waiting);
      waiting = window.setTimeout(open, pause);
      pause = Math.min(pause * 1.7, 5000);
    };
    ["hello", "change", "check", "job", "county"].forEach((kind) => source.addEventListener(kind, (event) => {
      if (kind === "hello") { on.state(true); }
      on[kind](JSON.parse(event.data));
    }));
  }

  open();
  window.addEventListener("online", () => { if (source.readyState === 2) { window.clearTimeout(waiting); open(); } });
  return { close: () => { closed = true; source.close(); } };
}

/* A one-time link carries its token behind the #, which no server ever sees in an address. */
export async function enter() {
  const found = /[#&]t=([^&]+)/.exec(window.location.hash);
  if (found) {
    window.history.replaceState(null, "", window.location.pathname);
    return post("/api/session", { token: decodeURIComponent(found[1]) });
  }
  return get("/api/session");
}
