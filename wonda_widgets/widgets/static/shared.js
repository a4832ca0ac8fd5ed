// Helpers for all panels. Each panel's own files follow in the same module.
//
// Text from outside becomes text nodes and attributes, never HTML. A view builds its
// elements once and updates them from the model, which holds the state.

let ids = 0;
const uid = (name) => `wonda-${name}-${Date.now().toString(36)}-${ids++}`;

/** Make an element: `h("p", { class: "x", onclick }, "text", child)`. */
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  // Typed text may be written right to left.
  if (node.matches("textarea, input:not([type]), input:is([type=text], [type=search])"))
    node.dir = "auto";
  node.append(...children.filter((child) => child != null));
  return node;
}

/**
 * Create a view: its `root`, `on(names, paint)` to update it when traits change,
 * `onMessage`, and the `signal` and function that end it.
 */
function view(model, el, name) {
  const ended = new AbortController();
  const root = h("section", { class: `wonda wonda-${name}` });
  el.append(root);
  // Hides the static output below this panel as long as this panel is live.
  const hiding = h("style");
  el.append(hiding);
  const on = (names, paint) => {
    const events = names.split(" ").map((trait) => `change:${trait}`).join(" ");
    // One message may change several traits, each with a separate event.
    let due = false;
    const soon = () => {
      if (due) return;
      due = true;
      queueMicrotask(() => {
        due = false;
        if (!ended.signal.aborted) paint();
      });
    };
    model.on(events, soon);
    ended.signal.addEventListener("abort", () => model.off(events, soon));
    paint();
  };
  const onMessage = (receive) => {
    model.on("msg:custom", receive);
    ended.signal.addEventListener("abort", () => model.off("msg:custom", receive));
  };
  on("scroll_requested_at", () => {
    // An old request dates from before the page was reloaded.
    if (Date.now() / 1000 - model.get("scroll_requested_at") > 5) return;
    setTimeout(() => root.scrollIntoView({ block: "nearest", behavior: "smooth" }), 150);
  });
  on("hiding", () => (hiding.textContent = model.get("hiding")));

  // When a select or a button has the focus, the notebook would handle plain keys as its
  // own shortcuts: an arrow would move to another cell, an "x" would cut this one. The notebook
  // listens on the document, before the panel; this attribute makes it ignore a key.
  const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.altKey;
  const suppress = (event) => {
    if (!root.contains(event.target)) return;
    event.target.toggleAttribute("data-lm-suppress-shortcuts", isPlain(event));
    // A key that is held down presses a button only once.
    if (event.repeat && event.target.tagName === "BUTTON") event.preventDefault();
  };
  window.addEventListener("keydown", suppress, { capture: true, signal: ended.signal });
  // Other front ends listen on an element around the panel.
  root.addEventListener("keydown", (event) => isPlain(event) && event.stopPropagation());
  return { root, on, onMessage, signal: ended.signal, end: () => ended.abort() };
}

/** Send a message; return false if there is no kernel. */
function tell(model, content) {
  try {
    model.send(content);
    return true;
  } catch {
    return false;
  }
}

/** Set traits and send them immediately. */
function put(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  try {
    model.save_changes();
  } catch {
    // There is no kernel; the page keeps the typed text.
  }
}

