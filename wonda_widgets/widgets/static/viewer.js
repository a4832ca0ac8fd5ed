// Zoom and pan of one image, or of several images in sync.

const MAX_ZOOM = 12;

/** A zoom and pan state. Viewers that share one move together. */
function lookout() {
  const watchers = new Set();
  const look = { scale: 1, x: 0, y: 0 }; // x, y: the visible center, as fractions of the image
  const clamp = (value, most) => Math.min(most, Math.max(-most, value));
  const settle = () => {
    look.scale = Math.min(MAX_ZOOM, Math.max(1, look.scale));
    const most = (1 - 1 / look.scale) / 2;
    look.x = clamp(look.x, most);
    look.y = clamp(look.y, most);
    for (const watcher of watchers) watcher(look);
  };
  return {
    look,
    watch(watcher) {
      watchers.add(watcher);
      watcher(look);
      return () => watchers.delete(watcher);
    },
    /** Zoom by a factor around a point, given as fractions of the image from its center. */
    zoom(factor, atX = 0, atY = 0) {
      const before = look.scale;
      look.scale = Math.min(MAX_ZOOM, Math.max(1, before * factor));
      look.x += atX / before - atX / look.scale;
      look.y += atY / before - atY / look.scale;
      settle();
    },
    pan(x, y) {
      look.x -= x / look.scale;
      look.y -= y / look.scale;
      settle();
    },
    reset() {
      Object.assign(look, { scale: 1, x: 0, y: 0 });
      settle();
    },
  };
}

/** An image that can be zoomed with the wheel, two fingers or + and −, and dragged. */
function viewer(shared, signal, label = "") {
  const img = h("img", { alt: "", draggable: "false" });
  const veil = h("p", { class: "wonda-veil", role: "status" });
  const node = h("div", { class: "wonda-viewer", tabindex: "0", role: "group" }, img, veil);
  if (label) node.setAttribute("aria-label", label);
  shared.watch(({ scale, x, y }) => {
    img.style.transform = `scale(${scale}) translate(${-100 * x}%, ${-100 * y}%)`;
    node.classList.toggle("wonda-zoomed", scale > 1);
  });
  const within = (event) => {
    const box = img.getBoundingClientRect();
    const { scale, x, y } = shared.look;
    // The box is that of the scaled image; the result is relative to the unscaled center.
    const middle = { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    const [width, height] = [box.width / scale, box.height / scale];
    return {
      x: (event.clientX - middle.x) / width - scale * x,
      y: (event.clientY - middle.y) / height - scale * y,
      width,
      height,
    };
  };
  node.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const at = within(event);
      shared.zoom(Math.exp(-event.deltaY / 300), at.x, at.y);
    },
    { passive: false },
  );
  node.addEventListener("dblclick", (event) => {
    const at = within(event);
    if (shared.look.scale > 1) shared.reset();
    else shared.zoom(3, at.x, at.y);
  });
  const fingers = new Map();
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    node.setPointerCapture(event.pointerId);
  });
  node.addEventListener("pointermove", (event) => {
    const from = fingers.get(event.pointerId);
    if (!from) return;
    const { width, height } = within(event);
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    const to = { x: event.clientX, y: event.clientY };
    if (others.length) {
      const far = (at) => Math.hypot(at.x - others[0].x, at.y - others[0].y) || 1;
      shared.zoom(far(to) / far(from));
    } else if (shared.look.scale > 1) {
      shared.pan((to.x - from.x) / width, (to.y - from.y) / height);
    }
    fingers.set(event.pointerId, to);
  });
  for (const end of ["pointerup", "pointercancel"])
    node.addEventListener(end, (event) => fingers.delete(event.pointerId));
  const keys = (event) => {
    if (event.target !== node) return;
    const step = 0.1;
    const moves = {
      "+": () => shared.zoom(1.3),
      "=": () => shared.zoom(1.3),
      "-": () => shared.zoom(1 / 1.3),
      0: () => shared.reset(),
    };
    if (shared.look.scale > 1)
      Object.assign(moves, {
        ArrowLeft: () => shared.pan(step, 0),
        ArrowRight: () => shared.pan(-step, 0),
        ArrowUp: () => shared.pan(0, step),
        ArrowDown: () => shared.pan(0, -step),
      });
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    move();
  };
  // On the window, to come before the notebook's shortcuts; see `hotkey`.
  window.addEventListener("keydown", keys, { capture: true, signal });
  let url = "";
  return {
    node,
    img,
    say: (text) => (veil.textContent = text),
    show(data, type) {
      url = showBytes(img, data, type, url);
      veil.textContent = "";
    },
    free: () => url && URL.revokeObjectURL(url),
  };
}

/** Buttons to zoom without a wheel or keys. */
function zoomButtons(shared) {
  const closer = button("+", () => shared.zoom(1.5), { small: true });
  const away = button("−", () => shared.zoom(1 / 1.5), { small: true });
  const whole = button("Fit", () => shared.reset(), { small: true });
  closer.setAttribute("aria-label", "Zoom in");
  away.setAttribute("aria-label", "Zoom out");
  whole.setAttribute("aria-label", "Fit the whole image");
  return h("span", { class: "wonda-buttons" }, away, closer, whole);
}
