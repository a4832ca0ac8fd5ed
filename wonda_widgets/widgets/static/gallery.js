const CARD = [140, 190, 280]; // pixels: the least width of a card, the usual one, the most
const GAP = 12;
const TEXT = 44; // under each image
const HEAD = 40; // of a group
const KEPT = 300; // thumbnails that a view keeps

const STATE = {
  waiting: "pending",
  begun: "requested",
  running: "running",
  failed: "failed",
  lost: "status unavailable",
  unknown: "unknown",
};

/** Where everything is, for a width: rows of cards under the heads of their groups. */
function laidOut(groups, width, ratio) {
  const fit = (card) => Math.max(1, Math.floor((width + GAP) / (card + GAP)));
  const most = Math.max(1, ...groups.map(({ count }) => count));
  const usual = Math.max(fit(CARD[1]), Math.min(2, fit(CARD[0])));
  // A whole group in a row, if that leaves its images large enough.
  const columns = most <= fit(CARD[0]) ? Math.max(most, fit(CARD[2])) : usual;
  const card = Math.min(CARD[2], Math.floor((width - GAP * (columns - 1)) / columns));
  const image = Math.round(card / ratio);
  const height = image + TEXT;
  const rows = [];
  let top = 0;
  let first = 0;
  for (const { title, count } of groups) {
    if (title) {
      rows.push({ top, height: HEAD, title, count });
      top += HEAD;
    }
    for (let at = 0; at < count; at += columns) {
      rows.push({ top, height, first: first + at, count: Math.min(columns, count - at) });
      top += height + GAP;
    }
    first += count;
  }
  return { columns, card, image, rows, height: top, count: first };
}

/** The last row that begins at or above `y`. */
function rowAt(rows, y) {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rows[middle].top <= y) low = middle;
    else high = middle - 1;
  }
  return low;
}

