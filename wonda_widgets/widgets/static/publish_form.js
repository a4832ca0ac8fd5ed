const PRODUCTS = [
  { value: "IMAGE", label: "Feed image" },
  { value: "STORIES", label: "Story" },
];

export default {
  render({ model, el }) {
    const panel = view(model, el, "publish");
    const { on, signal, end } = panel;
    let form = null;
    const changed = () => form?.paint();

    const product = segments(PRODUCTS, model.get("product"), () =>
      put(model, { product: product.value }),
    );
    const isStory = () => product.value === "STORIES";
    const altControl = h("input", { type: "text", class: "wonda-input" });
    const altText = limited(model, signal, "Alt text", "alt_text", altControl, changed);
    const when = scheduling(model, panel, changed);
    const thumb = h("img", { class: "wonda-summary-image", alt: "" });
    const checks = preflight(model, panel);

    form = posting(model, panel, {
      head: h("h3", {}, "Publish to Instagram"),
      beside: [field("Post as", product).node, ...when.nodes],
      rows: [altText.node, checks],
      fields: [product, altControl, ...when.fields],
      image: thumb,
      content: () => ({
        product: product.value,
        alt_text: altControl.value,
        scheduled_at: when.value(),
      }),
      keep: () => altText.save(),
      reason() {
        if (checks.wondaTrying())
          return "Apply or discard the preview first.";
        if (!isStory() && !altText.fits()) return "The alt text is too long.";
        return when.reason();
      },
      speaks: "scheduled_at",
      words(said = {}) {
        const at = said.scheduled_at;
        return {
          publish: when.later() ? "Schedule" : "Publish",
          confirm: at ? "Schedule post" : "Publish now",
          what: "This image",
          when: when.said(at),
          facts: [
            PRODUCTS.find((item) => item.value === said.product)?.label.toLowerCase() ?? "",
            ...(said.product === "STORIES" ? [] : [said.alt_text?.trim() ? "with alt text" : "no alt text"]),
          ],
          repeated: "This image was already posted; you will be asked to confirm.",
        };
      },
    });

    checks.addEventListener("wonda-trying", changed);
    on("product", () => {
      product.value = model.get("product");
      product.wondaPaint();
      altText.node.hidden = isStory(); // Instagram accepts no alt text for stories
      changed();
    });
    on("alt_text", altText.follow);
    let url = "";
    on("thumb", () => {
      url = showBytes(thumb, model.get("thumb"), "image/jpeg", url);
    });
    signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
    return end;
  },
};