/** Call `act` for a key before the notebook handles it as a shortcut. */
function hotkey(root, signal, matches, act, { held = false } = {}) {
  const listen = (event) => {
    if (!root.contains(event.target) || !matches(event) || event.isComposing) return;
    // A key that is held down acts only once, unless `held` is set.
    if ((held || !event.repeat) && act(event) === false) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  // The notebook listens on the document; only the window comes before it.
  window.addEventListener("keydown", listen, { capture: true, signal });
}
const isSubmit = (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey);
const isEscape = (event) => event.key === "Escape";

/** A label above a control, with room for a count and a message under it. */
function field(label, control, { help = "", aside = null } = {}) {
  control.id ||= uid("field");
  const message = h("p", { class: "wonda-field-error", id: uid("message"), hidden: true });
  const hint = help ? h("p", { class: "wonda-help", id: uid("help") }, help) : null;
  control.setAttribute("aria-describedby", [hint?.id, message.id].filter(Boolean).join(" "));
  const node = h(
    "div",
    { class: "wonda-field" },
    h("div", { class: "wonda-label-row" }, h("label", { for: control.id }, label), aside),
    control.wondaBox ?? control,
    hint,
    message,
  );
  return {
    node,
    control,
    say(text) {
      message.textContent = text;
      message.hidden = !text;
      control.setAttribute("aria-invalid", text ? "true" : "false");
    },
  };
}

/** A native select; `options` are {value, label}. */
function select(options, value, onchange) {
  const control = h("select", { class: "wonda-select", onchange });
  fillSelect(control, options, value);
  return control;
}
function fillSelect(control, options, value) {
  control.replaceChildren(
    ...options.map((option) => h("option", { value: option.value }, option.label)),
  );
  control.value = value;
}

/** Segments drawn over a native select, which handles focus and keys and has the name. */
function segments(options, value, onchange) {
  const control = select(options, value, () => {
    paint();
    onchange();
  });
  control.classList.add("wonda-under");
  const cells = options.map((option) =>
    h(
      "span",
      {
        onclick() {
          if (control.disabled) return;
          control.value = option.value;
          control.focus({ preventScroll: true });
          control.dispatchEvent(new Event("change"));
        },
      },
      option.label,
    ),
  );
  const drawn = h("div", { class: "wonda-segments", "aria-hidden": "true" }, ...cells);
  const paint = () =>
    cells.forEach((cell, index) =>
      cell.classList.toggle("wonda-on", options[index].value === control.value),
    );
  control.wondaBox = h("div", { class: "wonda-over" }, control, drawn);
  control.wondaPaint = paint;
  paint();
  return control;
}

/** A small drawing of a shape: `"4:5"`. */
function shapeIcon(ratio) {
  const [wide, high] = ratio.split(":").map(Number);
  const scale = 20 / Math.max(wide, high);
  const size = `width:${Math.max(5, wide * scale)}px;height:${Math.max(5, high * scale)}px`;
  return h("i", { style: size });
}

/** A button; it is outlined unless it is `primary`. */
function button(text, onclick, { primary = false, small = false } = {}) {
  const look = primary ? "wonda-primary" : "wonda-quiet";
  // Ignore the second click of a double click.
  const once = (event) => event.detail < 2 && onclick(event);
  return h(
    "button",
    { type: "button", class: `wonda-button ${look}${small ? " wonda-small" : ""}`, onclick: once },
    text,
  );
}

/** Whether the session has a permission. The kernel also checks it. */
const isAllowed = (model, permission) => model.get("permissions").includes(permission);

/** Mark a control for notebook users; a dashboard hides it. */
function forMakers(control) {
  control.classList.add("wonda-for-makers");
  return control;
}

/** A close button, for a panel that another panel has opened. */
function closing(model, on) {
  const control = button("Close", () => tell(model, { type: "close" }), { small: true });
  on("can_close", () => (control.hidden = !model.get("can_close")));
  return control;
}

/** Enable or disable a control without `disabled`, which would move the focus to the notebook. */
function turn(control, isOn) {
  control.setAttribute("aria-disabled", isOn ? "false" : "true");
}
const isOff = (control) => control.getAttribute("aria-disabled") === "true";

/** The alert of a panel: `{title, text}` or nothing. */
function alertBox(model, extra = null) {
  const title = h("strong");
  const text = h("span");
  const node = h(
    "div",
    { class: "wonda-alert", role: "alert", hidden: true },
    h("p", {}, title, " ", text),
    extra,
  );
  node.wondaPaint = () => {
    const error = model.get("error");
    node.hidden = !error;
    title.textContent = error?.title ?? "";
    text.textContent = error?.text ?? "";
  };
  return node;
}

/** The sandbox banner. */
function sandboxNote() {
  return h(
    "div",
    { class: "wonda-sandbox", role: "note" },
    h("strong", {}, "Sandbox"),
    h(
      "span",
      {},
      "Images are stock placeholders that may not match the prompt, and nothing is published.",
      forMakers(
        h("span", {}, " To use your own account, run ", h("code", {}, "ww.connect()")),
      ),
    ),
  );
}
function banner(model, root) {
  if (model.get("sandbox") && model.get("banner")) root.prepend(sandboxNote());
}

async function copy(text, control) {
  const said = control.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { readonly: true, class: "wonda-unseen" });
    area.value = text;
    control.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    control.focus();
  }
  control.textContent = "Copied";
  setTimeout(() => (control.textContent = said), 1500);
}

