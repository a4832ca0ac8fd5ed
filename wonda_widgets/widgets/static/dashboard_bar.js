const MEMORY = "wonda-visitor";
const PING = 10_000; // milliseconds between checks whether the kernel is alive
const PATIENCE = 45_000; // milliseconds without a response after which the session has ended

/** The visitor's data in the tab's storage, which a private window may not provide. */
const memory = {
  read() {
    try {
      const { processes, draft } = JSON.parse(sessionStorage.getItem(MEMORY)) ?? {};
      return { processes: Array.isArray(processes) ? processes : [], draft: draft ?? {} };
    } catch {
      return { processes: [], draft: {} };
    }
  },
  write(changes) {
    try {
      sessionStorage.setItem(MEMORY, JSON.stringify({ ...memory.read(), ...changes }));
    } catch {
      // Everything works without storage, except restoring the session.
    }
  },
};

export default {
  render({ model, el }) {
    const { root, on, onMessage, signal, end } = view(model, el, "dashboard-bar");
    const me = uid("view");
    const title = h("h1");
    const spending = h("span", { class: "wonda-count", role: "status" });
    const present = button("Presenter", () =>
      tell(model, { type: "present", on: !model.get("presenter") }),
      { small: true },
    );
    present.title = "Large type";
    const next = h("h2", { class: "wonda-unseen" }, "Make an image"); // heads the panels below
    root.append(title, h("span", { class: "wonda-gap" }), spending, present, next);

    // The session ends with its kernel, and the page must report this.
    const reload = button("Reload", () => location.reload(), { primary: true });
    const gone = h(
      "dialog",
      { class: "wonda wonda-session-ended", "aria-labelledby": uid("gone") },
      h("h2", {}, "The session has ended"),
      h("p", {}, "Reload the page to continue. Your images, posts and text are kept."),
      reload,
    );
    const goneTitle = gone.querySelector("h2");
    goneTitle.id = gone.getAttribute("aria-labelledby");
    gone.addEventListener("cancel", (event) => event.preventDefault());
    root.append(gone);
    const isPage = "voila" in document.body.dataset;
    let heard = performance.now();
    let left = false;
    addEventListener("beforeunload", () => (left = true), { signal });
    function ended() {
      if (!left && !gone.open && isPage && root.isConnected) {
        gone.showModal();
        reload.focus();
      }
    }
    const timer = setInterval(() => {
      if (!tell(model, { type: "ping", view: me })) ended();
      // A suspended tab does not receive messages either.
      else if (performance.now() - heard > PATIENCE + PING) ended();
    }, PING);
    const disconnected = new MutationObserver(() => {
      if (root.closest(".jupyter-widgets-disconnected")) ended();
    });
    for (let node = root; node; node = node.parentElement)
      disconnected.observe(node, { attributes: true, attributeFilter: ["class"] });
    signal.addEventListener("abort", () => {
      clearInterval(timer);
      disconnected.disconnect();
    });
    onMessage((content) => {
      if (content.type !== "pong") return;
      heard = performance.now();
      if (gone.open) gone.close(); // the kernel was only slow
    });
    document.addEventListener("visibilitychange", () => (heard = performance.now()), { signal });

    // Send the earlier processes of this tab, and its draft.
    const { processes, draft } = isPage ? memory.read() : { processes: [], draft: {} };
    tell(model, { type: "hello", processes, draft });
    if (isPage) {
      memory.write({ processes: [...processes, model.get("process")].slice(-50) });
      model.on("change:draft", () => memory.write({ draft: model.get("draft") }));
    }

    on("title", () => {
      title.textContent = model.get("title");
      if (isPage) document.title = model.get("title");
    });
    on("spending", () => (spending.textContent = model.get("spending")));
    on("presenter", () => present.setAttribute("aria-pressed", String(model.get("presenter"))));
    return end;
  },
};
