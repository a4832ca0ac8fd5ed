export default {
  render({ model, el }) {
    const { root, on, onMessage, signal, end } = view(model, el, "timeline");
    const title = h("h2", {}, "Today’s timeline");
    const sum = h("p", { class: "wonda-help", role: "status" });
    const list = h("ol", { class: "wonda-timeline-list", "aria-label": "Today’s timeline" });
    const empty = h("p", { class: "wonda-help" });
    const alert = alertBox(model);
    root.append(title, sum, list, empty, alert);
    banner(model, root);

    const urls = new Map();
    const asked = new Set();
    signal.addEventListener("abort", () => urls.forEach((url) => URL.revokeObjectURL(url)));
    onMessage((content, buffers) => {
      if (content.type !== "thumb" || urls.has(content.key)) return;
      urls.set(content.key, imageUrl(buffers[0], "image/jpeg"));
      for (const img of list.querySelectorAll("img"))
        if (img.dataset.key === content.key) show(img);
    });
    function show(img) {
      const url = urls.get(img.dataset.key);
      img.hidden = !url;
      if (url) img.src = url;
    }
    function entry(item) {
      const img = h("img", { alt: "" });
      img.dataset.key = item.key;
      show(img);
      const link = h("a", { target: "_blank", rel: "noopener noreferrer" }, "View post");
      pointTo(link, item.link);
      const time = h("time", {}, item.time ? moment(item.time, { weekday: undefined }) : "");
      return h(
        "li",
        {},
        h("span", { class: "wonda-timeline-image" }, img),
        h(
          "div",
          {},
          h("p", { class: "wonda-timeline-time" }, time),
          h("p", { class: "wonda-timeline-title", dir: "auto" }, item.title),
          item.events
            ? h("p", { class: item.posted ? "wonda-timeline-events wonda-timeline-posted" : "wonda-timeline-events" }, item.events, " ", link)
            : null,
        ),
      );
    }
    on("entries state", () => {
      const entries = model.get("entries");
      list.replaceChildren(...entries.map(entry));
      list.hidden = !entries.length;
      empty.hidden = entries.length > 0;
      empty.textContent =
        model.get("state") === "loading" ? "Loading…" : "Nothing yet. Generate an image to start.";
      const keys = entries.map((item) => item.key).filter((key) => !asked.has(key));
      keys.forEach((key) => asked.add(key));
      if (keys.length) tell(model, { type: "thumbs", keys });
    });
    on("summary", () => (sum.textContent = model.get("summary")));
    on("error", alert.wondaPaint);
    return end;
  },
};
