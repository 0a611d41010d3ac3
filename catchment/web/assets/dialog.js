/* One dialog at a time, made of elements; it answers with the name of the button pressed. */
const C = window.Catchment;

/* The browser tells of a closed dialog a moment later: a question asked within that moment would be
   emptied and answered by it. So each question waits until the one before it has its answer. */
let earlier = Promise.resolve();

/* Ask something. `actions` are [name, word, kind]; the first one is what Enter does, Escape cancels.
   Nothing of the dialog is on the page before the next turn of the event loop. */
export function ask(title, body, actions, options = {}) {
  const asked = earlier.then(() => show(title, body, actions, options));
  earlier = asked.catch(() => null);
  return asked;
}

function show(title, body, actions, options) {
  const box = document.getElementById("dialog"), before = document.activeElement;
  return new Promise((answer) => {
    let chosen = null;
    const form = C.el("form", { method: "dialog", class: "ask " + (options.kind || "") },
      C.el("h2", { id: "dialog-title", text: title }), C.el("div", { class: "ask-body" }, body),
      C.el("div", { class: "ask-actions" }, actions.map(([name, word, kind]) => C.el("button", {
        type: name === "cancel" ? "button" : "submit", value: name, class: kind || "", "data-answer": name, text: word,
        onclick: () => { chosen = name; if (name === "cancel") { box.close(); } }
      }))));
    C.empty(box).appendChild(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      chosen = chosen || actions[0][0];
      const wrong = options.check ? options.check(chosen, form) : null;
      if (wrong && chosen !== "cancel") {
        chosen = null;
        let line = form.querySelector(".ask-wrong");
        if (!line) { line = C.el("p", { class: "ask-wrong bad", role: "alert" }); form.insertBefore(line, form.lastChild); }
        line.textContent = wrong.trim();
        line.hidden = !wrong.trim();
        return;
      }
      box.close();
    });
    box.addEventListener("close", function closed() {
      box.removeEventListener("close", closed);
      const values = chosen && chosen !== "cancel" ? read(form) : {};
      C.empty(box);
      if (before && before.isConnected) { before.focus({ preventScroll: true }); }
      answer({ answer: chosen || "cancel", values });
    });
    box.showModal();
    const first = form.querySelector("[autofocus]") || form.querySelector("input, select, textarea") || form.querySelector("[data-answer]");
    if (first) { first.focus(); }
  });
}

function read(form) {
  const out = {};
  form.querySelectorAll("[name]").forEach((f) => {
    if (f.type === "checkbox") { (out[f.name] = out[f.name] || []); if (f.checked) { out[f.name].push(f.value); } }
    else if (f.type === "radio") { if (f.checked) { out[f.name] = f.value; } }
    else { out[f.name] = f.value; }
  });
  return out;
}

let fields = 0;
/* A labelled field of a form. */
export function field(word, attrs, hint) {
  fields += 1;
  const id = "f" + fields, tag = attrs.tag || "input", own = Object.assign({}, attrs, { id });
  delete own.tag; delete own.options; delete own.value;
  const node = C.el(tag, own, (attrs.options || []).map(([value, text]) => C.el("option", { value, text })));
  if (attrs.value !== undefined) { node.value = attrs.value; }
  return C.el("p", { class: "field" }, C.el("label", { for: id, text: word }), node, hint ? C.el("small", { class: "quiet", text: hint }) : null);
}
