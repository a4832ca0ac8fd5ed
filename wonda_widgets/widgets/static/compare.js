const LETTERS = ["left", "right"];

export default {
  render({ model, el }) {
    const panel = view(model, el, "compare");
    const { root, on, onMessage, signal, end } = panel;
    const me = uid("view");
    const shared = lookout();
    const stage = h("div", { class: "wonda-compare-stage" });
    const rows = h("tbody");
    const head = h("tr");
    const table = h("table", { class: "wonda-compare-table" }, h("thead", {}, head), rows);
    const empty = h("p", { class: "wonda-empty" }, "Select two to four images to compare.");
    const mode = button("Slider", () => put(model, { slider: !model.get("slider") }), { small: true });
    const zoom = zoomButtons(shared);
    const bar = h(
      "div",
      { class: "wonda-gallery-bar" },
      h("h3", {}, "Compare"),
      h("span", { class: "wonda-gap" }),
      mode,
      zoom,
      closing(model, on),
    );
    const alert = alertBox(model);
    const body = h("div", { class: "wonda-compare-body" }, stage, h("div", { class: "wonda-compare-about" }, table));
    root.append(bar, body, empty, alert);
    banner(model, root);

    let viewers = [];
    const free = () => viewers.forEach((each) => each.free());
    signal.addEventListener("abort", free);

    const split = h("input", {
      type: "range",
      class: "wonda-split",
      min: 0,
      max: 100,
      step: 0.5,
      value: 50,
      "aria-label": "Share of the left image that is shown",
      oninput: () => cut(),
    });
    const line = h("i", { class: "wonda-split-line", "aria-hidden": "true" });
    function cut() {
      const at = Number(split.value);
      split.setAttribute("aria-valuetext", `${Math.round(at)} percent`);
      stage.style.setProperty("--wonda-split", `${at}%`);
    }

    // Dragging moves the slider, or the images if they are zoomed in.
    let dragging = false;
    const drag = (event) => {
      const box = stage.getBoundingClientRect();
      split.value = (100 * (event.clientX - box.left)) / box.width;
      cut();
    };
    const starts = (event) =>
      event.button === 0 && stage.classList.contains("wonda-sliding") && shared.look.scale === 1 && event.target !== split;
    stage.addEventListener("pointerdown", (event) => {
      dragging = starts(event);
      if (dragging) drag(event);
    });
    stage.addEventListener("pointermove", (event) => dragging && drag(event));
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (dragging = false));

    function build() {
      free();
      shared.reset();
      const titles = model.get("titles");
      let widest = 0;
      viewers = model.get("shown").map((key, index) => {
        const each = viewer(shared, signal, titles[index]);
        each.img.addEventListener("load", () => {
          // With the slider, the images fill the stage, so that their edges coincide with its ends.
          widest = Math.max(widest, each.img.naturalWidth / each.img.naturalHeight);
          stage.style.setProperty("--wonda-ratio", String(widest));
        });
        each.key = key;
        each.img.alt = model.get("prompts")[index] || titles[index];
        each.img.hidden = true;
        each.say("Loading the image…");
        tell(model, { type: "look", key, view: me });
        return each;
      });
      stage.replaceChildren(
        ...viewers.map((each, index) =>
          h("figure", {}, each.node, h("figcaption", { dir: "auto" }, titles[index])),
        ),
        line,
        split,
      );
      body.dataset.count = viewers.length;
      cut();
    }

    onMessage((content, buffers) => {
      if (content.type !== "large" || content.view !== me) return;
      for (const each of viewers.filter(({ key }) => key === content.key)) {
        if (content.reason) each.say(content.reason);
        else each.show(buffers[0], content.mime);
      }
    });
    on("shown", build);
    on("shown slider", () => {
      const count = model.get("shown").length;
      const sliding = model.get("slider") && count === 2;
      body.hidden = !count;
      zoom.hidden = !count;
      empty.hidden = count > 0;
      mode.hidden = count !== 2;
      mode.setAttribute("aria-pressed", String(sliding));
      stage.classList.toggle("wonda-sliding", sliding);
      split.hidden = line.hidden = !sliding;
    });
    on("rows titles actions", () => {
      const titles = model.get("titles");
      const actions = model.get("actions");
      const named = (index) => (titles.length === 2 ? LETTERS[index] : String(index + 1));
      head.replaceChildren(
        h("th", { scope: "col" }, h("span", { class: "wonda-unseen" }, "What")),
        ...titles.map((title, index) => h("th", { scope: "col" }, titles.length === 2 ? `${named(index)[0].toUpperCase()}${named(index).slice(1)}` : title)),
      );
      rows.replaceChildren(
        ...model.get("rows").map(({ label, values, differs }) =>
          h(
            "tr",
            { class: differs ? "wonda-differs" : "" },
            h("th", { scope: "row" }, label),
            ...(differs || values.length < 2
              ? values.map((value) => h("td", { dir: "auto" }, h(differs ? "mark" : "span", {}, value || "—")))
              : label === "Duration"
                ? values.map((value) => h("td", {}, value))
                : [h("td", { colspan: values.length, dir: "auto" }, values[0] || "—")]),
          ),
        ),
        ...(actions.length && titles.length
          ? [
              h(
                "tr",
                { class: "wonda-compare-acts" },
                h("th", { scope: "row" }, h("span", { class: "wonda-unseen" }, "Actions")),
                ...titles.map((_, at) =>
                  h(
                    "td",
                    {},
                    h(
                      "div",
                      { class: "wonda-buttons" },
                      ...actions.map(({ name, label }) => {
                        const act = button(label, () => tell(model, { type: "act", name, at }), { small: true });
                        act.setAttribute("aria-label", `${label.replace("…", "")} ${named(at)}`);
                        return act;
                      }),
                    ),
                  ),
                ),
              ),
            ]
          : []),
      );
    });
    on("error", alert.wondaPaint);
    return end;
  },
};
