export default {
  render({ model, el }) {
    const { root, on, onMessage, end } = view(model, el, "storyboard-bar");
    const me = uid("view");
    const busy = h("span", { class: "wonda-note", role: "status" });
    const page = button("Export page", () => tell(model, { type: "page", view: me }), {
      small: true,
    });
    page.title = "Saves one HTML file with the images, prompts and posts, to share outside the notebook";
    const keep = button("Keep in notebook…", () => ask(true), { small: true });
    const yes = button("Replace", () => tell(model, { type: "keep" }), { small: true, primary: true });
    const no = button("Cancel", () => ask(false), { small: true });
    const asked = h(
      "div",
      { class: "wonda-keep", role: "group", "aria-label": "Keep in notebook", tabindex: "-1" },
      h(
        "p",
        {},
        "Replace this panel with a static copy? Its image, text and table stay visible in the " +
          "notebook without a kernel. To continue, show the panel in another cell.",
      ),
      h("div", { class: "wonda-buttons" }, yes, no),
    );
    const row = h("div", { class: "wonda-buttons" }, keep, page, busy);
    const alert = alertBox(model);
    root.append(row, asked, alert);
    // A Voilà page is not a notebook, so nothing can be kept in it.
    on("permissions", () => (keep.hidden = "voila" in document.body.dataset || !isAllowed(model, "keep")));
    asked.hidden = true;
    function ask(now) {
      asked.hidden = !now;
      (now ? asked : keep).focus({ preventScroll: true });
    }
    on("has_images", () => (root.hidden = !model.get("has_images")));
    on("busy", () => {
      busy.textContent = model.get("busy");
      for (const control of [page, yes]) turn(control, !model.get("busy"));
    });
    on("error", alert.wondaPaint);
    onMessage((content, buffers) => {
      if (content.type === "download" && content.view === me) download(root, content, buffers[0]);
    });
    return end;
  },
};
