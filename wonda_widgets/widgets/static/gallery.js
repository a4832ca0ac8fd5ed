const MAX_THUMBNAILS = 300; // the maximum that a view keeps

/** The text on a card without an image. */
const STATE_TEXT = {
  waiting: "pending",
  requested: "requested",
  running: "running",
  failed: "failed",
  lost: "status unavailable",
  unknown: "unknown",
};

export default {
  render({ model, el }) {
    const panel = view(model, el, "gallery");
    const { root, on, onMessage, signal, end } = panel;
    const viewId = uid("view");

    const search = journalSearch(model, panel);
    const filters = filterBar(model, panel);
    const selectionBar = h("div", { class: "wonda-buttons wonda-chosen-bar" });
    const note = h("span", { class: "wonda-note", role: "status" });
    const alert = alertBox(model);
    root.append(
      matrixProgress(model, panel),
      search.node,
      filters.node,
      selectionBar,
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
      search.words.value = "";
      tell(model, { type: "show_all" });
      (model.get("searches") ? search.words : filters.group).focus();
    }, { small: true });
    const empty = h("div", { class: "wonda-empty" }, nothing, showAll);
    root.append(grid, empty);

    let plan = layOut([], 600, 1);
    let active = 0; // the index of the card with the focus
    let anchor = 0; // the index at which a selection with Shift begins
    const drawn = new Map(); // row index -> { node, cells }
    const items = new Map(); // index -> item
    const thumbs = new Map(); // key -> object URL, oldest first
    const broken = new Map(); // key -> why it has no thumbnail
    const selectedKeys = () => model.get("selected_keys");

    const keepThumb = (key, url) => {
      if (thumbs.has(key)) URL.revokeObjectURL(thumbs.get(key));
      thumbs.delete(key);
      thumbs.set(key, url);
      if (thumbs.size <= MAX_THUMBNAILS) return;
      // Hundreds of thumbnails for other views may arrive: keep only those that this view shows.
      const shown = new Set([...drawn.values()].flatMap(({ cells }) => cells.map((cell) => items.get(cell.index)?.key)));
      for (const [old, address] of thumbs) {
        if (thumbs.size <= MAX_THUMBNAILS) break;
        if (shown.has(old)) continue;
        URL.revokeObjectURL(address);
        thumbs.delete(old);
      }
    };
    signal.addEventListener("abort", () => thumbs.forEach((url) => URL.revokeObjectURL(url)));

    function card(index) {
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
          "data-index": index,
          onclick: (event) => click(index, event),
          ondblclick: () => open(index),
          onfocus: () => (active = index),
        },
        h("div", { class: "wonda-card-image" }, img, state, star, tick),
        h("div", { class: "wonda-card-text" }, caption, title),
      );
      return { node, img, state, star, title, caption, index };
    }

    function paintCard(cell) {
      const item = items.get(cell.index);
      const { node, img, state } = cell;
      const isSelected = !!item && selectedKeys().includes(item.key);
      node.dataset.state = item?.state ?? "";
      node.classList.toggle("wonda-on", isSelected);
      node.setAttribute("aria-selected", String(isSelected));
      node.tabIndex = cell.index === active ? 0 : -1;
      cell.title.textContent = item?.title ?? "";
      cell.caption.textContent = item?.caption ?? "";
      cell.caption.hidden = !item?.caption;
      cell.star.hidden = !item?.favorite;
      node.title = item?.title ?? "";
      const url = item && item.state === "succeeded" ? thumbs.get(item.key) : "";
      if (img.src !== (url || "")) url ? (img.src = url) : img.removeAttribute("src");
      img.hidden = !url;
      const why = item && (item.error?.text || item.error?.title || broken.get(item.key));
      const word = !item ? "" : item.state === "running" ? item.status || "sending" : STATE_TEXT[item.state] ?? "";
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
      if (item?.favorite) parts.push("favorite");
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

    let layoutWidth = 0; // pixels
    let requestedWindow = "";
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
      // Keep the row that has the focus; removing the row would lose the focus.
      const focusedRow = plan.rows.findIndex(
        (row) => !row.title && active >= row.first && active < row.first + row.count,
      );
      for (const [index, { node }] of drawn) {
        if ((index < from || index > to) && index !== focusedRow) {
          node.remove();
          drawn.delete(index);
        }
      }
      for (let index = from; index <= to; index++) if (!drawn.has(index)) drawRow(index);
      if (focusedRow >= 0 && !drawn.has(focusedRow)) drawRow(focusedRow);
      const seen = plan.rows.slice(from, to + 1).filter((row) => !row.title);
      if (!seen.length) return;
      const first = seen[0].first;
      const last = seen.at(-1).first + seen.at(-1).count;
      const windowKey = `${model.get("revision")}:${first}:${last}`;
      if (windowKey === requestedWindow) return;
      requestedWindow = windowKey;
      clearTimeout(requestTimer);
      requestTimer = setTimeout(() => {
        const wanted = [];
        for (let index = first; index < last; index++) wanted.push(items.get(index));
        const has = wanted.filter((item) => item && thumbs.has(item.key)).map((item) => item.key);
        // The kernel sends changes in the last requested window without a request.
        const lacks = wanted.some((item) => !item || (item.state === "succeeded" && !thumbs.has(item.key)));
        if (!lacks && knownWindow === `${first}:${last}`) return;
        knownWindow = `${first}:${last}`;
        tell(model, { type: "window", view: viewId, first, last, has });
      }, 30);
    }
    let requestTimer = 0;
    let knownWindow = ""; // the window whose changes the kernel sends without a request
    signal.addEventListener("abort", () => clearTimeout(requestTimer));

    function arrange() {
      const width = grid.clientWidth - 2;
      if (width < 50) {
        layoutWidth = 0; // hidden: lay out again when it is shown
        return;
      }
      const before = plan;
      plan = layOut(model.get("groups"), width, model.get("aspect_ratio"));
      layoutWidth = grid.clientWidth;
      grid.setAttribute("aria-rowcount", plan.rows.length);
      canvas.style.height = `${plan.height}px`;
      active = Math.min(active, Math.max(0, plan.count - 1));
      const had = root.contains(document.activeElement) && document.activeElement.closest?.(".wonda-card");
      // Reuse the cards of rows that keep their position; only their content changes.
      const isSameSize = plan.card === before.card && plan.image === before.image;
      const shape = (row) => row && [row.top, row.title, row.first, row.count].join();
      for (const [index, { node }] of drawn) {
        if (isSameSize && shape(before.rows[index]) === shape(plan.rows[index])) continue;
        node.remove();
        drawn.delete(index);
      }
      requestedWindow = "";
      draw();
      repaint();
      if (had && !root.contains(document.activeElement)) focus(active);
    }
    const resized = new ResizeObserver(() => {
      if (grid.clientWidth !== layoutWidth) arrange();
      else draw();
    });
    resized.observe(grid);
    signal.addEventListener("abort", () => resized.disconnect());
    let scrolling = 0;
    grid.addEventListener("scroll", () => {
      cancelAnimationFrame(scrolling);
      scrolling = requestAnimationFrame(draw);
    }, { passive: true });

    const cellAt = (index) => {
      for (const { cells } of drawn.values())
        for (const cell of cells) if (cell.index === index) return cell;
      return null;
    };
    const repaint = () => {
      for (const { cells } of drawn.values()) cells.forEach(paintCard);
    };

    // -------------------------------------------------------------- keyboard and mouse

    function focus(index) {
      const old = cellAt(active);
      active = Math.max(0, Math.min(index, plan.count - 1));
      if (old) old.node.tabIndex = -1;
      const row = plan.rows.find((r) => !r.title && active >= r.first && active < r.first + r.count);
      if (!row) return;
      if (row.top < grid.scrollTop) grid.scrollTop = Math.max(0, row.top - HEADING_HEIGHT);
      else if (row.top + row.height > grid.scrollTop + grid.clientHeight)
        grid.scrollTop = row.top + row.height - grid.clientHeight + GAP;
      draw();
      const cell = cellAt(active);
      if (!cell) return;
      cell.node.tabIndex = 0;
      cell.node.focus({ preventScroll: true });
    }
    function toggle(index) {
      const key = items.get(index)?.key;
      if (!key || items.get(index).state !== "succeeded") return;
      tell(model, { type: "toggle", key });
    }
    function range(from, to) {
      const [low, high] = from < to ? [from, to] : [to, from];
      const keys = [];
      for (let index = low; index <= high; index++) {
        const item = items.get(index);
        if (item?.state === "succeeded") keys.push(item.key);
      }
      tell(model, { type: "add", keys });
    }
    function click(index, event) {
      focus(index);
      if (event.detail > 1) return;
      if (event.shiftKey) range(anchor, index);
      else toggle(index);
      anchor = index;
    }
    /** The index of the card above or below, even across group headings. */
    function vertically(step) {
      const cards = plan.rows.filter((row) => !row.title);
      const at = cards.findIndex((row) => active >= row.first && active < row.first + row.count);
      const next = cards[at + step];
      return next ? next.first + Math.min(active - cards[at].first, next.count - 1) : active;
    }
    const onCard = (event) => event.target.classList?.contains("wonda-card");
    const onKey = (event) => {
      if (!onCard(event) || event.altKey) return;
      const all = (event.ctrlKey || event.metaKey) && event.key === "a";
      if ((event.ctrlKey || event.metaKey) && !all) return;
      const page = Math.max(1, Math.floor(grid.clientHeight / (plan.image + TEXT_HEIGHT + GAP)));
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
          if (item?.state === "succeeded")
            tell(model, { type: "mark", key: item.key, favorite: !item.favorite });
        },
        Escape: () => selectedKeys().length && tell(model, { type: "select", keys: [] }),
      };
      if (all) tell(model, { type: "select_all" });
      else if (moves[event.key]) {
        const from = active;
        focus(moves[event.key]());
        if (event.shiftKey && event.key.startsWith("Arrow")) range(from, active);
      } else if (acts[event.key] && !event.repeat) acts[event.key]();
      else if (!acts[event.key]) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    };
    window.addEventListener("keydown", (event) => root.contains(event.target) && onKey(event), {
      capture: true,
      signal,
    });

    const look = closeLook(model, panel, {
      view: viewId,
      items,
      thumbs,
      isSelected: (key) => selectedKeys().includes(key),
      closed: (index) => focus(index),
    });
    root.append(look.node);
    const open = (index) => {
      active = index;
      look.open(index);
    };

    // -------------------------------------------------------------- messages and traits

    // Items usually arrive before the traits of their revision, but sometimes after them.
    let early = [];
    const take = ({ first, items: received }) =>
      received.forEach((item, index) => items.set(first + index, item));
    onMessage((content, buffers) => {
      if (content.type === "items") {
        if (content.revision > model.get("revision")) early.push(content);
        if (content.revision !== model.get("revision")) return;
        take(content);
        repaint();
        look.paint();
      } else if (content.type === "item") {
        for (const [index, item] of items)
          if (item.key === content.item.key) {
            items.set(index, content.item);
            const cell = cellAt(index);
            if (cell) paintCard(cell);
          }
        look.paint();
      } else if (content.type === "thumb") {
        keepThumb(content.key, imageUrl(buffers[0], ""));
        repaint();
      } else if (content.type === "broken") {
        broken.set(content.key, content.reason);
        repaint();
      } else {
        look.hear(content, buffers);
      }
    });

    on("revision groups aspect_ratio", () => {
      items.clear();
      early.filter(({ revision }) => revision === model.get("revision")).forEach(take);
      early = early.filter(({ revision }) => revision > model.get("revision"));
      arrange();
    });
    on("selected_keys actions total has_more state groups filters", () => {
      const keys = selectedKeys();
      const total = model.get("total");
      const shown = model.get("groups").reduce((sum, { count }) => sum + count, 0);
      const all = `${total}${model.get("has_more") ? "+" : ""}`;
      const plural = total === 1 ? "" : "s";
      filters.count.textContent = `${shown === total ? "" : `${shown} of `}${all} image${plural}`;
      const clear = button("Clear", () => tell(model, { type: "select", keys: [] }), { small: true });
      const does = model.get("actions").map(({ name, label, min_images, max_images }) => {
        const act = button(
          label,
          () => !isOff(act) && tell(model, { type: "act", name, keys: selectedKeys() }),
          { small: true },
        );
        turn(act, keys.length >= min_images && keys.length <= max_images);
        if (isOff(act))
          act.title = min_images === max_images ? `Select ${min_images}` : `Select ${min_images} to ${max_images}`;
        return act;
      });
      // Explain why the button for several images is disabled: too many are selected.
      const widest = model.get("actions").reduce((a, b) => (b.max_images > (a?.max_images ?? 1) ? b : a), null);
      const tooMany = widest && keys.length > widest.max_images;
      const limit = tooMany
        ? h("span", { class: "wonda-count" }, `${widest.label.replace("…", "")} accepts ${widest.min_images} to ${widest.max_images} images.`)
        : null;
      const had = selectionBar.contains(document.activeElement);
      selectionBar.replaceChildren(
        ...(keys.length
          ? [h("span", { class: "wonda-chosen" }, `${keys.length} selected`), ...does, clear, ...(limit ? [limit] : [])]
          : [h("span", { class: "wonda-count" }, "Click or press Space to select, Enter to enlarge, F to mark as a favorite.")]),
      );
      if (had && !keys.length) focus(active);
      repaint();
      look.paint();
    });
    on("total state groups filters favorites rating text model since until", () => {
      const shown = model.get("groups").reduce((sum, { count }) => sum + count, 0);
      const isNarrowed =
        model.get("text") || Object.keys(model.get("filters")).length ||
        ["favorites", "rating", "model", "since", "until"].some((name) => model.get(name));
      grid.hidden = selectionBar.hidden = shown === 0;
      empty.hidden = shown > 0 || model.get("state") !== "ready";
      showAll.hidden = !isNarrowed;
      nothing.textContent = isNarrowed
        ? "No images match."
        : model.get("searches")
          ? "Images that you generate appear here."
          : "Images appear here.";
    });
    on("note", () => (note.textContent = model.get("note")));
    on("error", alert.wondaPaint);
    return end;
  },
};
