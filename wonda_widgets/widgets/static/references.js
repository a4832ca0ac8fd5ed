// Reference images: files are announced, and sent in chunks on request.

// Shared by all views on the page, so that a recreated view still has its files.
const heldFiles = new Map();
const REFERENCE = "application/x-wonda-reference";

function references(model, panel) {
  const { on, onMessage, signal } = panel;
  const input = h("input", {
    type: "file",
    multiple: true,
    accept: "image/*",
    class: "wonda-file",
    onchange() {
      add(input.files);
      input.value = "";
    },
  });
  const drop = h(
    "div",
    { class: "wonda-drop" },
    input,
    h("span", { "aria-hidden": "true" }, "Drop files or click to choose"),
  );
  input.wondaBox = drop;
  const tally = h("span", { class: "wonda-count" });
  const row = field("Reference images", input, { aside: tally });
  const list = h("ul", { class: "wonda-references", "aria-label": "Reference images" });
  const kept = h("p", { class: "wonda-help", role: "status" });
  const busy = h("p", { class: "wonda-note", role: "status" });
  drop.before(list);
  drop.after(kept, busy);

  // ---------------------------------------------------------------- files

  const sent = delivery(model, panel, (text) => (busy.textContent = text));
  const pending = [];
  function add(files) {
    for (const file of files) {
      const key = uid("file");
      heldFiles.set(key, { file, at: -1 });
      pending.push({ key, name: file.name, size: file.size });
    }
    announce();
  }
  function announce() {
    if (pending.length && !sent.waiting)
      sent.send({ type: "add_files", files: pending.splice(0) });
  }
  model.on("change:receipt", announce); // after `delivery`, which must handle it first
  signal.addEventListener("abort", () => model.off("change:receipt", announce));
  onMessage(async ({ type, key, at, bytes }) => {
    const held = heldFiles.get(key);
    // Only one of several views on the page responds.
    if (type !== "want" || !held || held.at === at) return;
    held.at = at;
    try {
      const piece = await held.file.slice(at, at + bytes).arrayBuffer();
      model.send({ type: "chunk", key, at }, undefined, [piece]);
    } catch {
      heldFiles.delete(key);
      tell(model, { type: "no_file", key });
    }
  });
  // A reloaded page does not have the earlier files.
  for (const { key, state } of model.get("references"))
    if (["waiting", "reading"].includes(state) && !heldFiles.has(key))
      tell(model, { type: "no_file", key });

  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (event) => {
    if (!carriesFiles(event) || row.node.hidden || drop.hidden) return;
    event.preventDefault();
    event.stopPropagation();
    drop.classList.toggle("wonda-on", event.type === "dragover");
    if (event.type === "drop") add(event.dataTransfer.files);
  };
  for (const name of ["dragover", "dragleave", "drop"]) row.node.addEventListener(name, over);

  // ---------------------------------------------------------------- tiles

  const tiles = new Map();
  const indexOf = (key) => model.get("references").findIndex((item) => item.key === key);
  const move = (key, to) => {
    if (to >= 0 && to < model.get("references").length)
      tell(model, { type: "move_reference", key, to });
  };
  function tile(key) {
    const img = h("img", { alt: "", draggable: "false" });
    const bar = h("progress");
    const word = h("span", { class: "wonda-reference-word" });
    const name = h("span", { class: "wonda-reference-name" });
    const message = h("span", { class: "wonda-reference-said" });
    const ask = (type) => tell(model, { type, key });
    const left = button("‹", () => isOff(left) || move(key, indexOf(key) - 1), { small: true });
    const right = button("›", () => isOff(right) || move(key, indexOf(key) + 1), { small: true });
    const retry = button("Try again", () => ask("retry_reference"), { small: true });
    const remove = button(
      "×",
      () => {
        heldFiles.delete(key);
        ask("remove_reference");
      },
      { small: true },
    );
    const node = h(
      "li",
      {
        class: "wonda-reference",
        ...sorting(REFERENCE, key, (other) => tiles.has(other) && move(other, indexOf(key))),
      },
      h("div", { class: "wonda-reference-image" }, img, bar, word),
      h("p", { class: "wonda-reference-text" }, name, " ", message),
      h("div", { class: "wonda-reference-buttons" }, left, retry, remove, right),
    );
    let url = "";
    let bytes = null;
    return {
      node,
      remove,
      end: () => url && URL.revokeObjectURL(url),
      paint(item, index, total) {
        const refused = item.state === "refused";
        node.dataset.state = item.state;
        node.title = refused ? "" : item.name;
        name.textContent = item.name;
        message.textContent = item.message;
        name.parentElement.hidden = !refused;
        retry.hidden = !item.retry;
        left.hidden = right.hidden = refused;
        remove.textContent = refused ? "Remove" : "×";
        turn(left, index > 0);
        turn(right, index < total - 1);
        for (const [control, does] of [[left, "Move left"], [right, "Move right"], [remove, "Remove"]])
          control.setAttribute("aria-label", `${does}: ${item.name}`);
        const coming = ["waiting", "reading", "uploading"].includes(item.state);
        bar.hidden = !coming;
        bar.setAttribute("aria-label", `Uploading ${item.name}`);
        // Only the progress of reading is known.
        if (item.state === "reading") {
          bar.max = item.size;
          bar.value = item.received;
        } else bar.removeAttribute("value");
        word.textContent = { waiting: "waiting", reading: "reading", uploading: "uploading" }[item.state] ?? "";
        const now = model.get("reference_thumbs")[item.key];
        if (now !== bytes || !now) url = showBytes(img, now, "image/jpeg", url);
        bytes = now;
        img.alt = `Reference image ${index + 1}: ${item.name}`;
      },
    };
  }

  on("references reference_thumbs references_message models model", () => {
    const items = model.get("references");
    const chosen = model.get("models").find((item) => item.key === model.get("model"));
    const most = chosen ? chosen.most_references : 0;
    arrange(list, tiles, items, tile, input);
    for (const item of items) if (["done", "refused"].includes(item.state)) heldFiles.delete(item.key);
    const text = model.get("references_message");
    row.node.hidden = most === 0 && !items.length;
    drop.hidden = most === 0;
    list.hidden = !items.length;
    list.classList.toggle("wonda-unused", most === 0);
    const taken = items.filter((item) => item.state !== "refused").length;
    tally.textContent = most ? `${taken} of ${most}` : taken ? `${taken}` : "";
    kept.textContent = most === 0 ? text : "";
    row.say(most === 0 ? "" : text);
  });
  signal.addEventListener("abort", () => tiles.forEach((each) => each.end()));
  return row;
}
