// The model has the state: the open tool, its draft, the applied changes. A view keeps only
// the input that is being dragged or typed, and sends it after a short delay.

export default {
  render({ model, el }) {
    const panel = view(model, el, "edit");
    const { root, on, signal, end } = panel;

    // Typed or dragged input is sent after a short pause.
    let resting = 0;
    const change = () => {
      clearTimeout(resting);
      resting = setTimeout(flush, 180);
    };
    const drop = () => {
      clearTimeout(resting);
      resting = 0;
    };
    /** Return null for a draft with an invalid number, which JSON cannot express. */
    const whole = (draft) =>
      Object.values(draft).some((value) => Number.isNaN(value)) ? null : draft;
    function flush() {
      if (!resting) return;
      drop();
      const draft = whole(tools[model.get("tool")]?.read() ?? {});
      if (draft) put(model, { draft });
    }
    signal.addEventListener("abort", drop);

    const tools = {
      crop: cropTool(model, change),
      pad: padTool(model, change),
      resize: resizeTool(model, change),
      text: textTool(model, change),
      encode: formatTool(model, change),
    };
    const chips = Object.fromEntries(
      Object.entries(tools).map(([name, tool]) => [
        name,
        h(
          "button",
          { type: "button", class: "wonda-tab", onclick: () => choose(name) },
          tool.label,
        ),
      ]),
    );
    const bar = h(
      "div",
      { class: "wonda-tabs", role: "group", "aria-label": "Tools" },
      ...Object.values(chips),
    );
    const undo = button("Undo", () => act(undo, "undo"), { small: true });
    const redo = button("Redo", () => act(redo, "redo"), { small: true });
    const apply = button("Apply", () => commit(""), { small: true });
    const cancel = button("Cancel", () => leave(), { small: true });
    const problem = h("p", { class: "wonda-field-error", role: "status" });
    const toolBox = h(
      "div",
      { class: "wonda-tool-box", role: "group" },
      ...Object.values(tools).map((tool) => tool.node),
      problem,
      h("div", { class: "wonda-buttons" }, apply, cancel),
    );

    const image = h("img", { class: "wonda-edit-image" });
    const canvas = h("div", { class: "wonda-canvas" }, image, tools.crop.frame.node);
    const frame = h("div", { class: "wonda-frame" }, h("p", {}, "The image to edit appears here"));
    const veil = h("p", { class: "wonda-veil", role: "status" });
    const stage = h("div", { class: "wonda-stage" }, frame, canvas, veil);
    const facts = h("span", { class: "wonda-facts" });
    const before = h("span", { class: "wonda-facts" });
    const factsRow = h("div", { class: "wonda-image-row" }, facts, before);

    const list = h("ol", { class: "wonda-changes" });
    const none = h("p", { class: "wonda-help" }, "None yet.");
    const use = button("Use this image", () => send(), { primary: true });
    const hint = h("span", { class: "wonda-price", id: uid("hint") });
    use.setAttribute("aria-describedby", hint.id);
    const note = h("p", { class: "wonda-note", role: "status" });
    const track = h("div", { class: "wonda-bar", role: "progressbar" }, h("div"));
    track.setAttribute("aria-label", "Uploading");
    const progress = h("div", { class: "wonda-job", "data-phase": "running" }, track);
    const copyId = button("Copy media ID", () => copy(model.get("upload").media_id, copyId), {
      small: true,
    });
    const usedText = h("span");
    const used = h(
      "div",
      { class: "wonda-posted", role: "status" },
      h("p", {}, h("strong", {}, "Uploaded"), " ", usedText),
      copyId,
    );
    const alert = alertBox(model);
    root.append(
      h(
        "div",
        { class: "wonda-edit-head" },
        h("h3", {}, "Edit image"),
        h("span", { class: "wonda-actions" }, undo, redo, closing(model, on)),
      ),
      h(
        "div",
        { class: "wonda-edit-grid" },
        h("div", { class: "wonda-edit-stage" }, stage, factsRow),
        h(
          "div",
          { class: "wonda-edit-side" },
          bar,
          toolBox,
          h(
            "div",
            { class: "wonda-field" },
            h("div", { class: "wonda-label-row" }, h("strong", {}, "Changes")),
            none,
            list,
          ),
          h("div", { class: "wonda-edit-go" }, use, hint),
          note,
          progress,
          used,
          alert,
        ),
      ),
    );
    banner(model, root);

    // ---------------------------------------------------------------- actions

    const sent = delivery(model, panel, (text) => {
      note.textContent = text;
      paint();
    });
    const isFree = () =>
      model.get("state") === "ready" && model.get("step") === "editing" && !sent.waiting;
    const hasDraft = () => Object.keys(model.get("draft")).length > 0;
    /** The current values of the open tool; the draft trait may not have them yet. */
    function now() {
      const waits = resting > 0;
      drop();
      const draft = waits ? whole(tools[model.get("tool")]?.read() ?? {}) : model.get("draft");
      return { operation: draft ?? model.get("draft") };
    }
    function choose(name) {
      if (!isFree()) return;
      const open = model.get("tool");
      if (open === name) leave();
      else if (hasDraft() || resting) commit(name);
      else put(model, { tool: name, draft: {} });
    }
    function commit(next) {
      if (!isFree() || !model.get("tool")) return;
      const open = chips[model.get("tool")];
      sent.send({ type: "apply", tool: next, ...now() });
      if (toolBox.contains(document.activeElement)) open.focus();
      paint();
    }
    function leave() {
      const open = chips[model.get("tool")];
      if (!open || !isFree()) return false;
      drop();
      if (!open.matches(":focus")) open.focus();
      sent.send({ type: "cancel" });
      return true;
    }
    function act(control, type) {
      if (isOff(control)) return;
      flush();
      sent.send({ type });
      paint();
    }
    function send() {
      if (isOff(use)) return;
      sent.send({ type: "use", ...now() });
      paint();
    }

    function reason() {
      if (model.get("state") === "empty") return "No image yet.";
      if (model.get("state") !== "ready") return "";
      if (model.get("upload").media_id) return "";
      if (model.get("draft_problem")) return "Fix the highlighted values first.";
      if (!model.get("changes").length && !hasDraft()) return "No changes yet.";
      return "";
    }
    function paint() {
      const sending = model.get("step") === "sending";
      const isUploaded = Boolean(model.get("upload").media_id) && !hasDraft();
      const isUsed = isUploaded && model.get("upload").in_use;
      const why = reason();
      const ready = isFree();
      turn(use, ready && !why && !isUsed);
      hint.textContent = sending
        ? "Uploading…"
        : why ||
          (isUsed || !ready
            ? ""
            : isUploaded
              ? "Already uploaded; nothing will be sent again."
              : "Uploads a new image. The original is kept.");
      progress.hidden = !sending;
      turn(undo, ready && (model.get("can_undo") || hasDraft()));
      turn(redo, ready && model.get("can_redo") && !hasDraft());
      turn(apply, ready && hasDraft() && !model.get("draft_problem"));
      turn(cancel, ready);
      toolBox.inert = sending;
      tools.crop.frame.node.inert = sending;
      for (const chip of Object.values(chips)) turn(chip, ready);
    }

    // ---------------------------------------------------------------- painting

    let url = "";
    on("data mime_type", () => {
      url = showBytes(image, model.get("data"), model.get("mime_type"), url);
    });
    signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
    on("alt", () => (image.alt = model.get("alt")));
    on("state shown_size data", () => {
      const isThere = Boolean(bytesOf(model.get("data"))?.byteLength);
      const [wide, high] = model.get("shown_size");
      canvas.style.setProperty("--wonda-ratio", String(wide / high));
      frame.hidden = isThere;
      canvas.hidden = !isThere;
      const loading = model.get("state") === "loading";
      veil.textContent = loading ? "Loading the image…" : "";
      canvas.classList.toggle("wonda-waiting", loading);
    });
    on("facts original_facts", () => {
      facts.textContent = model.get("facts");
      const differs = model.get("original_facts") && model.get("original_facts") !== model.get("facts");
      before.textContent = differs ? `from ${model.get("original_facts")}` : "";
    });
    on("tool draft base_size shown_size defaults fonts data", () => {
      const open = model.get("tool");
      toolBox.hidden = !open;
      // Until the uncropped image is shown, the frame would be over a different image.
      const isShown = model.get("shown_size").join() === model.get("base_size").join();
      tools.crop.frame.node.hidden = open !== "crop" || !isShown;
      for (const [name, tool] of Object.entries(tools)) {
        tool.node.hidden = name !== open;
        chips[name].setAttribute("aria-pressed", String(name === open));
      }
      if (open) {
        toolBox.setAttribute("aria-label", `${tools[open].label} settings`);
        if (!resting) tools[open].write(hasDraft() ? model.get("draft") : null);
      }
      paint();
    });
    on("draft_problem", () => {
      problem.textContent = model.get("draft_problem");
      problem.hidden = !model.get("draft_problem");
      paint();
    });
    on("changes", () => {
      const changes = model.get("changes");
      list.replaceChildren(...changes.map((text) => h("li", {}, text)));
      none.hidden = changes.length > 0;
    });
    on("state step upload can_undo can_redo changes", () => {
      const last = model.get("upload");
      used.hidden = !last.media_id;
      usedText.textContent = `as a new image: ${last.facts ?? ""}`;
      paint();
    });
    on("error", alert.wondaPaint);

    // ---------------------------------------------------------------- keys

    const types = (event) => event.target.matches?.("textarea, input:is([type=text], [type=number])");
    const isZ = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    hotkey(
      root,
      signal,
      (event) => isZ(event) && !types(event), // while typing, this key undoes the typing
      (event) => (event.shiftKey ? act(redo, "redo") : act(undo, "undo")),
    );
    hotkey(root, signal, isEscape, () => leave());
    hotkey(root, signal, isSubmit, () => (model.get("tool") ? commit("") : false));
    hotkey(root, signal, (event) => /^Arrow/.test(event.key), (event) => tools.crop.frame.key(event), {
      held: true,
    });
    return end;
  },
};