const bytesOf = (data) =>
  data?.buffer ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : data;

/** Create an object URL for bytes; return "" if there are none. */
function imageUrl(data, type) {
  const bytes = bytesOf(data);
  return bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], { type })) : "";
}

/** Show bytes in `img`; return the object URL, and revoke the `old` one. */
function showBytes(img, data, type, old = "") {
  const url = imageUrl(data, type);
  img.hidden = !url;
  if (url) img.src = url;
  else img.removeAttribute("src");
  if (old) URL.revokeObjectURL(old); // last, because an image may still load from it
  return url;
}

/** Have the browser save a file: its `name`, `mime` type and bytes. */
function download(root, { name, mime }, data) {
  const address = imageUrl(data, mime);
  const link = h("a", { href: address, download: name });
  root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * Send clicks one at a time. If the kernel does not confirm one soon, because it is busy or
 * has stopped, call `show(text)`.
 */
function delivery(model, { root, signal }, show) {
  let timer = 0;
  let waiting = false;
  const arrived = () => {
    clearTimeout(timer);
    waiting = false;
    show("");
  };
  model.on("change:receipt", arrived);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    model.off("change:receipt", arrived);
  });
  return {
    get waiting() {
      return waiting;
    },
    send(content) {
      if (waiting) return;
      waiting = true;
      clearTimeout(timer);
      const gone = () => root.closest(".jupyter-widgets-disconnected");
      const why = () =>
        show(
          gone()
            ? "The kernel has stopped. Run this cell again."
            : "The notebook is busy. Your action starts when the running cell finishes.",
        );
      if (tell(model, content) && !gone()) timer = setTimeout(why, 2500);
      else why();
    },
  };
}

/** Interpolate the share of the bar after `elapsed` seconds between `points`. */
function along(points, elapsed) {
  const next = points.findIndex(([at]) => at > elapsed);
  if (next < 0) return points.at(-1)[1];
  if (next === 0) return points[0][1];
  const [[from, low], [to, high]] = [points[next - 1], points[next]];
  return low + ((high - low) * (elapsed - from)) / (to - from);
}

/** "28–55 s", "1 min 05 s – 2 min 10 s". */
function span(low, high) {
  const [from, to] = [Math.floor(low), Math.ceil(high)];
  if (to < 60) return from === to ? `${to} s` : `${from}–${to} s`;
  return `${seconds(from)} – ${seconds(to)}`;
}

const seconds = (count) => {
  const whole = Math.max(0, Math.floor(count));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
};

/** Explanations of the service's status words. */
const MEANING = {
  submitted: "in progress",
  scheduled: "scheduled for later",
  queued: "waiting in the queue",
  idle: "waiting to start",
  locked: "starting",
  in_progress: "running",
};

