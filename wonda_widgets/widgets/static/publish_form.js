const PRODUCTS = [
  { value: "IMAGE", label: "Feed image" },
  { value: "STORIES", label: "Story" },
];
const count = (text) => [...text].length;

export default {
  render({ model, el }) {
    const panel = view(model, el, "publish");
    const { root, on, signal, end } = panel;

    const account = select([], "", () => put(model, { account: account.value }));
    const refresh = h(
      "button",
      {
        type: "button",
        class: "wonda-link",
        onclick: () => tell(model, { type: "reload" }),
      },
      "Refresh",
    );
    const accountField = field("Instagram account", account, { aside: refresh });
    const product = segments(PRODUCTS, model.get("product"), () =>
      put(model, { product: product.value }),
    );
    const productField = field("Post as", product);

    /** A text with a live count against its limit. */
    function limited(label, name, control) {
      const counter = h("span", { class: "wonda-count" });
      const row = field(label, control, { aside: counter });
      const most = model.get("limits")[name];
      let saving = 0;
      const save = () => {
        clearTimeout(saving);
        if (model.get(name) !== control.value) put(model, { [name]: control.value });
      };
      const tally = () => {
        const now = count(control.value);
        counter.textContent = `${now.toLocaleString("en")} / ${most.toLocaleString("en")}`;
        row.say(now > most ? `Too long by ${(now - most).toLocaleString("en")} characters.` : "");
        paint();
      };
      control.addEventListener("input", () => {
        tally();
        clearTimeout(saving);
        saving = setTimeout(save, 400);
      });
      control.addEventListener("change", save);
      signal.addEventListener("abort", () => clearTimeout(saving));
      return {
        ...row,
        save,
        fits: () => count(control.value) <= most,
        follow() {
          if (document.activeElement !== control) control.value = model.get(name);
          tally();
        },
      };
    }
    const captionControl = h("textarea", { class: "wonda-input", rows: 3 });
    const altControl = h("input", { type: "text", class: "wonda-input" });
    const publish = button("Publish", () => ask(), { primary: true });
    const hint = h("span", { class: "wonda-price", id: uid("hint") });
    publish.setAttribute("aria-describedby", hint.id);
    const caption = limited("Caption", "caption", captionControl);
    const altText = limited("Alt text", "alt_text", altControl);

    const thumb = h("img", { class: "wonda-summary-picture", alt: "" });
    const where = h("strong");
    const what = h("p", { class: "wonda-summary-text" });
    const now = button("Publish now", () => confirm(), { primary: true });
    const edit = button("Keep editing", () => tell(model, { type: "edit" }));
    const summary = h(
      "div",
      {
        class: "wonda-summary",
        role: "group",
        "aria-label": "What will be posted",
        tabindex: "-1",
      },
      thumb,
      h("div", {}, h("p", {}, where), what, h("div", { class: "wonda-buttons" }, now, edit)),
    );
    const checks = preflight(model, panel);
    const go = h("div", { class: "wonda-go" }, publish, hint);
    const note = h("p", { class: "wonda-note", role: "status" });

    // The same was posted before: once more?
    const earlierText = h("span");
    const earlierLink = h("a", { target: "_blank", rel: "noopener noreferrer" }, "View post");
    const again = button("Post again", () => repeat());
    const leave = button("Keep editing", () => tell(model, { type: "edit" }));
    const earlier = h(
      "div",
      {
        class: "wonda-summary wonda-earlier",
        role: "group",
        "aria-label": "Already posted",
        tabindex: "-1",
      },
      h(
        "div",
        {},
        h("p", {}, h("strong", {}, "Already posted."), " ", earlierText, " ", earlierLink),
        h("p", { class: "wonda-summary-text" }, "Nothing was sent. Post it again?"),
        h("div", { class: "wonda-buttons" }, again, leave),
      ),
    );

    // Unknown is not failed: the account's history is looked at, or else the person asked.
    const check = button("Check", () => tell(model, { type: "check" }), { small: true });
    const checking = h("span", { class: "wonda-check-note" });
    const isPosted = button("It was posted", () => tell(model, { type: "settled", posted: true }), {
      small: true,
    });
    const notPosted = button(
      "It was not posted",
      () => tell(model, { type: "settled", posted: false }),
      { small: true },
    );
    const suspect = h("a", { target: "_blank", rel: "noopener noreferrer" }, "Look at it");
    const settling = h(
      "div",
      { class: "wonda-buttons" },
      check,
      isPosted,
      notPosted,
      suspect,
      checking,
    );
    const alert = alertBox(model, settling);
    const outcome = h("p", { class: "wonda-outcome", role: "status" });
    const postedText = h("span");
    const link = h("a", { target: "_blank", rel: "noopener noreferrer" }, "View post");
    const posted = h(
      "div",
      { class: "wonda-posted", role: "status" },
      h("p", {}, h("strong", {}, "Posted"), " ", postedText),
      link,
    );
    root.append(
      h("h3", {}, "Publish to Instagram"),
      h(
        "div",
        { class: "wonda-publish-grid" },
        h("div", { class: "wonda-pair" }, accountField.node, productField.node),
        caption.node,
        altText.node,
        checks,
        go,
        summary,
        earlier,
        note,
        outcome,
        jobView(model, panel),
        posted,
        alert,
      ),
    );
    banner(model, root);

    const fields = [account, product, captionControl, altControl];
    const sent = delivery(model, panel, (text) => {
      note.textContent = text;
      paint();
    });
    const content = (type) => ({
      type,
      media_id: model.get("media_id"),
      account: account.value,
      product: product.value,
      caption: captionControl.value,
      alt_text: altControl.value,
    });
    function ask() {
      if (isOff(publish)) return;
      caption.save();
      altText.save();
      sent.send(content("publish"));
      paint();
    }
    function confirm() {
      if (isOff(now)) return;
      sent.send(content("confirm"));
      paint();
    }

    function repeat() {
      if (isOff(again)) return;
      sent.send(content("repeat"));
      paint();
    }

    function reason() {
      if (!model.get("media_id")) return "Make a picture first.";
      if (model.get("fixing")) return "The changed picture is on its way.";
      if (checks.wondaTrying()) return "Use the change that is shown first, or keep the picture as it is.";
      if (model.get("accounts_state") === "loading") return "Loading accounts…";
      if (model.get("accounts_state") === "none") return "Connect an Instagram account first.";
      if (!account.value) return "Choose an account.";
      if (!caption.fits()) return "The caption is too long.";
      if (!altText.fits()) return "The alt text is too long.";
      return "";
    }
    function paint() {
      const step = model.get("step");
      const busy = ["sending", "running", "checking"].includes(step);
      const asks = step === "confirming" || step === "repeating";
      const unknown = step === "unknown" || step === "checking";
      const why = step === "editing" ? reason() : "";
      const free = model.get("confirm_publish") ? "You see a summary first." : "";
      go.hidden = asks;
      summary.hidden = step !== "confirming";
      earlier.hidden = step !== "repeating";
      turn(publish, step === "editing" && !why && !sent.waiting);
      turn(now, step === "confirming" && !sent.waiting);
      turn(again, step === "repeating" && !sent.waiting);
      hint.textContent = unknown ? "Settle the last post first." : busy ? "On its way…" : why || free;
      // What the summary speaks of is not changed under it.
      for (const control of [...fields, refresh]) control.disabled = asks || busy;
      settling.hidden = !unknown;
      turn(check, step === "unknown");
      const undecided = step === "unknown" && model.get("undecided");
      isPosted.hidden = notPosted.hidden = !undecided;
      checking.hidden = undecided && !model.get("again_in");
      wait();
    }

    // Counts down to the next look at the history.
    let due = 0;
    let ticking = 0;
    function wait() {
      const left = Math.ceil((due - performance.now()) / 1000);
      const counts = model.get("step") === "unknown" && left > 0;
      checking.textContent =
        model.get("step") === "checking"
          ? "Looking into the account’s publish history…"
          : counts
            ? `Looks again by itself in ${left} s.`
            : "Looks into the account’s publish history.";
      clearTimeout(ticking);
      if (counts) ticking = setTimeout(wait, 250);
    }
    signal.addEventListener("abort", () => clearTimeout(ticking));

    checks.addEventListener("wonda-trying", () => paint());
    on("accounts account accounts_state", () => {
      const state = model.get("accounts_state");
      const listed = model.get("accounts").map((item) => ({ value: item.id, label: item.name }));
      const empty = {
        loading: "Loading…",
        none: "No account is connected",
        unavailable: "Accounts could not be loaded",
        ready: "Choose an account",
      }[state];
      const known = listed.some((item) => item.value === model.get("account"));
      if (!known) listed.unshift({ value: "", label: empty });
      fillSelect(account, listed, known ? model.get("account") : "");
      accountField.say(
        state === "none"
          ? "Connect one in your Wonda settings, then press Refresh. Nothing can be posted without."
          : "",
      );
      paint();
    });
    on("product", () => {
      product.value = model.get("product");
      product.wondaPaint();
    });
    on("caption", caption.follow);
    on("alt_text", altText.follow);
    let url = "";
    on("thumb", () => {
      url = showBytes(thumb, model.get("thumb"), "image/jpeg", url);
    });
    signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
    on("step media_id confirm_publish sandbox posted summary fixing", () => {
      const step = model.get("step");
      const said = model.get("summary");
      const name = said.account_name ?? "";
      where.textContent = model.get("sandbox")
        ? `This would go to ${name}. In the sandbox nothing is published.`
        : `This picture goes to ${name}, public, now.`;
      const text = (said.caption ?? "").trim();
      const again = said.media_id && model.get("posted").media_id === said.media_id;
      what.textContent = [
        text ? `“${text}”` : "no caption",
        PRODUCTS.find((item) => item.value === said.product)?.label.toLowerCase() ?? "",
        (said.alt_text ?? "").trim() ? "with alt text" : "no alt text",
        ...(model.get("sandbox") ? [] : ["posts can’t be taken back from here"]),
        ...(again ? ["this picture was already posted"] : []),
      ].join(" · ");
      const hadFocus = root.contains(document.activeElement);
      const wasInSummary = [summary, earlier].some((box) => box.contains(document.activeElement));
      paint();
      // Not onto the button: a key that is still held would press it.
      if (hadFocus && step === "confirming" && !summary.contains(document.activeElement))
        summary.focus();
      // What had the focus is hidden: it goes on to where the next thing is told.
      if (wasInSummary && step !== "confirming" && step !== "repeating") publish.focus();
    });
    on("step again_in", () => {
      due = performance.now() + model.get("again_in") * 1000;
      paint();
    });
    on("undecided", paint);
    on("suspect", () => pointTo(suspect, model.get("suspect")));
    on("settled", () => (outcome.textContent = model.get("settled")));
    on("step earlier", () => {
      earlierText.textContent = model.get("earlier").text ?? "";
      pointTo(earlierLink, model.get("earlier").link);
      if (model.get("step") === "repeating" && root.contains(document.activeElement))
        earlier.focus();
    });
    on("posted", () => {
      const last = model.get("posted");
      posted.hidden = !last.time;
      if (!last.time) return;
      const moment = new Date(last.time * 1000);
      const today = moment.toDateString() === new Date().toDateString();
      const time = moment.toLocaleString([], {
        ...(today ? {} : { day: "numeric", month: "short" }),
        hour: "2-digit",
        minute: "2-digit",
      });
      const where = [last.account && `to ${last.account}`, time].filter(Boolean).join(", ");
      postedText.textContent = model.get("sandbox")
        ? `${where}. Sandbox: nothing was published.`
        : where;
      pointTo(link, last.link);
    });
    on("error", alert.wondaPaint);
    hotkey(
      root,
      signal,
      (event) => isEscape(event) && ["confirming", "repeating"].includes(model.get("step")),
      () => tell(model, { type: "edit" }),
    );
    return end;
  },
};
