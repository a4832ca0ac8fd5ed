function thumbnail(data) {
  const img = h("img", { alt: "" });
  const url = showBytes(img, data, "image/jpeg");
  img.onload = () => URL.revokeObjectURL(url);
  return img;
}

export default {
  render({ model, el }) {
    const { root, on, end } = view(model, el, "filmstrip");
    const list = h("ul", { "aria-label": "Earlier images" });
    root.append(list);

    on("thumbs labels", () => {
      const labels = model.get("labels");
      const thumbs = model.get("thumbs");
      root.hidden = thumbs.length < 2;
      list.replaceChildren(
        ...thumbs.map((data, index) =>
          h(
            "li",
            {},
            h(
              "button",
              {
                type: "button",
                class: "wonda-thumb",
                "aria-label": `Show: ${labels[index] ?? ""}`,
                title: labels[index],
                onclick: () => tell(model, { type: "select", index }),
              },
              thumbnail(data),
            ),
          ),
        ),
      );
    });
    on("selected thumbs", () =>
      [...list.querySelectorAll("button")].forEach((thumb, index) =>
        thumb.setAttribute("aria-current", String(index === model.get("selected"))),
      ),
    );
    return end;
  },
};