/** The job of a panel: status word, elapsed time and a progress bar. */
function jobView(model, { on, signal }) {
  // A separate status region, so that a screen reader does not announce every second.
  const word = h("strong", { class: "wonda-status", role: "status" });
  const gloss = h("span", { class: "wonda-gloss" });
  const clock = h("span", { class: "wonda-clock" });
  const usual = h("span", { class: "wonda-clock" });
  const note = h("span", { class: "wonda-note", role: "status" });
  const stop = button("Stop watching", () => tell(model, { type: "stop" }), { small: true });
  const again = button("Resume watching", () => tell(model, { type: "resume" }), { small: true });
  const id = forMakers(
    button("Copy job ID", () => copy(model.get("job_id"), id), { small: true }),
  );
  const filled = h("div");
  const bar = h("div", { role: "progressbar", class: "wonda-bar" }, filled);
  const node = h(
    "div",
    { class: "wonda-job" },
    h(
      "div",
      { class: "wonda-job-row" },
      h("span", { class: "wonda-dot", "aria-hidden": "true" }),
      word,
      gloss,
      clock,
      usual,
      h("span", { class: "wonda-job-actions" }, id, stop, again),
    ),
    bar,
    note,
  );
  // Count the seconds from the last update, by a monotonic clock.
  let heard = performance.now();
  const listen = () => (heard = performance.now());
  model.on("change:job_updates", listen);
  if (model.get("job_phase") === "running") tell(model, { type: "refresh" });
  const tick = () => {
    const running = model.get("job_phase") === "running";
    const since = running ? (performance.now() - heard) / 1000 : 0;
    const elapsed = model.get("job_elapsed") + since;
    clock.textContent = seconds(elapsed);
    estimate(running ? elapsed : 0);
  };
  // Without known durations, the bar is indeterminate; with them, it shows an estimate.
  let reached = 0;
  let whose = "";
  const estimate = (elapsed) => {
    if (whose !== model.get("job_id")) reached = 0;
    whose = model.get("job_id");
    const points = model.get("job_durations").curve;
    const known = elapsed > 0 && !!points;
    bar.classList.toggle("wonda-estimated", known);
    // The bar never moves back, even if the service corrects the elapsed time.
    reached = known ? Math.max(reached, along(points, elapsed)) : 0;
    filled.style.width = known ? `${(100 * reached).toFixed(2)}%` : "";
    if (known) {
      bar.setAttribute("aria-valuenow", Math.floor(100 * reached));
      bar.setAttribute("aria-valuetext", `${model.get("job_status")}, estimated`);
    }
  };
  const timer = setInterval(tick, 250);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    model.off("change:job_updates", listen);
  });
  on("job_phase job_status job_note job_id job_label job_elapsed job_durations permissions", () => {
    const phase = model.get("job_phase");
    const status = model.get("job_status");
    node.hidden = phase === "none";
    node.dataset.phase = phase;
    node.classList.toggle("wonda-polling-problem", phase === "running" && !!model.get("job_note"));
    word.textContent = status;
    gloss.textContent = MEANING[status] ?? "";
    note.textContent = model.get("job_note");
    bar.setAttribute("aria-label", model.get("job_label"));
    bar.setAttribute("aria-valuetext", status);
    const { low, high } = model.get("job_durations");
    usual.textContent =
      phase === "running" && high ? `· usually ${span(low, high)} · progress is estimated` : "";
    for (const [name, value] of [["min", 0], ["max", 100], ["now", 100]]) {
      if (phase === "succeeded") bar.setAttribute(`aria-value${name}`, value);
      else bar.removeAttribute(`aria-value${name}`);
    }
    const focused = node.contains(document.activeElement) && document.activeElement;
    stop.hidden = phase !== "running" || !isAllowed(model, "generate");
    again.hidden = (phase !== "stopped" && phase !== "lost") || !isAllowed(model, "generate");
    if (focused === stop && stop.hidden) (again.hidden ? id : again).focus();
    if (focused === again && again.hidden) (stop.hidden ? id : stop).focus();
    tick();
  });
  return node;
}

/** Format a time (seconds since 1970) in the local zone; the day is omitted for today. */
function moment(seconds, more = {}) {
  const then = new Date(seconds * 1000);
  const today = then.toDateString() === new Date().toDateString();
  const day = today ? {} : { weekday: "short", day: "numeric", month: "short" };
  return then.toLocaleString([], { ...day, hour: "2-digit", minute: "2-digit", ...more });
}

/** Set the address of a link; hide the link unless it is http or https. */
function pointTo(link, address) {
  const safe = /^https?:\/\//i.test(address ?? "");
  link.hidden = !safe;
  if (safe) link.href = address;
  else link.removeAttribute("href");
}