export default {
  render({ model, el }) {
    const panel = view(model, el, "gallery");
    const { root, on, onMessage, signal, end } = panel;
    const me = uid("view");

    // -------------------------------------------------------------- the bar above

    let typed = null; // what this view has asked for and does not know to have arrived
    const search = h("input", {
      type: "search",
      class: "wonda-input wonda-search",
      placeholder: "Search prompts and notes",
      "aria-label": "Search prompts and notes",
      oninput: () => tell(model, { type: "search", text: (typed = search.value) }),
    });
    // Everything ever made is narrowed by the journal itself, not among what is loaded.
    const whose = select([], "", () => put(model, { model: whose.value }));
    whose.setAttribute("aria-label", "Show only: Model");
    const day = (label, name) => {
      const control = h("input", {
        type: "date",
        class: "wonda-input",
        "aria-label": `Made ${label}`,
        onchange: () => put(model, { [name]: control.value }),
      });
      on(name, () => control !== document.activeElement && (control.value = model.get(name)));
      return h("span", { class: "wonda-day" }, h("span", { "aria-hidden": "true" }, label), control);
    };
    const days = h("span", { class: "wonda-days" }, day("from", "since"), day("to", "until"));
    const searchRow = h("div", { class: "wonda-search-row" }, search, whose, days);
    const group = select([], "", () => put(model, { group_by: group.value }));
    group.setAttribute("aria-label", "Group by");
    const filters = h("span", { class: "wonda-filters" });
    const favourites = button("★ only", () =>
      put(model, { favourites: !model.get("favourites") }),
    { small: true });
    const most = ["★★★★★", "★★★★", "★★★", "★★", "★"];
    const rated = select(
      [
        { value: "0", label: "Any rating" },
        ...most.map((text, at) => ({ value: String(5 - at), label: at ? `${text} or more` : text })),
      ],
      "0",
      () => put(model, { rating: Number(rated.value) }),
    );
    rated.setAttribute("aria-label", "Show only: rating");
    const exporting = select([], "", () => {
      if (exporting.value) tell(model, { type: "export", kind: exporting.value });
      exporting.value = "";
    });
    exporting.setAttribute("aria-label", "Export");
    fillSelect(
      exporting,
      [
        { value: "", label: "Export…" },
        { value: "csv", label: "Table (CSV)" },
        { value: "json", label: "Table (JSON)" },
        { value: "folder", label: "Folder of originals" },
        { value: "html", label: "Storyboard (HTML)" },
      ],
      "",
    );
    const count = h("span", { class: "wonda-count", role: "status" });
    const chosenBar = h("div", { class: "wonda-buttons wonda-chosen-bar" });
    const note = h("span", { class: "wonda-note", role: "status" });
    const alert = alertBox(model);
    const said = h("strong", { role: "status" });
    const again = button("Retry failed", () => tell(model, { type: "retry_failed" }), { small: true });
    const stop = button("Stop", () => tell(model, { type: "stop" }), { small: true });
    const goOn = button("Resume", () => tell(model, { type: "go_on" }), { small: true });
    const filled = h("div");
    const bar = h("div", { class: "wonda-bar wonda-overall", role: "progressbar", "aria-label": "Images", "aria-valuemin": 0, "aria-valuemax": 100 }, filled);
    const overall = h(
      "div",
      { class: "wonda-overall-row" },
      h("div", { class: "wonda-gallery-bar" }, said, h("span", { class: "wonda-gap" }), again, stop, goOn),
      bar,
    );
    on("progress", () => {
      const { text, share, state, failed } = model.get("progress");
      overall.hidden = !text;
      if (!text) return;
      said.textContent = text;
      filled.style.width = `${100 * share}%`;
      bar.setAttribute("aria-valuenow", Math.round(100 * share));
      bar.setAttribute("aria-valuetext", text);
      bar.classList.toggle("wonda-done", state === "done");
      again.hidden = !failed || state === "running";
      stop.hidden = state !== "running";
      goOn.hidden = state !== "stopped";
    });
    root.append(
      overall,
      searchRow,
      h("div", { class: "wonda-gallery-bar" }, count, h("span", { class: "wonda-gap" }), filters, group, rated, favourites, exporting),
      chosenBar,
      note,
      alert,
    );
    banner(model, root);

    // -------------------------------------------------------------- the grid

    const canvas = h("div", { class: "wonda-gallery-canvas", role: "presentation" });
    const grid = h(
      "div",
      { class: "wonda-grid", role: "grid", "aria-multiselectable": "true", "aria-label": "Images" },
      canvas,
    );
    const nothing = h("span");
    const showAll = button("Show all", () => {
      search.value = "";
      tell(model, { type: "show_all" });
      (model.get("searches") ? search : group).focus();
    }, { small: true });
    const empty = h("div", { class: "wonda-empty" }, nothing, showAll);
    root.append(grid, empty);

    let plan = laidOut([], 600, 1);
    let active = 0; // the place that the keyboard is at
    let anchor = 0;
    const drawn = new Map(); // row index -> {node, cells}
    const items = new Map(); // place -> item
    const thumbs = new Map(); // key -> object URL, the ones that came last at the end
    const broken = new Map();
    const chosen = () => model.get("chosen");

    const keepThumb = (key, url) => {
      if (thumbs.has(key)) URL.revokeObjectURL(thumbs.get(key));
      thumbs.delete(key);
      thumbs.set(key, url);
      if (thumbs.size <= KEPT) return;
      // Another view's may come by the hundred: what this one shows stays.
      const shown = new Set([...drawn.values()].flatMap(({ cells }) => cells.map((cell) => items.get(cell.place)?.key)));
      for (const [old, address] of thumbs) {
        if (thumbs.size <= KEPT) break;
        if (shown.has(old)) continue;
        URL.revokeObjectURL(address);
        thumbs.delete(old);
      }
    };
    signal.addEventListener("abort", () => thumbs.forEach((url) => URL.revokeObjectURL(url)));

    function card(place) {
      const img = h("img", { alt: "", draggable: "false" });
      const state = h("div", { class: "wonda-card-state" });
      const star = h("span", { class: "wonda-card-star", "aria-hidden": "true" }, "★");
      const tick = h("span", { class: "wonda-card-tick", "aria-hidden": "true" }, "✓");
      const title = h("span", { class: "wonda-card-title", dir: "auto" });
      const caption = h("span", { class: "wonda-card-caption", dir: "auto" });
      const node = h(
        "div",
        {
          class: "wonda-card",
          role: "gridcell",
          tabindex: "-1",
          "data-place": place,
          onclick: (event) => click(place, event),
          ondblclick: () => open(place),
          onfocus: () => (active = place),
        },
        h("div", { class: "wonda-card-image" }, img, state, star, tick),
        h("div", { class: "wonda-card-text" }, caption, title),
      );
      return { node, img, state, star, title, caption, place };
    }

    function paintCard(cell) {
      const item = items.get(cell.place);
      const { node, img, state } = cell;
      const isChosen = !!item && chosen().includes(item.key);
      node.dataset.state = item?.state ?? "";
      node.classList.toggle("wonda-on", isChosen);
      node.setAttribute("aria-selected", String(isChosen));
      node.tabIndex = cell.place === active ? 0 : -1;
      cell.title.textContent = item?.title ?? "";
      cell.caption.textContent = item?.caption ?? "";
      cell.caption.hidden = !item?.caption;
      cell.star.hidden = !item?.favourite;
      node.title = item?.title ?? "";
      const url = item && item.state === "succeeded" ? thumbs.get(item.key) : "";
      if (img.src !== (url || "")) url ? (img.src = url) : img.removeAttribute("src");
      img.hidden = !url;
      const why = item && (item.error?.text || item.error?.title || broken.get(item.key));
      const word = !item ? "" : item.state === "running" ? item.status || "sending" : STATE[item.state] ?? "";
      const wanted = `${item?.key}|${item?.state}|${word}|${why}|${!!url}`;
      if (state.dataset.wanted !== wanted) {
        state.dataset.wanted = wanted;
        state.hidden = !!url;
        state.replaceChildren();
        if (word) state.append(h("strong", {}, word));
        if (item?.state === "running") state.append(h("div", { class: "wonda-bar" }, h("div")));
        if (why) state.append(h("span", { class: "wonda-card-why" }, why));
        if (item && ["failed", "unknown"].includes(item.state)) {
          const text = item.state === "failed" ? "Retry" : "Not in my library: generate again";
          const retry = button(text, (event) => {
            event.stopPropagation();
            tell(model, { type: "retry", key: item.key });
          }, { small: true });
          retry.tabIndex = -1;
          state.append(retry);
        }
      }
      const parts = [item?.title, item?.caption, word, why];
      if (item?.favourite) parts.push("favourite");
      if (item?.rating) parts.push(`${item.rating} of 5 stars`);
      node.setAttribute("aria-label", parts.filter(Boolean).join(", "));
    }

    function drawRow(index) {
      const row = plan.rows[index];
      const node = h("div", { role: "row", "aria-rowindex": index + 1, class: "wonda-gallery-row" });
      node.style.transform = `translateY(${row.top}px)`;
      node.style.height = `${row.height}px`;
      const cells = [];
      if (row.title) {
        node.classList.add("wonda-group");
        node.append(
          h(
            "div",
            { role: "gridcell" },
            h("strong", {}, row.title),
            h("span", { class: "wonda-count" }, ` ${row.count}`),
          ),
        );
      } else {
        for (let at = 0; at < row.count; at++) {
          const cell = card(row.first + at);
          cell.node.style.width = `${plan.card}px`;
          cell.node.style.setProperty("--wonda-card", `${plan.image}px`);
          cells.push(cell);
          node.append(cell.node);
        }
      }
      canvas.append(node);
      drawn.set(index, { node, cells });
      cells.forEach(paintCard);
    }

    let laidFor = 0;
    let asked = "";
    function draw() {
      if (!plan.rows.length) {
        for (const { node } of drawn.values()) node.remove();
        drawn.clear();
        return;
      }
      const top = grid.scrollTop;
      const bottom = top + (grid.clientHeight || 600);
      const ahead = 400;
      const from = rowAt(plan.rows, Math.max(0, top - ahead));
      const to = rowAt(plan.rows, bottom + ahead);
      // The row that has the focus stays, or the focus would be lost with it.
      const own = plan.rows.findIndex(
        (row) => !row.title && active >= row.first && active < row.first + row.count,
      );
      for (const [index, { node }] of drawn) {
        if ((index < from || index > to) && index !== own) {
          node.remove();
          drawn.delete(index);
        }
      }
      for (let index = from; index <= to; index++) if (!drawn.has(index)) drawRow(index);
      if (own >= 0 && !drawn.has(own)) drawRow(own);
      const seen = plan.rows.slice(from, to + 1).filter((row) => !row.title);
      if (!seen.length) return;
      const first = seen[0].first;
      const last = seen.at(-1).first + seen.at(-1).count;
      const window = `${model.get("order")}:${first}:${last}`;
      if (window === asked) return;
      asked = window;
      clearTimeout(asking);
      asking = setTimeout(() => {
        const wanted = [];
        for (let place = first; place < last; place++) wanted.push(items.get(place));
        const has = wanted.filter((item) => item && thumbs.has(item.key)).map((item) => item.key);
        // Python tells what comes to the places that it knows of, which is often all.
        const lacks = wanted.some((item) => !item || (item.state === "succeeded" && !thumbs.has(item.key)));
        if (!lacks && known === `${first}:${last}`) return;
        known = `${first}:${last}`;
        tell(model, { type: "window", view: me, first, last, has });
      }, 30);
    }
    let asking = 0;
    let known = "";
    signal.addEventListener("abort", () => clearTimeout(asking));

    function arrange() {
      const width = grid.clientWidth - 2;
      if (width < 50) {
        laidFor = 0; // out of sight: laid out anew when it comes back
        return;
      }
      const before = plan;
      plan = laidOut(model.get("groups"), width, model.get("shape"));
      laidFor = grid.clientWidth;
      grid.setAttribute("aria-rowcount", plan.rows.length);
      canvas.style.height = `${plan.height}px`;
      active = Math.min(active, Math.max(0, plan.count - 1));
      const had = root.contains(document.activeElement) && document.activeElement.closest?.(".wonda-card");
      // Rows that stay where they are keep their cards, which only show something else.
      const isAlike = plan.card === before.card && plan.image === before.image;
      const shape = (row) => row && [row.top, row.title, row.first, row.count].join();
      for (const [index, { node }] of drawn) {
        if (isAlike && shape(before.rows[index]) === shape(plan.rows[index])) continue;
        node.remove();
        drawn.delete(index);
      }
      asked = "";
      draw();
      repaint();
      if (had && !root.contains(document.activeElement)) focus(active);
    }
    const resized = new ResizeObserver(() => {
      if (grid.clientWidth !== laidFor) arrange();
      else draw();
    });
    resized.observe(grid);
    signal.addEventListener("abort", () => resized.disconnect());
    let scrolling = 0;
    grid.addEventListener("scroll", () => {
      cancelAnimationFrame(scrolling);
      scrolling = requestAnimationFrame(draw);
    }, { passive: true });

    const cellAt = (place) => {
      for (const { cells } of drawn.values())
        for (const cell of cells) if (cell.place === place) return cell;
      return null;
    };
    const repaint = () => {
      for (const { cells } of drawn.values()) cells.forEach(paintCard);
    };

    // -------------------------------------------------------------- keyboard and mouse

    function focus(place) {
      const old = cellAt(active);
      active = Math.max(0, Math.min(place, plan.count - 1));
      if (old) old.node.tabIndex = -1;
      const row = plan.rows.find((r) => !r.title && active >= r.first && active < r.first + r.count);
      if (!row) return;
      if (row.top < grid.scrollTop) grid.scrollTop = Math.max(0, row.top - HEAD);
      else if (row.top + row.height > grid.scrollTop + grid.clientHeight)
        grid.scrollTop = row.top + row.height - grid.clientHeight + GAP;
      draw();
      const cell = cellAt(active);
      if (!cell) return;
      cell.node.tabIndex = 0;
      cell.node.focus({ preventScroll: true });
    }
    function toggle(place) {
      const key = items.get(place)?.key;
      if (!key || items.get(place).state !== "succeeded") return;
      tell(model, { type: "toggle", key });
    }
    function range(from, to) {
      const [low, high] = from < to ? [from, to] : [to, from];
      const keys = [];
      for (let place = low; place <= high; place++) {
        const item = items.get(place);
        if (item?.state === "succeeded") keys.push(item.key);
      }
      tell(model, { type: "add", keys });
    }
    function click(place, event) {
      focus(place);
      if (event.detail > 1) return;
      if (event.shiftKey) range(anchor, place);
      else toggle(place);
      anchor = place;
    }
    /** The place above or below, also across the heads of groups. */
    function vertically(step) {
      const cards = plan.rows.filter((row) => !row.title);
      const at = cards.findIndex((row) => active >= row.first && active < row.first + row.count);
      const next = cards[at + step];
      return next ? next.first + Math.min(active - cards[at].first, next.count - 1) : active;
    }
    const onCard = (event) => event.target.classList?.contains("wonda-card");
    const keys = (event) => {
      if (!onCard(event) || event.altKey) return;
      const all = (event.ctrlKey || event.metaKey) && event.key === "a";
      if ((event.ctrlKey || event.metaKey) && !all) return;
      const page = Math.max(1, Math.floor(grid.clientHeight / (plan.image + TEXT + GAP)));
      const moves = {
        ArrowLeft: () => active - 1,
        ArrowRight: () => active + 1,
        ArrowUp: () => vertically(-1),
        ArrowDown: () => vertically(1),
        PageUp: () => active - page * plan.columns,
        PageDown: () => active + page * plan.columns,
        Home: () => 0,
        End: () => plan.count - 1,
      };
      const acts = {
        " ": () => toggle(active),
        Enter: () => {
          const retry = cellAt(active)?.state.querySelector("button");
          retry ? retry.click() : open(active);
        },
        f: () => {
          const item = items.get(active);
          if (item?.state === "succeeded" && !item.fixed)
            tell(model, { type: "mark", key: item.key, favourite: !item.favourite });
        },
        Escape: () => chosen().length && tell(model, { type: "choose", keys: [] }),
      };
      if (all) tell(model, { type: "choose_all" });
      else if (moves[event.key]) {
        const from = active;
        focus(moves[event.key]());
        if (event.shiftKey && event.key.startsWith("Arrow")) range(from, active);
      } else if (acts[event.key] && !event.repeat) acts[event.key]();
      else if (!acts[event.key]) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    window.addEventListener("keydown", (event) => root.contains(event.target) && keys(event), {
      capture: true,
      signal,
    });

    const look = closeLook(model, panel, {
      view: me,
      items,
      thumbs,
      isChosen: (key) => chosen().includes(key),
      closed: (place) => focus(place),
    });
    root.append(look.node);
    const open = (place) => {
      active = place;
      look.open(place);
    };

    // -------------------------------------------------------------- what Python tells

    // What is where is told before the traits that arrange it, or at times after them.
    let early = [];
    const take = ({ first, items: told }) => told.forEach((item, index) => items.set(first + index, item));
    onMessage((content, buffers) => {
      if (content.type === "items") {
        if (content.order > model.get("order")) early.push(content);
        if (content.order !== model.get("order")) return;
        take(content);
        repaint();
        look.paint();
      } else if (content.type === "item") {
        for (const [place, item] of items)
          if (item.key === content.item.key) {
            items.set(place, content.item);
            const cell = cellAt(place);
            if (cell) paintCard(cell);
          }
        look.paint();
      } else if (content.type === "thumb") {
        keepThumb(content.key, imageUrl(buffers[0], ""));
        repaint();
      } else if (content.type === "broken") {
        broken.set(content.key, content.why);
        repaint();
      } else {
        look.hear(content, buffers);
      }
    });

    on("order groups shape", () => {
      items.clear();
      early.filter(({ order }) => order === model.get("order")).forEach(take);
      early = early.filter(({ order }) => order > model.get("order"));
      arrange();
    });
    on("chosen actions total more state groups filters", () => {
      const some = chosen();
      const total = model.get("total");
      const shown = model.get("groups").reduce((sum, { count }) => sum + count, 0);
      const all = `${total}${model.get("more") ? "+" : ""}`;
      const plural = total === 1 ? "" : "s";
      count.textContent = `${shown === total ? "" : `${shown} of `}${all} image${plural}`;
      const clear = button("Clear", () => tell(model, { type: "choose", keys: [] }), { small: true });
      const does = model.get("actions").map(({ name, label, least, most }) => {
        const act = button(
          label,
          () => !isOff(act) && tell(model, { type: "act", name, keys: chosen() }),
          { small: true },
        );
        turn(act, some.length >= least && some.length <= most);
        if (isOff(act))
          act.title = least === most ? `Select ${least}` : `Select ${least} to ${most}`;
        return act;
      });
      // Why what takes several is off: too many are chosen, which no button says by itself.
      const widest = model.get("actions").reduce((a, b) => (b.most > (a?.most ?? 1) ? b : a), null);
      const tooMany = widest && some.length > widest.most;
      const limit = tooMany
        ? h("span", { class: "wonda-count" }, `${widest.label.replace("…", "")} takes ${widest.least} to ${widest.most} images.`)
        : null;
      const had = chosenBar.contains(document.activeElement);
      chosenBar.replaceChildren(
        ...(some.length
          ? [h("span", { class: "wonda-chosen" }, `${some.length} selected`), ...does, clear, ...(limit ? [limit] : [])]
          : [h("span", { class: "wonda-count" }, "Click or press Space to select, Enter to enlarge, F to mark as a favourite.")]),
      );
      if (had && !some.length) focus(active);
      repaint();
      look.paint();
    });
    on("total state groups filters favourites rating text model since until", () => {
      const shown = model.get("groups").reduce((sum, { count }) => sum + count, 0);
      const isNarrowed =
        model.get("text") || Object.keys(model.get("filters")).length ||
        ["favourites", "rating", "model", "since", "until"].some((name) => model.get(name));
      grid.hidden = chosenBar.hidden = shown === 0;
      empty.hidden = shown > 0 || model.get("state") !== "ready";
      showAll.hidden = !isNarrowed;
      nothing.textContent = isNarrowed
        ? "No images match."
        : model.get("searches")
          ? "Images you generate appear here."
          : "Images appear here.";
    });
    on("facets filters group_by", () => {
      const facets = model.get("facets");
      const by = model.get("group_by");
      const same = ({ name }) => !!by && (name === by || name.split(".").slice(1).join(".") === by);
      fillSelect(
        group,
        [
          { value: "", label: "No groups" },
          ...facets.map((facet) => ({ value: facet.name, label: `Group: ${facet.label}` })),
        ],
        facets.find(same)?.name ?? "",
      );
      group.hidden = !facets.length;
      const focused = filters.contains(document.activeElement) && document.activeElement.dataset.name;
      filters.replaceChildren(
        ...facets.filter(({ name }) => name !== "model" || !model.get("searches")).map(({ name, label, values }) => {
          const control = select(
            [{ value: "", label: `${label}: all` }, ...values.map((value) => ({ value, label: value }))],
            model.get("filters")[name] ?? "",
            () => {
              const now = { ...model.get("filters") };
              if (control.value) now[name] = control.value;
              else delete now[name];
              put(model, { filters: now });
            },
          );
          control.dataset.name = name;
          control.setAttribute("aria-label", `Show only: ${label}`);
          return control;
        }),
      );
      if (focused) filters.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
    });
    on("favourites", () => favourites.setAttribute("aria-pressed", String(model.get("favourites"))));
    on("rating rated searches", () => {
      rated.value = String(model.get("rating"));
      rated.hidden = !model.get("rated") && !model.get("searches") && !model.get("rating");
    });
    on("models model", () => {
      const now = model.get("model");
      const all = [...new Set([...model.get("models"), ...(now ? [now] : [])])];
      fillSelect(whose, [{ value: "", label: "All models" }, ...all.map((value) => ({ value, label: value }))], now);
      whose.hidden = all.length < 2 && !now;
    });
    on("searches", () => (searchRow.hidden = !model.get("searches")));
    on("text", () => {
      // What was typed here and has not arrived yet stays; else each view says what is searched for.
      if (typed === null) search.value = model.get("text");
      else if (typed === model.get("text")) typed = null;
    });
    on("may", () => (exporting.hidden = !may(model, "export")));
    on("note", () => (note.textContent = model.get("note")));
    on("error", alert.wondaPaint);
    return end;
  },
};
