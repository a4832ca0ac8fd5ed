const SLIDE = "application/x-wonda-slide";

export default {
  render({ model, el }) {
    const panel = view(model, el, "publish wonda-carousel");
    const { root, on, signal, end } = panel;

    const strip = h("ol", { class: "wonda-slides", "aria-label": "Images in order" });
    const fit = button(
      "Fit all images",
      () => isOff(fit) || tell(model, { type: "fit", media_id: model.get("media_id") }),
      { small: true },
    );
    const back = h(
      "button",
      {
        type: "button",
        class: "wonda-link",
        onclick: () => isOff(back) || tell(model, { type: "original" }),
      },
      "Revert to originals",
    );
    const points = h("ul", { class: "wonda-points" });
    const busy = h("p", { class: "wonda-note", role: "status" });
    const checksTitle = h("h3", { id: uid("checks") }, "Before you post");
    const checks = h(
      "div",
      { class: "wonda-checks", role: "group", "aria-labelledby": checksTitle.id },
      checksTitle,
      points,
      h("div", { class: "wonda-buttons" }, fit, back),
      busy,
    );
    const summed = h("div", { class: "wonda-summary-strip" });

    const form = posting(model, panel, {
      head: h(
        "div",
        { class: "wonda-gallery-bar" },
        h("h3", {}, "Publish a carousel to Instagram"),
        h("span", { class: "wonda-gap" }),
        closing(model, on),
      ),
      above: [strip],
      rows: [checks],
      fields: [],
      image: summed,
      content: () => ({}),
      reason: () => "",
      speaks: "slides",
      words: () => ({
        publish: "Publish",
        confirm: "Publish now",
        what: `A carousel of ${model.get("slides").length} images`,
        facts: [`carousel of ${model.get("slides").length}`],
        repeated: "These images were already posted; you will be asked to confirm.",
      }),
    });

    const may = () => model.get("step") === "editing" && !model.get("fixing");
    const tiles = new Map();
    const indexOf = (key) => model.get("slides").findIndex((slide) => slide.key === key);
    const move = (key, to) => {
      if (may() && to >= 0 && to < model.get("slides").length) tell(model, { type: "move", key, to });
    };
    function tile(key) {
      const img = h("img", { draggable: "false" });
      const number = h("span", { class: "wonda-slide-number", "aria-hidden": "true" });
      const facts = h("span", { class: "wonda-slide-facts" });
      const left = button("‹", () => isOff(left) || move(key, indexOf(key) - 1), { small: true });
      const right = button("›", () => isOff(right) || move(key, indexOf(key) + 1), { small: true });
      const remove = button("×", () => isOff(remove) || tell(model, { type: "remove", key }), {
        small: true,
      });
      const node = h(
        "li",
        {
          class: "wonda-slide",
          ...sorting(SLIDE, key, (other) => tiles.has(other) && move(other, indexOf(key))),
        },
        h("div", { class: "wonda-slide-image" }, img, number),
        facts,
        h("div", { class: "wonda-slide-buttons" }, left, remove, right),
      );
      let url = "";
      let bytes = null;
      return {
        node,
        remove,
        end: () => url && URL.revokeObjectURL(url),
        paint(slide, index, total) {
          number.textContent = index + 1;
          facts.textContent = slide.facts || "…";
          node.title = slide.title;
          img.alt = `Image ${index + 1} of ${total}: ${slide.title}`;
          const free = may();
          turn(left, free && index > 0);
          turn(right, free && index < total - 1);
          turn(remove, free && total > 2);
          for (const [control, does] of [[left, "Move left"], [right, "Move right"], [remove, "Remove"]])
            control.setAttribute("aria-label", `${does}: image ${index + 1}, ${slide.title}`);
          const now = model.get("thumbs")[key];
          if (now !== bytes || !now) url = showBytes(img, now, "image/jpeg", url);
          bytes = now;
        },
      };
    }
    on("slides thumbs step fixing", () => {
      const slides = model.get("slides");
      arrange(strip, tiles, slides, tile);
      summed.replaceChildren(
        ...slides.map(({ key }) => h("img", { src: tiles.get(key).node.querySelector("img").src, alt: "" })),
      );
      busy.textContent = model.get("fixing") ? `${model.get("fixing")}: editing locally, then uploading…` : "";
      back.hidden = !slides.some((slide) => slide.changed);
      turn(fit, may());
      turn(back, may());
    });
    signal.addEventListener("abort", () => tiles.forEach((each) => each.end()));
    on("can_fit", () => (fit.hidden = !model.get("can_fit")));
    on("check_results", () => {
      checks.hidden = !model.get("check_results").length;
      points.replaceChildren(...model.get("check_results").map((point) => pointLine(point)));
    });
    form.paint();
    return end;
  },
};
