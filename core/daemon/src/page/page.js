// What makes the status page live: fragments that the server sends, times that go on, the filter,
// and the buttons. Without it the page is complete and can be read; with it nothing is built here
// but text: fragments come as the server escaped them.
"use strict";

(() => {
  const $ = (id) => document.getElementById(id);
  const root = document.documentElement;

  // Times. The server's clock is the one that counts: this machine's may be wrong.
  const skew = Date.parse(root.dataset.now) - Date.now();

  function distance(moment) {
    const seconds = Math.trunc((moment - (Date.now() + skew)) / 1000);
    const size = Math.abs(seconds);
    if (size < 5) return "now";
    const [number, unit] =
      size < 60 ? [size, "s"]
      : size < 3600 ? [Math.trunc(size / 60), "min"]
      : size < 172800 ? [Math.trunc(size / 3600), "h"]
      : [Math.trunc(size / 86400), "d"];
    return seconds < 0 ? `${number} ${unit} ago` : `in ${number} ${unit}`;
  }

  function tick(within) {
    for (const time of within.querySelectorAll("time[data-from-now]")) {
      const said = distance(Date.parse(time.dateTime));
      if (time.textContent !== said) time.textContent = said;
    }
  }

  // The filter: by words in a row's name and way, and by its group of states.
  const find = $("find");
  const chips = [...document.querySelectorAll(".chip")];

  function sift() {
    if (!find) return;
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const group = chips.find((chip) => chip.getAttribute("aria-pressed") === "true")?.dataset.group;
    let shown = 0;
    for (const row of document.querySelectorAll("[data-words]")) {
      const fits = words.every((word) => row.dataset.words.includes(word))
        && (!group || group === "all" || row.dataset.group === group);
      row.hidden = !fits;
      shown += fits;
    }
    $("none-found").hidden = shown > 0;
    $("shown").textContent = `${shown} shown`;
  }

  if (find) {
    $("finder").hidden = false;
    find.addEventListener("input", sift);
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
        sift();
      });
    }
    sift();
  }

  // Live fragments. A fragment replaces the element of its own id; what its reader had opened or
  // was at stays so.
  const live = $("live");

  function say(on, words) {
    if (!live) return;
    live.dataset.live = on ? "on" : "off";
    live.lastElementChild.textContent = words;
  }

  function put(fragment) {
    const old = $(fragment.id);
    if (!old) return;
    const made = document.createElement("template");
    made.innerHTML = fragment.html;
    const fresh = made.content.firstElementChild;
    if (!fresh) return;
    tick(fresh);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...old.querySelectorAll("details[open]")].map((detail) => detail.id);
    for (const id of open) fresh.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "");
    old.replaceWith(fresh);
    if (focused) $(focused)?.focus();
    enable();
  }

  // Nobody looks at a hidden page, and browsers keep few connections to one server.
  let events = null;

  function listen() {
    if (events || document.hidden) return;
    events = new EventSource(root.dataset.events);
    events.addEventListener("open", () => say(true, "Live"));
    events.addEventListener("error", () => {
      say(false, "Not connected; trying again");
      // A browser tries again by itself, unless it was refused.
      if (events?.readyState !== EventSource.CLOSED) return;
      events = null;
      setTimeout(listen, 10000);
    });
    events.addEventListener("fragments", (event) => {
      for (const fragment of JSON.parse(event.data)) put(fragment);
      sift();
    });
    // Connections have come or gone: the page as a whole is another one.
    events.addEventListener("changed", () => location.reload());
  }

  function look() {
    if (!document.hidden) return listen();
    events?.close();
    events = null;
  }

  if (window.EventSource && root.dataset.events) {
    document.addEventListener("visibilitychange", look);
    listen();
  }

  setInterval(() => tick(document), 5000);
  tick(document);

  // Buttons. The token is asked for once and forgotten with the tab.
  const KEY = "tributary.token";
  const said = $("said");
  const ask = $("token-dialog");
  const sure = $("sure-dialog");

  function enable() {
    for (const button of document.querySelectorAll("[data-act]")) button.hidden = false;
  }

  function answer(tone, words) {
    said.className = `said ${tone}`;
    said.textContent = words;
  }

  // Opens a dialog and waits until it is closed; true if it was not by "cancel". One after the
  // other: a dialog says that it was closed only a moment after it was.
  let closed = Promise.resolve();

  function opened(dialog) {
    closed = closed.then(() => new Promise((done) => {
      dialog.returnValue = "";
      dialog.addEventListener("close", () => done(dialog.returnValue === "go"), { once: true });
      dialog.showModal();
    }));
    return closed;
  }

  async function token() {
    const known = sessionStorage.getItem(KEY);
    if (known) return known;
    const field = $("token");
    field.value = "";
    if (!(await opened(ask)) || !field.value) return null;
    sessionStorage.setItem(KEY, field.value);
    field.value = "";
    return sessionStorage.getItem(KEY);
  }

  async function certain(button) {
    if (!button.dataset.sure) return true;
    $("sure-what").textContent = button.dataset.sure;
    return opened(sure);
  }

  async function refusal(response) {
    if (response.status === 401) {
      sessionStorage.removeItem(KEY);
      return "The token is wrong. Nothing was changed; press the button again to enter another.";
    }
    const body = await response.json().catch(() => null);
    const error = body?.error;
    const words = [error?.what ?? error?.message ?? (typeof error === "string" ? error : null), error?.fix];
    const known = words.filter(Boolean).join(". ");
    return known || `The daemon refused it (${response.status}).`;
  }

  async function act(button) {
    if (!(await certain(button))) return;
    const bearer = await token();
    if (!bearer) return;
    button.disabled = true;
    answer("", "Asking the daemon…");
    try {
      const response = await fetch(button.dataset.act, {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: button.dataset.body || "{}",
      });
      if (response.ok) answer("good", button.dataset.done);
      else answer("bad", await refusal(response));
    } catch {
      answer("bad", "The daemon could not be reached. Nothing is known about the change.");
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-act]");
    if (button && !button.disabled) act(button);
  });
  if (ask) enable();
})();
