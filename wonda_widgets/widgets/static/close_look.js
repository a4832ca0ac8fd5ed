// An enlarged image of a gallery: zoom and pan, parameters, rating and note.

/** One to five stars as a radio group; `set(rating)` is called when one is selected. */
function stars(set) {
  const name = uid("stars");
  const inputs = [0, 1, 2, 3, 4, 5].map((value) =>
    h("input", { type: "radio", name, value, onchange: () => set(value) }),
  );
  const labels = inputs.map((input, value) =>
    h(
      "label",
      { class: value ? "" : "wonda-no-stars" },
      input,
      h("span", { class: "wonda-unseen" }, value ? `${value} star${value > 1 ? "s" : ""}` : "No stars"),
      h("i", { "aria-hidden": "true" }, value ? "★" : "✕"),
    ),
  );
  const node = h("fieldset", { class: "wonda-stars" }, h("legend", {}, "Rating"), ...labels);
  return {
    node,
    paint(rating) {
      inputs.forEach((input, value) => {
        input.checked = value === rating;
        labels[value].classList.toggle("wonda-on", value > 0 && value <= rating);
      });
    },
  };
}

/** The dialog: `open(index)`, `paint()` after a change, `hear(content, buffers)` for messages. */
function closeLook(model, { root, on, signal }, { view, items, thumbs, isSelected, closed }) {
  const shared = lookout();
  const image = viewer(shared, signal, "Image; press plus or minus to zoom");
  // The item is found by its key, because its index may change.
  let item = null;
  const placeOf = (key) => [...items].find(([, other]) => other.key === key)?.[0];
  const mark = (marks) => item && tell(model, { type: "mark", key: item.key, ...marks });

  const promptText = h("p", { class: "wonda-about-prompt", dir: "auto" });
  const rows = h("dl", { class: "wonda-about-rows" });
  const facts = h("p", { class: "wonda-count" });
  const heart = button("☆ Favorite", () => mark({ favorite: !item.favorite }), { small: true });
  const pick = button("Select", () => item && tell(model, { type: "toggle", key: item.key }), { small: true });
  const rating = stars((value) => mark({ rating: value }));

  const readOnly = h(
    "p",
    { class: "wonda-count" },
    "This image was generated in another session, so it cannot be rated here.",
  );
  const note = h("textarea", { class: "wonda-input", rows: 3, maxlength: 2000 });
  const noteField = field("Note", note);
  let noteOf = "";
  let noting = 0;
  const saveNote = () => {
    clearTimeout(noting);
    if (!noteOf || note.value === note.dataset.saved) return;
    note.dataset.saved = note.value;
    tell(model, { type: "mark", key: noteOf, note: note.value });
  };
  note.addEventListener("input", () => {
    clearTimeout(noting);
    noting = setTimeout(saveNote, 500);
  });
  note.addEventListener("change", saveNote);

  let code = "";
  const codeButton = forMakers(
    button("Copy as code", () => copy(code, codeButton), { small: true }),
  );
  const acts = h("div", { class: "wonda-buttons" });
  const back = button("‹", () => step(-1), { small: true });
  const forth = button("›", () => step(1), { small: true });
  back.setAttribute("aria-label", "Previous image");
  forth.setAttribute("aria-label", "Next image");
  const bar = h("div", { class: "wonda-close-bar" }, back, forth, zoomButtons(shared), facts);
  const box = h(
    "dialog",
    {
      class: "wonda wonda-close-look",
      "aria-label": "Image",
      onclick: (event) => event.target === box && box.close(),
      onclose: () => {
        saveNote();
        noteOf = "";
        closed(placeOf(item?.key) ?? 0);
      },
    },
    h("div", { class: "wonda-close-image" }, image.node, bar),
    h(
      "div",
      { class: "wonda-about" },
      h(
        "div",
        { class: "wonda-buttons" },
        heart,
        pick,
        h("span", { class: "wonda-gap" }),
        button("Close", () => box.close(), { small: true }),
      ),
      promptText,
      rows,
      readOnly,
      rating.node,
      noteField.node,
      h("div", { class: "wonda-buttons" }, codeButton),
      acts,
    ),
  );
  signal.addEventListener("abort", () => {
    clearTimeout(noting);
    image.free();
  });

  function open(place) {
    if (items.get(place)?.state !== "succeeded") return;
    saveNote();
    item = items.get(place);
    shared.reset();
    image.img.alt = item.title;
    const small = thumbs.get(item.key);
    image.img.hidden = !small;
    if (small) image.img.src = small;
    image.say("Loading the image…");
    promptText.textContent = item.title;
    rows.replaceChildren();
    facts.textContent = "";
    noteOf = "";
    paint();
    if (!box.open) {
      box.showModal();
      image.node.focus();
    }
    tell(model, { type: "open", key: item.key, view });
  }
  function step(by) {
    for (let place = placeOf(item?.key) + by; items.has(place); place += by)
      if (items.get(place).state === "succeeded") return open(place);
  }
  function paint() {
    if (!item) return;
    item = items.get(placeOf(item.key)) ?? item;
    heart.textContent = item.favorite ? "★ Favorite" : "☆ Favorite";
    heart.setAttribute("aria-pressed", String(item.favorite));
    rating.paint(item.rating);
    // Images of other users cannot be marked.
    heart.hidden = rating.node.hidden = noteField.node.hidden = !!item.read_only;
    readOnly.hidden = !item.read_only;
    pick.textContent = isSelected(item.key) ? "Selected ✓" : "Select";
    pick.setAttribute("aria-pressed", String(isSelected(item.key)));
  }
  function hear(content, buffers) {
    if (content.view !== view || content.key !== item?.key) return;
    if (content.type === "about") {
      promptText.textContent = content.prompt || "No prompt";
      rows.replaceChildren(
        ...content.rows.map(({ label, value }) => h("div", {}, h("dt", {}, label), h("dd", {}, value))),
      );
      code = content.code;
      noteOf = content.key;
      note.value = note.dataset.saved = content.note;
    } else if (content.type === "large") {
      if (content.reason) image.say(content.reason);
      else image.show(buffers[0], content.mime);
      facts.textContent = content.facts ?? "";
    }
  }
  on("actions", () =>
    acts.replaceChildren(
      ...model.get("actions").filter(({ min_images }) => min_images === 1).map(({ name, label }) =>
        button(label, () => {
          box.close();
          tell(model, { type: "act", name, keys: [item.key] });
        }, { small: true }),
      ),
    ),
  );
  hotkey(root, signal, isEscape, () => (box.open ? box.close() : false));
  const sideways = (event) => ["ArrowLeft", "ArrowRight"].includes(event.key) && box.open;
  hotkey(root, signal, sideways, (event) => {
    const typing = /^(TEXTAREA|INPUT)$/.test(event.target.tagName);
    if (typing || shared.look.scale > 1) return false;
    step(event.key === "ArrowLeft" ? -1 : 1);
  });
  return { node: box, open, paint, hear };
}
