export default {
  render({ model, el }) {
    const { root, on, onMessage, signal, end } = view(model, el, "preview");

    const me = uid("view");
    const image = h("img", { class: "wonda-image", onclick: () => open() });
    const frame = h(
      "div",
      { class: "wonda-frame" },
      h("p", {}, "Your image will appear here"),
    );
    const veil = h("p", { class: "wonda-veil", role: "status" });
    const stage = h("div", { class: "wonda-stage" }, frame, image, veil);
    const facts = h("span", { class: "wonda-facts" });
    const openButton = button("Open", () => open(), { small: true });
    const editButton = button("Edit", () => tell(model, { type: "edit" }), { small: true });
    const saveButton = button("Save to folder", () => tell(model, { type: "save" }), { small: true });
    const copyButton = button("Copy media ID", () => copy(model.get("media_id"), copyButton), {
      small: true,
    });
    const saved = h("span", { role: "status" });
    const downloadButton = button("Download", () => tell(model, { type: "download", view: me }), { small: true });
    const actions = h(
      "div",
      { class: "wonda-image-row" },
      facts,
      h("span", { class: "wonda-actions" }, openButton, editButton, saveButton, downloadButton, copyButton),
    );
    const alert = alertBox(model);
    forMakers(copyButton);
    saveButton.title = "Writes the original to the notebook’s folder";
    downloadButton.title = "Saves the original to this computer";
    const savedRow = h("p", { class: "wonda-note wonda-saved" }, saved);
    root.append(stage, actions, savedRow, alert);
    banner(model, root);

    let url = "";
    let large = "";
    signal.addEventListener("abort", () => {
      if (url) URL.revokeObjectURL(url);
      if (large) URL.revokeObjectURL(large);
    });

    const bigImage = h("img", { class: "wonda-big" });
    const bigText = h("p", { class: "wonda-big-text" });
    const closeButton = button("Close", () => box.close(), { small: true });
    const box = h(
      "dialog",
      {
        class: "wonda wonda-lightbox",
        "aria-label": "Image",
        onclick: (event) => event.target === box && box.close(),
        onclose: () => openButton.focus(),
      },
      bigImage,
      h("div", { class: "wonda-big-row" }, bigText, closeButton),
    );
    root.append(box);
    function open() {
      if (!url) return;
      bigImage.src = url;
      bigImage.alt = image.alt;
      bigText.textContent = image.alt;
      box.showModal();
      closeButton.focus();
      tell(model, { type: "large" });
    }
    hotkey(root, signal, isEscape, () => (box.open ? box.close() : false));

    onMessage((content, buffers) => {
      if (content.type === "large" && content.of === model.get("media_id")) {
        large = showBytes(bigImage, buffers[0], content.mime, large);
      }
      if (content.type === "download" && content.view === me) download(root, content, buffers[0]);
    });

    on("data mime_type", () => {
      url = showBytes(image, model.get("data"), model.get("mime_type"), url);
    });
    on("alt", () => (image.alt = model.get("alt")));
    on("state waiting aspect_ratio facts data", () => {
      const state = model.get("state");
      const [wide, high] = (model.get("aspect_ratio") || "1:1").split(":").map(Number);
      const ratio = wide > 0 && high > 0 ? wide / high : 1;
      frame.style.setProperty("--wonda-ratio", String(ratio));
      frame.hidden = Boolean(bytesOf(model.get("data"))?.byteLength);
      actions.classList.toggle("wonda-off", state !== "ready");
      actions.inert = state !== "ready";
      stage.classList.toggle("wonda-waiting", model.get("waiting"));
      veil.textContent = state === "loading" ? "Loading the image…" : "";
      facts.textContent = model.get("facts");
    });
    on("editable permissions", () => (editButton.hidden = !model.get("editable") || !isAllowed(model, "edit")));
    on("permissions", () => (saveButton.hidden = !isAllowed(model, "save")));
    on("saved", () => (saved.textContent = model.get("saved")));
    on("error", alert.wondaPaint);
    return end;
  },
};
