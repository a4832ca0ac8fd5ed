// The form of all panels that post: account and caption, summary, one post, and its outcome.

const count = (text) => [...text].length;

const tooLong = (by) => `Too long by ${by.toLocaleString("en")} ${by === 1 ? "character" : "characters"}.`;

/** A text field with a live character count and a limit. */
function limited(model, signal, label, name, control, changed) {
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
    row.say(now > most ? tooLong(now - most) : "");
    changed();
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

const MARKS = { miss: ["!", "Problem: "], advice: ["i", "Note: "], fine: ["✓", "OK: "] };

/** A check result for an image or caption, with buttons for its fixes. */
function pointLine(point, fixes = []) {
  const [mark, said] = MARKS[point.level];
  return h(
    "li",
    { "data-level": point.level },
    h("span", { class: "wonda-mark", "aria-hidden": "true" }, mark),
    h(
      "div",
      {},
      h("p", {}, h("span", { class: "wonda-unseen" }, said), h("strong", {}, point.title), " ", point.text),
      fixes.length ? h("div", { class: "wonda-buttons" }, ...fixes) : null,
    ),
  );
}

/**
 * * The form. The parts that differ between panels are in `own`:
 *   head (its title), beside (next to the account), above (before the account), rows (below the caption),
 *   fields (controls), image (of the summary), content() (to send), keep() (save what is
 *   *   typed), reason() (why it can't be posted now), speaks (traits that change the texts),
 *   *   words(): { publish, confirm, where, facts }, where `where` describes an account's name.
 */
function posting(model, panel, own) {
  const { root, on, signal } = panel;
  const account = select([], "", () => put(model, { account: account.value }));
  const refresh = h(
    "button",
    { type: "button", class: "wonda-link", onclick: () => tell(model, { type: "reload" }) },
    "Refresh",
  );
  const accountField = field("Instagram account", account, { aside: refresh });
  const captionControl = h("textarea", { class: "wonda-input", rows: 3 });
  const publish = button("Publish", () => ask(), { primary: true });
  const hint = h("span", { class: "wonda-price", id: uid("hint") });
  publish.setAttribute("aria-describedby", hint.id);
  const caption = limited(model, signal, "Caption", "caption", captionControl, () => paint());

  const where = h("strong");
  const what = h("p", { class: "wonda-summary-text" });
  const caution = h("p", { class: "wonda-summary-caution" });
  const now = button("Publish now", () => send(now, "confirm"), { primary: true });
  const edit = button("Keep editing", () => tell(model, { type: "edit" }));
  const boxed = (name, more, ...inside) =>
    h("div", { class: `wonda-summary${more}`, role: "group", "aria-label": name, tabindex: "-1" }, ...inside);
  const summary = boxed(
    "What will be posted",
    "",
    own.image,
    h("div", {}, h("p", {}, where), what, caution, h("div", { class: "wonda-buttons" }, now, edit)),
  );
  const go = h("div", { class: "wonda-go" }, publish, hint);
  const note = h("p", { class: "wonda-note", role: "status" });

  // Posted before, or earlier posts cannot be checked: ask whether to publish anyway.
  const earlierTitle = h("strong");
  const earlierText = h("span");
  const earlierLink = h("a", { target: "_blank", rel: "noopener noreferrer" }, "View post");
  const again = button("Post again", () =>
    send(again, model.get("step") === "repeating" ? "repeat" : "unchecked"),
  );
  const question = h("p", { class: "wonda-summary-text" });
  const leave = button("Keep editing", () => tell(model, { type: "edit" }));
  const earlier = boxed(
    "Already posted",
    " wonda-earlier",
    h(
      "div",
      {},
      h("p", {}, earlierTitle, " ", earlierText, " ", earlierLink),
      question,
      h("div", { class: "wonda-buttons" }, again, leave),
    ),
  );

  // For an unknown outcome: check the account's history, or ask the user.
  const check = button("Check", () => tell(model, { type: "check" }), { small: true });
  const checking = h("span", { class: "wonda-check-note" });
  const isPosted = button("It was posted", () => tell(model, { type: "answer", posted: true }), {
    small: true,
  });
  const notPosted = button(
    "It was not posted",
    () => tell(model, { type: "answer", posted: false }),
    { small: true },
  );
  const suspect = h("a", { target: "_blank", rel: "noopener noreferrer" }, "View possible match");
  const settling = h("div", { class: "wonda-buttons" }, check, isPosted, notPosted, suspect, checking);
  const alert = alertBox(model, settling);
  const outcome = h("p", { class: "wonda-outcome", role: "status" });
  const postedWord = h("strong");
  const postedText = h("span");
  const link = h("a", { target: "_blank", rel: "noopener noreferrer" }, "View post");
  const posted = h(
    "div",
    { class: "wonda-posted", role: "status" },
    h("p", {}, postedWord, " ", postedText),
    link,
  );
  root.append(
    own.head,
    h(
      "div",
      { class: "wonda-publish-grid" },
      ...(own.above ?? []),
      h("div", { class: "wonda-pair" }, accountField.node, ...(own.beside ?? [])),
      caption.node,
      ...own.rows,
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

  const fields = [account, captionControl, ...own.fields];
  const sent = delivery(model, panel, (text) => {
    note.textContent = text;
    paint();
  });
  function send(control, type) {
    if (isOff(control)) return;
    const chosen = { account: account.value, caption: captionControl.value };
    sent.send({ type, media_id: model.get("media_id"), ...chosen, ...own.content() });
    paint();
  }
  function ask() {
    if (isOff(publish)) return;
    caption.save();
    own.keep?.();
    send(publish, "publish");
  }

  function reason() {
    if (!model.get("media_id")) return "Generate an image first.";
    if (model.get("fixing")) return "Uploading the changed image…";
    if (model.get("accounts_state") === "loading") return "Loading accounts…";
    if (model.get("accounts_state") === "none") return "Connect an Instagram account first.";
    if (!account.value) return "Choose an account.";
    if (!caption.fits()) return "The caption is too long.";
    return own.reason();
  }
  function paint() {
    const step = model.get("step");
    const busy = ["sending", "running", "checking"].includes(step);
    const stopped = step === "repeating" || step === "unchecked";
    const asks = step === "confirming" || stopped;
    const unknown = step === "unknown" || step === "checking";
    const why = step === "editing" ? reason() : "";
    const free = model.get("confirm_publish") ? "You’ll review before posting." : "";
    publish.textContent = own.words().publish;
    go.hidden = asks;
    summary.hidden = step !== "confirming";
    earlier.hidden = !stopped;
    turn(publish, step === "editing" && !why && !sent.waiting);
    turn(now, step === "confirming" && !sent.waiting);
    again.textContent = step === "unchecked" ? "Publish anyway" : "Post again";
    question.textContent =
      step === "unchecked" ? "Nothing was sent. Publish the post anyway?" : "Nothing was sent. Publish the post again?";
    turn(again, stopped && !sent.waiting);
    hint.textContent = unknown ? "Resolve the previous post first." : busy ? "In progress…" : why || free;
    // The fields must not change while a summary is shown.
    for (const control of [...fields, refresh]) control.disabled = asks || busy;
    settling.hidden = !unknown;
    turn(check, step === "unknown");
    const undecided = step === "unknown" && model.get("needs_answer");
    isPosted.hidden = notPosted.hidden = !undecided;
    checking.hidden = undecided && !model.get("recheck_seconds");
    wait();
  }

  // Count down to the next automatic check of the history.
  let due = 0;
  let ticking = 0;
  function wait() {
    const left = Math.ceil((due - performance.now()) / 1000);
    const counts = model.get("step") === "unknown" && left > 0;
    checking.textContent =
      model.get("step") === "checking"
        ? "Checking the account’s publish history…"
        : counts
          ? `Checks again automatically in ${left} s.`
          : "Checks the account’s publish history.";
    clearTimeout(ticking);
    if (counts) ticking = setTimeout(wait, 250);
  }
  signal.addEventListener("abort", () => clearTimeout(ticking));

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
        ? "Posting requires an account. Connect one in your Wonda settings, then press Refresh."
        : "",
    );
    paint();
  });
  on("caption", caption.follow);
  on(`step media_id confirm_publish sandbox posted summary fixing check_results ${own.speaks ?? ""}`.trim(), () => {
    const step = model.get("step");
    const said = model.get("summary");
    const words = own.words(said);
    where.textContent = model.get("sandbox")
      ? `Ready to post to ${said.account_name ?? ""}${words.when ?? ""} (simulated: nothing is published).`
      : `${words.what} will be posted publicly to ${said.account_name ?? ""}${words.when || " now"}.`;
    const text = (said.caption ?? "").trim();
    const last = model.get("posted");
    const repeated = said.media_id && last.media_id === said.media_id && !("due" in last);
    now.textContent = words.confirm;
    const more = [
      ...words.facts,
      ...(model.get("sandbox") || words.when ? [] : ["posts can’t be deleted from here"]),
    ];
    const problems = model.get("check_results").filter(({ level }) => level === "miss");
    caution.textContent = [
      ...(repeated ? [words.repeated] : []),
      ...(problems.length ? ["Instagram may reject this post.", ...problems.map(({ title }) => title)] : []),
    ].join(" ");
    caution.hidden = !caution.textContent;
    what.replaceChildren(
      text ? h("bdi", {}, `“${text}”`) : "no caption",
      ...more.map((each) => ` · ${each}`),
    );
    const hadFocus = root.contains(document.activeElement);
    const wasInSummary = [summary, earlier].some((box) => box.contains(document.activeElement));
    paint();
    // Do not focus the button: a key that is still held down would press it.
    if (hadFocus && step === "confirming" && !summary.contains(document.activeElement))
      summary.focus();
    // The focused element is hidden now, so move the focus.
    if (wasInSummary && !["confirming", "repeating", "unchecked"].includes(step)) publish.focus();
  });
  on("step recheck_seconds", () => {
    due = performance.now() + model.get("recheck_seconds") * 1000;
    paint();
  });
  on("needs_answer", paint);
  on("possible_post", () => pointTo(suspect, model.get("possible_post")));
  on("outcome", () => (outcome.textContent = model.get("outcome")));
  on("step refusal", () => {
    const heading = model.get("refusal").title ?? "";
    earlierTitle.textContent = heading;
    earlier.setAttribute("aria-label", heading.replace(/\.$/, ""));
    earlierText.textContent = model.get("refusal").text ?? "";
    pointTo(earlierLink, model.get("refusal").link);
    const stopped = ["repeating", "unchecked"].includes(model.get("step"));
    if (stopped && root.contains(document.activeElement)) earlier.focus();
  });
  on("posted media_id step", () => {
    const last = model.get("posted");
    posted.hidden = !last.time || ["confirming", "repeating", "unchecked"].includes(model.get("step"));
    if (posted.hidden) return;
    const isThis = last.media_id === model.get("media_id");
    const time = last.due ? `for ${moment(last.due, { weekday: "short", day: "numeric", month: "short", timeZoneName: "short" })}` : moment(last.time);
    const place = [last.account && `to ${last.account}`, time].filter(Boolean).join(", ");
    const scheduled = "due" in last;
    postedWord.textContent = isThis
      ? scheduled ? "Scheduled" : "Posted"
      : scheduled ? "Previous post scheduled" : "Previous post published";
    postedText.textContent = model.get("sandbox")
      ? `${place}. Sandbox: nothing ${scheduled ? "will be" : "was"} published.`
      : place;
    pointTo(link, last.link);
  });
  on("error", alert.wondaPaint);
  hotkey(
    root,
    signal,
    (event) =>
      isEscape(event) && ["confirming", "repeating", "unchecked"].includes(model.get("step")),
    () => tell(model, { type: "edit" }),
  );
  return { paint };
}
