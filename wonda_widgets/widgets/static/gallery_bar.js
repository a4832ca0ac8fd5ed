// The controls above a gallery: progress of a matrix, search in the journal, filters, export.

/** The overall progress of a matrix, with buttons to stop, resume and retry. */
function matrixProgress(model, { on }) {
  const text = h("strong", { role: "status" });
  const retry = button("Retry failed", () => tell(model, { type: "retry_failed" }), { small: true });
  const stop = button("Stop", () => tell(model, { type: "stop" }), { small: true });
  const resume = button("Resume", () => tell(model, { type: "resume" }), { small: true });
  const filled = h("div");
  const bar = h(
    "div",
    {
      class: "wonda-bar wonda-overall",
      role: "progressbar",
      "aria-label": "Images",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
    },
    filled,
  );
  const gap = h("span", { class: "wonda-gap" });
  const node = h(
    "div",
    { class: "wonda-overall-row" },
    h("div", { class: "wonda-gallery-bar" }, text, gap, retry, stop, resume),
    bar,
  );
  on("progress", () => {
    const progress = model.get("progress");
    node.hidden = !progress.text;
    if (!progress.text) return;
    const percent = 100 * progress.share;
    text.textContent = progress.text;
    filled.style.width = `${percent}%`;
    bar.setAttribute("aria-valuenow", Math.round(percent));
    bar.setAttribute("aria-valuetext", progress.text);
    bar.classList.toggle("wonda-done", progress.state === "done");
    retry.hidden = !progress.failed || progress.state === "running";
    stop.hidden = progress.state !== "running";
    resume.hidden = progress.state !== "stopped";
  });
  return node;
}

/** The search in the journal by words, model and days; it is not limited to the loaded images. */
function journalSearch(model, { on }) {
  let unconfirmed = null; // the text that was sent and that the kernel has not confirmed yet
  const words = h("input", {
    type: "search",
    class: "wonda-input wonda-search",
    placeholder: "Search prompts and notes",
    "aria-label": "Search prompts and notes",
    oninput: () => tell(model, { type: "search", text: (unconfirmed = words.value) }),
  });
  const models = select([], "", () => put(model, { model: models.value }));
  models.setAttribute("aria-label", "Show only: Model");
  const day = (label, name) => {
    const control = h("input", {
      type: "date",
      class: "wonda-input",
      "aria-label": `Made ${label}`,
      onchange: () => put(model, { [name]: control.value }),
    });
    on(name, () => control !== document.activeElement && (control.value = model.get(name)));
    return h("span", { class: "wonda-day" }, h("span", { "aria-hidden": "true" }, label), control);
  };
  const days = h("span", { class: "wonda-days" }, day("from", "since"), day("to", "until"));
  const node = h("div", { class: "wonda-search-row" }, words, models, days);

  on("searches", () => (node.hidden = !model.get("searches")));
  on("text", () => {
    // Do not overwrite text that was typed here and has not reached the kernel yet.
    if (unconfirmed === null) words.value = model.get("text");
    else if (unconfirmed === model.get("text")) unconfirmed = null;
  });
  on("models model", () => {
    const current = model.get("model");
    const keys = [...new Set([...model.get("models"), ...(current ? [current] : [])])];
    const options = keys.map((value) => ({ value, label: value }));
    fillSelect(models, [{ value: "", label: "All models" }, ...options], current);
    models.hidden = keys.length < 2 && !current;
  });
  return { node, words };
}

/** A select of formats; choosing one exports immediately. */
function exportSelect(model, { on }) {
  const control = select([], "", () => {
    if (control.value) tell(model, { type: "export", kind: control.value });
    control.value = "";
  });
  control.setAttribute("aria-label", "Export");
  fillSelect(
    control,
    [
      { value: "", label: "Export…" },
      { value: "csv", label: "Table (CSV)" },
      { value: "json", label: "Table (JSON)" },
      { value: "folder", label: "Folder of originals" },
      { value: "html", label: "Storyboard (HTML)" },
    ],
    "",
  );
  on("permissions", () => (control.hidden = !isAllowed(model, "export")));
  return control;
}

/** Groups, filters and ratings, next to the image count and the export. */
function filterBar(model, panel) {
  const { on } = panel;
  const count = h("span", { class: "wonda-count", role: "status" });
  const group = select([], "", () => put(model, { group_by: group.value }));
  group.setAttribute("aria-label", "Group by");
  const filters = h("span", { class: "wonda-filters" });
  const favorites = button(
    "★ only",
    () => put(model, { favorites: !model.get("favorites") }),
    { small: true },
  );
  const stars = ["★★★★★", "★★★★", "★★★", "★★", "★"];
  const rating = select(
    [
      { value: "0", label: "Any rating" },
      ...stars.map((text, at) => ({ value: String(5 - at), label: at ? `${text} or more` : text })),
    ],
    "0",
    () => put(model, { rating: Number(rating.value) }),
  );
  rating.setAttribute("aria-label", "Show only: rating");
  const gap = h("span", { class: "wonda-gap" });
  const node = h(
    "div",
    { class: "wonda-gallery-bar" },
    ...[count, gap, filters, group, rating, favorites, exportSelect(model, panel)],
  );

  function filter({ name, label, values }) {
    const options = values.map((value) => ({ value, label: value }));
    const control = select(
      [{ value: "", label: `${label}: all` }, ...options],
      model.get("filters")[name] ?? "",
      () => {
        const now = { ...model.get("filters") };
        if (control.value) now[name] = control.value;
        else delete now[name];
        put(model, { filters: now });
      },
    );
    control.dataset.name = name;
    control.setAttribute("aria-label", `Show only: ${label}`);
    return control;
  }
  on("facets filters group_by", () => {
    const facets = model.get("facets");
    const by = model.get("group_by");
    const isGrouped = ({ name }) => !!by && (name === by || name.split(".").slice(1).join(".") === by);
    fillSelect(
      group,
      [
        { value: "", label: "No groups" },
        ...facets.map((facet) => ({ value: facet.name, label: `Group: ${facet.label}` })),
      ],
      facets.find(isGrouped)?.name ?? "",
    );
    group.hidden = !facets.length;
    const focused = filters.contains(document.activeElement) && document.activeElement.dataset.name;
    // The search already has a select for models.
    const shown = facets.filter(({ name }) => name !== "model" || !model.get("searches"));
    filters.replaceChildren(...shown.map(filter));
    if (focused) filters.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  });
  on("favorites", () => favorites.setAttribute("aria-pressed", String(model.get("favorites"))));
  on("rating rated searches", () => {
    rating.value = String(model.get("rating"));
    rating.hidden = !model.get("rated") && !model.get("searches") && !model.get("rating");
  });
  return { node, count, group };
}
