// What Instagram will probably reject, with fixes. A crop or an added canvas is previewed
// before it is applied; each view has its own preview.

function preflight(model, { root, on, signal }) {
  const list = h("ul", { class: "wonda-points" });
  const every = button("", () => begin(model.get("combined_fix")), { small: true });
  const back = h(
    "button",
    { type: "button", class: "wonda-link", onclick: () => isOff(back) || send("original") },
    "Revert to original",
  );
  const changed = h("p", { class: "wonda-changed" }, "This image was edited.", back);
  const busy = h("p", { class: "wonda-note", role: "status" });

  // The preview of a fix.
  const img = h("img", { alt: "" });
  const rect = h("span", { class: "wonda-rect" });
  const canvas = h("div", { class: "wonda-trial-canvas", "aria-hidden": "true" }, img, rect);
  const color = h("input", { type: "color", value: "#ffffff", oninput: () => draw() });
  const colorLabel = h("label", { class: "wonda-trial-color" }, color, "Color");
  const use = button("", () => apply(), { small: true, primary: true });
  const keep = button("Discard", () => leave(), { small: true });
  const trial = h(
    "div",
    { class: "wonda-trial", role: "group", tabindex: "-1" },
    canvas,
    h("div", { class: "wonda-buttons" }, colorLabel, use, keep),
  );
  const title = h("h3", { id: uid("checks") }, "Before you post");
  const node = h(
    "div",
    { class: "wonda-checks", role: "group", "aria-labelledby": title.id, tabindex: "-1" },
    title,
    trial,
    list,
    every,
    changed,
    busy,
  );

  let trying = null;
  node.wondaTrying = () => trying !== null;
  let asked = null; // the button that opened the preview and later gets the focus back
  const may = () => model.get("step") === "editing" && !model.get("fixing");
  const send = (type, more = {}) => {
    const held = node.contains(document.activeElement);
    tell(model, { type, media_id: model.get("media_id"), ...more });
    // The pressed button may be removed; keep the focus near it.
    if (held) node.focus({ preventScroll: true });
  };
  function begin(fix) {
    if (!may() || !fix.key) return;
    if (!fix.area) return send("fix", { key: fix.key });
    asked = document.activeElement;
    trying = { ...fix, of: model.get("media_id") };
    paint();
    trial.focus({ preventScroll: true });
    trial.scrollIntoView({ block: "nearest" });
  }
  function apply() {
    if (!may() || !trying) return;
    const more = trying.area.kind === "pad" ? { color: color.value } : {};
    const { key } = trying;
    trying = null;
    send("fix", { key, ...more });
    paint();
  }
  function leave() {
    trying = null;
    paint();
    (asked?.isConnected ? asked : node).focus({ preventScroll: true });
  }
  function draw() {
    if (!trying) return;
    const { kind, ...area } = trying.area;
    canvas.dataset.kind = kind;
    canvas.style.background = kind === "pad" ? color.value : "";
    // A canvas is larger than the image; a crop is smaller.
    const inner =
      kind === "pad"
        ? { width: 1 / area.width, height: 1 / area.height }
        : { width: 1, height: 1 };
    img.style.width = `${100 * inner.width}%`;
    img.style.height = `${100 * inner.height}%`;
    const natural = img.naturalWidth / (img.naturalHeight || 1) || 1;
    const ratio = kind === "pad" ? (natural * area.width) / area.height : natural;
    canvas.style.setProperty("--wonda-ratio", ratio);
    const place = ["x", "y", "width", "height"].map((name) => `${100 * (area[name] ?? 0)}%`);
    [rect.style.left, rect.style.top, rect.style.width, rect.style.height] = place;
  }
  function paint() {
    const all = model.get("combined_fix");
    if (trying && (trying.of !== model.get("media_id") || model.get("step") !== "editing")) trying = null;
    const free = may();
    node.hidden = !model.get("check_results").length;
    trial.hidden = !trying;
    if (trying) {
      trial.setAttribute("aria-label", `${trying.label}: preview`);
      use.textContent = trying.area.kind === "pad" ? "Apply padding" : "Apply crop";
      if (trying.key === "combined") use.textContent = "Apply";
      colorLabel.hidden = trying.area.kind !== "pad";
      draw();
    }
    every.hidden = !all.key || !!trying;
    every.textContent = all.label ?? "";
    changed.hidden = !model.get("is_edited");
    busy.textContent = model.get("fixing")
      ? `${model.get("fixing")}: editing locally, then uploading…`
      : "";
    for (const control of [every, back, use, ...list.querySelectorAll("button")])
      turn(control, free);
    node.dispatchEvent(new Event("wonda-trying"));
  }
  function item(point) {
    return pointLine(
      point,
      point.fixes.map((fix) => button(fix.label, () => begin(fix), { small: true })),
    );
  }
  on("check_results", () => {
    const held = list.contains(document.activeElement);
    list.replaceChildren(...model.get("check_results").map(item));
    if (held) node.focus({ preventScroll: true });
    paint();
  });
  on("combined_fix media_id step fixing is_edited", paint);
  let url = "";
  img.addEventListener("load", draw);
  on("thumb", () => (url = showBytes(img, model.get("thumb"), "image/jpeg", url)));
  signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
  hotkey(
    root,
    signal,
    (event) => isEscape(event) && trying !== null,
    () => leave(),
  );
  return node;
}
