const many = (count, one, more) => (count === 1 ? `1 ${one}` : `${count} ${more}`);

export default {
  render({ model, el }) {
    const { root, on, end } = view(model, el, "unfinished");

    /** A line about unfinished work, with its button. */
    function line(text, label, type) {
      const said = h("span");
      const node = h(
        "p",
        { class: "wonda-unfinished-line", role: "status" },
        said,
        button(label, () => tell(model, { type }), { small: true }),
      );
      return {
        node,
        paint(count) {
          node.hidden = !count;
          if (count) said.textContent = text(count);
        },
      };
    }
    const running = line(
      (count) => {
        const words = model.get("newest_text") ? `: ${count > 1 ? "the last is " : ""}“${model.get("newest_text")}”` : "";
        return `${many(count, "job is", "jobs are")} unfinished${words}.`;
      },
      "Resume watching",
      "watch",
    );
    const posts = line(
      (count) =>
        `${many(count, "post", "posts")} may have been published, but the response was never received. ` +
        "Nothing is posted again automatically.",
      "Check",
      "check",
    );
    const images = line(
      (count) =>
        `${many(count, "image", "images")} may have been generated and charged, but the response was ` +
        "never received. Check your Wonda library.",
      "I’ve checked",
      "dismiss_images",
    );
    const later = h(
      "button",
      { type: "button", class: "wonda-link", onclick: () => tell(model, { type: "dismiss" }) },
      "Not now",
    );
    const lines = h("div", {}, running.node, posts.node, images.node);
    const box = h("div", { class: "wonda-left-over" }, lines, later);
    const problem = h("p", { class: "wonda-left-over wonda-note", role: "status" });
    const busy = h("p", { class: "wonda-note", role: "status" });
    lines.append(busy);
    on("is_blocked", () => {
      busy.textContent = model.get("is_blocked") ? "Resolve the post shown below first." : "";
    });
    root.append(box, problem);

    on("running newest_text posts images journal_problem", () => {
      const [jobs, made, asked] = ["running", "posts", "images"].map((name) => model.get(name));
      running.paint(jobs);
      posts.paint(made);
      images.paint(asked);
      box.hidden = !jobs && !made && !asked;
      problem.textContent = model.get("journal_problem");
      problem.hidden = !model.get("journal_problem");
      root.hidden = box.hidden && problem.hidden;
    });
    return end;
  },
};
