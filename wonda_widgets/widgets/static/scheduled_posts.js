export default {
  render({ model, el }) {
    const { root, on, end } = view(model, el, "scheduled");
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const refresh = h(
      "button",
      { type: "button", class: "wonda-link", onclick: () => tell(model, { type: "reload" }) },
      "Refresh",
    );
    const list = h("ul", { class: "wonda-scheduled-list", "aria-label": "Scheduled posts" });
    const empty = h("p", { class: "wonda-help" });
    const message = h("p", { class: "wonda-outcome", role: "status", tabindex: "-1" });
    const alert = alertBox(model);
    root.append(
      h(
        "div",
        { class: "wonda-gallery-bar" },
        h("h3", {}, "Scheduled posts"),
        h("span", { class: "wonda-count" }, zone),
        h("span", { class: "wonda-gap" }),
        refresh,
        closing(model, on),
      ),
      list,
      empty,
      message,
      alert,
    );
    banner(model, root);

    let asking = ""; // the job ID of the post whose cancellation must be confirmed
    function row(post) {
      const when = post.due
        ? moment(post.due, { weekday: "short", day: "numeric", month: "short" })
        : "at an unknown time";
      const what = [
        post.account && `to ${post.account}`,
        post.images > 1 && `${post.images} images`,
      ].filter(Boolean);
      const caption = post.caption ? h("bdi", {}, `“${post.caption}”`) : "no caption";
      const busy = model.get("canceling") === post.job_id;
      const yes = button("Cancel post", () => {
        if (isOff(yes)) return;
        asking = "";
        tell(model, { type: "cancel", job_id: post.job_id });
        message.focus({ preventScroll: true });
      }, { small: true });
      const keep = button("Keep post", () => ask(""), { small: true });
      const cancel = button("Cancel…", () => ask(post.job_id), { small: true });
      cancel.setAttribute("aria-label", `Cancel the post scheduled for ${when}`);
      function ask(job_id) {
        asking = job_id;
        paint();
        const next = list.querySelector(`[data-job="${CSS.escape(post.job_id)}"] button`);
        next?.focus();
      }
      const asks = asking === post.job_id;
      const buttons = busy
        ? [h("span", { class: "wonda-note" }, "Canceling…")]
        : asks
          ? [h("span", {}, "Cancel this post?"), keep, yes]
          : isAllowed(model, "cancel")
            ? [cancel]
            : [];
      return h(
        "li",
        { "data-job": post.job_id },
        h("p", {}, h("strong", {}, when), " ", h("span", {}, ...what.map((each) => `${each} · `), caption)),
        h("div", { class: "wonda-buttons" }, ...buttons),
      );
    }
    function paint() {
      const [state, posts] = [model.get("state"), model.get("posts")];
      if (!posts.some((post) => post.job_id === asking)) asking = "";
      list.replaceChildren(...posts.map(row));
      list.hidden = !posts.length;
      empty.textContent = {
        loading: "Loading…",
        ready: posts.length ? "" : "Nothing is scheduled.",
        off: "",
        broken: "The scheduled posts could not be loaded.",
      }[state];
      empty.hidden = !empty.textContent;
    }
    on("posts state canceling permissions", paint);
    on("message", () => (message.textContent = model.get("message")));
    on("error", alert.wondaPaint);
    return end;
  },
};
