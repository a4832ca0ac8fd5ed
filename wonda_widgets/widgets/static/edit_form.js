// The panel's own state is the model's: which tool is open, its draft, what is done.
// A view keeps only what is being dragged or typed, and hands that over a moment later.

// Width to height, as whole numbers, so that 4:5 of 1920 is found to the pixel.
const SHAPES = { "1:1": [1, 1], "4:5": [4, 5], "1.91:1": [191, 100], "9:16": [9, 16], "16:9": [16, 9] };
const FORMATS = [
  { value: "JPEG", label: "JPEG" },
  { value: "PNG", label: "PNG" },
  { value: "WEBP", label: "WebP" },
];
const ROWS = ["top", "center", "bottom"];
const COLUMNS = ["left", "center", "right"];
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** The largest crop of a shape from the middle; rounded as `centered_crop` does. */
function cropOf([width, height], [a, b]) {
  let wide, high;
  if (a >= b) {
    high = Math.min(height, Math.floor((width * b) / a));
    wide = Math.min(width, Math.floor((high * a) / b));
  } else {
    wide = Math.min(width, Math.floor((height * a) / b));
    high = Math.min(height, Math.floor((wide * b) / a));
  }
  const x = Math.floor((width - wide) / 2);
  const y = Math.floor((height - high) / 2);
  return { x, y, width: Math.max(1, wide), height: Math.max(1, high) };
}

/** The smallest canvas of a shape that holds the image; rounded as `padded` does. */
function canvasOf([width, height], [a, b]) {
  const [across, down] = a >= b ? [Math.floor, Math.ceil] : [Math.ceil, Math.floor];
  return width * b < height * a
    ? { width: Math.max(width, across((height * a) / b)), height }
    : { width, height: Math.max(height, down((width * b) / a)) };
}

/** A crop after a handle ("nw", "e", …) or the whole ("") was moved by whole pixels. */
function moved(crop, at, dx, dy, [width, height], shape) {
  if (!at) {
    const x = clamp(crop.x + dx, 0, width - crop.width);
    return { ...crop, x, y: clamp(crop.y + dy, 0, height - crop.height) };
  }
  const west = at.includes("w");
  const north = at.includes("n");
  const right = crop.x + crop.width;
  const bottom = crop.y + crop.height;
  // The opposite side stays where it is; this much room is before the image's edge.
  const roomX = west ? right : width - crop.x;
  const roomY = north ? bottom : height - crop.y;
  const growX = west ? -dx : dx;
  const growY = north ? -dy : dy;
  let wide = crop.width;
  let high = crop.height;
  if (shape) {
    const [a, b] = shape;
    const grow = Math.abs(growX) * b >= Math.abs(growY) * a ? growX : Math.round((growY * a) / b);
    wide = clamp(wide + grow, 1, Math.min(roomX, Math.floor((roomY * a) / b)));
    high = clamp((a >= b ? Math.ceil : Math.floor)((wide * b) / a), 1, roomY);
  } else {
    if (/[we]/.test(at)) wide = clamp(wide + growX, 1, roomX);
    if (/[ns]/.test(at)) high = clamp(high + growY, 1, roomY);
  }
  return { x: west ? right - wide : crop.x, y: north ? bottom - high : crop.y, width: wide, height: high };
}

/** A number in a field; `read()` gives NaN while it is none. */
function number(label, onchange, { min = 0, max = null, step = 1 } = {}) {
  const control = h("input", {
    type: "number",
    class: "wonda-input",
    inputmode: step === 1 ? "numeric" : "decimal",
    min,
    max,
    step,
    oninput: () => onchange(control),
  });
  return {
    ...field(label, control),
    read: () => (step === 1 ? Math.round(control.valueAsNumber) : control.valueAsNumber),
    write(value) {
      // Not under somebody who is typing it.
      if (control !== control.getRootNode().activeElement) control.value = value;
    },
  };
}

/** A colour; CSS names become what the native control takes. */
function color(label, onchange) {
  const control = h("input", { type: "color", class: "wonda-input wonda-color", oninput: onchange });
  const probe = document.createElement("canvas").getContext("2d");
  return {
    ...field(label, control),
    read: () => control.value,
    write(value) {
      probe.fillStyle = "#000000";
      probe.fillStyle = value;
      control.value = probe.fillStyle;
    },
  };
}

/** Buttons of which one is pressed: `items` are {value, label, icon}. */
function picks(label, items, onpick) {
  const buttons = items.map(({ value, label: text, icon }) =>
    h(
      "button",
      { type: "button", class: "wonda-shape", onclick: () => onpick(value) },
      icon ?? null,
      h("span", {}, text),
    ),
  );
  const node = h("div", { class: "wonda-picks", role: "group", "aria-label": label }, ...buttons);
  // As few rows of at most five as there can be, filled evenly.
  const rows = Math.ceil(items.length / 5);
  node.style.setProperty("--wonda-columns", String(Math.ceil(items.length / rows)));
  return {
    node,
    press(value) {
      buttons.forEach((each, index) => {
        const on = items[index].value === value;
        each.classList.toggle("wonda-on", on);
        each.setAttribute("aria-pressed", String(on));
      });
    },
  };
}

const row = (...rows) => h("div", { class: "wonda-row" }, ...rows.map((each) => each.node));

/** Nine places as native radio buttons: arrows move between them. */
function positions(onchange) {
  const name = uid("position");
  const words = (vertical, horizontal) =>
    vertical === "center" && horizontal === "center" ? "center" : `${vertical}-${horizontal}`;
  const radios = ROWS.flatMap((vertical) =>
    COLUMNS.map((horizontal) => {
      const value = words(vertical, horizontal);
      const label = value.replace("-", " ");
      return h("input", { type: "radio", name, value, "aria-label": label, title: label, onchange });
    }),
  );
  const node = h(
    "fieldset",
    { class: "wonda-field wonda-places" },
    h("legend", { class: "wonda-label-row" }, h("strong", {}, "Position")),
    h("div", {}, ...radios),
  );
  return {
    node,
    read: () => radios.find((radio) => radio.checked)?.value,
    write: (value) => radios.forEach((radio) => (radio.checked = radio.value === value)),
  };
}

/** The crop's frame over the image: the whole and its handles move by mouse and by keys. */
function cropFrame(move) {
  const names = {
    nw: "Top left corner",
    n: "Top edge",
    ne: "Top right corner",
    e: "Right edge",
    se: "Bottom right corner",
    s: "Bottom edge",
    sw: "Bottom left corner",
    w: "Left edge",
  };
  const hint = h("span", { class: "wonda-unseen", id: uid("keys") }, "Arrow keys move it by 1 pixel; with Shift, by 10.");
  const handle = (at, name) =>
    h("button", {
      type: "button",
      class: at ? "wonda-handle" : "wonda-area",
      "data-at": at,
      "aria-label": name,
      "aria-describedby": hint.id,
      onpointerdown: (event) => grab(event, at),
    });
  const box = h(
    "div",
    { class: "wonda-crop-box" },
    handle("", "Crop area"),
    ...Object.entries(names).map(([at, name]) => handle(at, name)),
  );
  const hole = h("div", { class: "wonda-crop-hole" });
  const said = h("span", { class: "wonda-unseen", role: "status" });
  const node = h(
    "div",
    { class: "wonda-crop", role: "group", "aria-label": "Crop frame" },
    h("div", { class: "wonda-crop-shade" }, hole),
    box,
    hint,
    said,
  );
  let size = [1, 1];
  function grab(event, at) {
    if (event.button !== 0) return;
    const scale = size[0] / node.getBoundingClientRect().width;
    const [x, y] = [event.clientX, event.clientY];
    const begin = move.begin();
    const drag = (now) => {
      const by = [now.clientX - x, now.clientY - y].map((way) => Math.round(way * scale));
      move.to(begin, at, ...by);
    };
    const target = event.currentTarget;
    target.setPointerCapture(event.pointerId);
    target.addEventListener("pointermove", drag);
    const end = () => target.removeEventListener("pointermove", drag);
    target.addEventListener("lostpointercapture", end, { once: true });
  }
  return {
    node,
    /** What an arrow key does, while a handle has the focus. */
    key(event) {
      const at = event.target.closest?.(".wonda-crop-box button")?.dataset.at;
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (at === undefined || !(event.key in way)) return false;
      const by = way[event.key].map((step) => step * (event.shiftKey ? 10 : 1));
      const now = move.to(move.begin(), at, ...by);
      said.textContent = `${now.width} × ${now.height} at ${now.x}, ${now.y}`;
      return true;
    },
    paint(crop, of, shaped) {
      size = of;
      box.classList.toggle("wonda-shaped", shaped);
      // Typed numbers may reach out of the image; the frame does not.
      const part = (value, whole) => clamp(value / whole, 0, 1);
      const [left, right] = [crop.x, crop.x + crop.width].map((value) => part(value, of[0]));
      const [top, bottom] = [crop.y, crop.y + crop.height].map((value) => part(value, of[1]));
      const place = {
        left: `${left * 100}%`,
        top: `${top * 100}%`,
        width: `${(right - left) * 100}%`,
        height: `${(bottom - top) * 100}%`,
      };
      Object.assign(box.style, place);
      Object.assign(hole.style, place);
    },
  };
}

/** Crop: shapes, handles, exact pixels. */
function cropTool(model, change) {
  const size = () => model.get("size");
  let crop = { x: 0, y: 0, width: 1, height: 1 };
  let shape = "free";
  const ratio = () => (shape === "original" ? size() : SHAPES[shape]);
  const set = (next) => {
    crop = next;
    paint();
    change();
    return crop;
  };
  const icon = (value) => shapeIcon(value === "1.91:1" ? "19:10" : value);
  const shapes = picks(
    "Shape",
    [
      { value: "free", label: "Free", icon: h("i", { class: "wonda-free" }) },
      { value: "original", label: "Original", icon: h("i", { class: "wonda-whole" }) },
      ...Object.keys(SHAPES).map((value) => ({ value, label: value, icon: icon(value) })),
    ],
    (value) => {
      shape = value;
      set(ratio() ? cropOf(size(), ratio()) : crop);
    },
  );
  const typed = (name) => (control) => {
    shape = "free";
    const value = control.valueAsNumber;
    crop = { ...crop, [name]: Number.isNaN(value) ? crop[name] : Math.round(value) };
    paint();
    change();
  };
  const fields = {
    x: number("X", typed("x")),
    y: number("Y", typed("y")),
    width: number("Width", typed("width"), { min: 1 }),
    height: number("Height", typed("height"), { min: 1 }),
  };
  const frame = cropFrame({
    begin: () => crop,
    to: (begin, at, dx, dy) => set(moved(begin, at, dx, dy, size(), ratio())),
  });
  function paint() {
    shapes.press(shape);
    for (const [name, each] of Object.entries(fields)) each.write(crop[name]);
    frame.paint(crop, size(), Boolean(ratio()));
  }
  return {
    label: "Crop",
    frame,
    node: h(
      "div",
      { class: "wonda-tool" },
      shapes.node,
      row(fields.x, fields.y, fields.width, fields.height),
      h("p", { class: "wonda-help" }, "Drag the frame, or move it with the arrow keys."),
    ),
    write(draft) {
      const [width, height] = size();
      const { x = 0, y = 0, ...rest } = draft ?? {};
      const next = { x, y, width: rest.width ?? width, height: rest.height ?? height };
      if (Object.keys(next).some((name) => next[name] !== crop[name])) {
        // From elsewhere: a shape that fits it exactly is what was meant.
        const fits = Object.keys(SHAPES).find((name) => {
          const exact = cropOf([next.width, next.height], SHAPES[name]);
          return exact.width === next.width && exact.height === next.height;
        });
        shape = draft ? (fits ?? "free") : "free";
        crop = next;
      }
      paint();
    },
    read: () => ({ operation: "crop", ...crop }),
  };
}

/** Pad: a shape or an exact canvas, and its colour. */
function padTool(model, change) {
  const size = () => model.get("size");
  const shapes = picks(
    "Shape",
    Object.keys(SHAPES).map((value) => ({
      value,
      label: value,
      icon: shapeIcon(value === "1.91:1" ? "19:10" : value),
    })),
    (value) => {
      const canvas = canvasOf(size(), SHAPES[value]);
      width.write(canvas.width);
      height.write(canvas.height);
      press();
      change();
    },
  );
  const typed = () => {
    press();
    change();
  };
  const width = number("Width", typed, { min: 1 });
  const height = number("Height", typed, { min: 1 });
  const ground = color("Colour", change);
  const press = () =>
    shapes.press(
      Object.keys(SHAPES).find((name) => {
        const canvas = canvasOf(size(), SHAPES[name]);
        return canvas.width === width.read() && canvas.height === height.read();
      }),
    );
  return {
    label: "Pad",
    node: h("div", { class: "wonda-tool" }, shapes.node, row(width, height, ground)),
    write(draft) {
      width.write(draft?.width ?? size()[0]);
      height.write(draft?.height ?? size()[1]);
      ground.write(draft?.color ?? "#ffffff");
      press();
    },
    read: () => ({
      operation: "pad",
      width: width.read(),
      height: height.read(),
      color: ground.read(),
    }),
  };
}

/** Resize: one side is typed, the other one follows. */
function resizeTool(model, change) {
  const size = () => model.get("size");
  const follow = (other, from, to) => (control) => {
    const value = control.valueAsNumber;
    if (value > 0) other().write(Math.max(1, Math.round((value * size()[to]) / size()[from])));
    change();
  };
  const width = number("Width", follow(() => height, 0, 1), { min: 1 });
  const height = number("Height", follow(() => width, 1, 0), { min: 1 });
  return {
    label: "Resize",
    node: h(
      "div",
      { class: "wonda-tool" },
      row(width, height),
      h("p", { class: "wonda-help" }, "Proportions are kept."),
    ),
    write(draft) {
      width.write(draft?.width ?? size()[0]);
      height.write(draft?.height ?? size()[1]);
    },
    read: () => ({ operation: "resize", width: width.read(), height: height.read() }),
  };
}

/** Text: what, where, and how it looks. */
function textTool(model, change) {
  const words = h("textarea", { class: "wonda-input", rows: 2, oninput: change });
  const text = field("Text", words);
  const position = positions(change);
  const percent = (label, min, max) => number(label, change, { min, max, step: "any" });
  const numbers = {
    sizePercent: percent("Box width, %", 10, 100),
    fontSizeScale: number("Font size", change, { min: 0.1, max: 10, step: 0.1 }),
    strokeWidth: number("Outline, px", change, { min: 0, max: 50, step: 0.5 }),
    paddingTop: percent("Top", 0, 50),
    paddingRight: percent("Right", 0, 50),
    paddingBottom: percent("Bottom", 0, 50),
    paddingLeft: percent("Left", 0, 50),
  };
  const colors = { textColor: color("Colour", change), strokeColor: color("Outline", change) };
  const font = select([], "", change);
  const family = field("Font", font);
  const { sizePercent, fontSizeScale, strokeWidth, ...paddings } = numbers;
  return {
    label: "Text",
    node: h(
      "div",
      { class: "wonda-tool" },
      text.node,
      h(
        "div",
        { class: "wonda-beside" },
        position.node,
        h("div", { class: "wonda-tool" }, family.node, row(fontSizeScale, sizePercent)),
      ),
      row(colors.textColor, colors.strokeColor, strokeWidth),
      h(
        "fieldset",
        { class: "wonda-field" },
        h("legend", { class: "wonda-label-row" }, h("strong", {}, "Margins, %")),
        row(...Object.values(paddings)),
      ),
    ),
    write(draft) {
      const now = draft ?? model.get("defaults").text ?? {};
      if (words !== words.getRootNode().activeElement) words.value = now.text ?? "";
      position.write(now.position);
      const listed = model.get("fonts");
      const own = now.fontFamily && !listed.includes(now.fontFamily) ? [now.fontFamily] : [];
      fillSelect(font, [...own, ...listed].map((value) => ({ value, label: value })), now.fontFamily);
      for (const [name, each] of Object.entries({ ...numbers, ...colors })) each.write(now[name]);
    },
    read: () => ({
      operation: "text",
      text: words.value,
      position: position.read(),
      fontFamily: font.value,
      ...Object.fromEntries(
        Object.entries({ ...numbers, ...colors }).map(([name, each]) => [name, each.read()]),
      ),
    }),
  };
}

/** Format: which, and how good. */
function formatTool(model, change) {
  const format = segments(FORMATS, "JPEG", () => {
    paint();
    change();
  });
  const kind = field("Format", format);
  const shown = h("output", { class: "wonda-count" });
  const slider = h("input", {
    type: "range",
    class: "wonda-slider",
    min: 1,
    max: 100,
    oninput() {
      paint();
      change();
    },
  });
  const quality = field("Quality", slider, { aside: shown });
  function paint() {
    quality.node.hidden = format.value === "PNG";
    shown.textContent = slider.value;
  }
  return {
    label: "Format",
    node: h("div", { class: "wonda-tool" }, kind.node, quality.node),
    write(draft) {
      const now = draft ?? model.get("defaults").encode ?? {};
      format.value = now.format ?? "JPEG";
      format.wondaPaint();
      slider.value = now.quality ?? 90;
      paint();
    },
    read: () => ({ operation: "encode", format: format.value, quality: slider.valueAsNumber }),
  };
}

export default {
  render({ model, el }) {
    const panel = view(model, el, "edit");
    const { root, on, signal, end } = panel;

    // What is typed or dragged is handed over when it has come to rest.
    let resting = 0;
    const change = () => {
      clearTimeout(resting);
      resting = setTimeout(flush, 180);
    };
    const drop = () => {
      clearTimeout(resting);
      resting = 0;
    };
    /** A number that is no number has no place in JSON; nothing is changed by it. */
    const whole = (draft) =>
      Object.values(draft).some((value) => Number.isNaN(value)) ? null : draft;
    function flush() {
      if (!resting) return;
      drop();
      const draft = whole(tools[model.get("tool")]?.read() ?? {});
      if (draft) put(model, { draft });
    }
    signal.addEventListener("abort", drop);

    const tools = {
      crop: cropTool(model, change),
      pad: padTool(model, change),
      resize: resizeTool(model, change),
      text: textTool(model, change),
      encode: formatTool(model, change),
    };
    const chips = Object.fromEntries(
      Object.entries(tools).map(([name, tool]) => [
        name,
        h(
          "button",
          { type: "button", class: "wonda-tab", onclick: () => choose(name) },
          tool.label,
        ),
      ]),
    );
    const bar = h(
      "div",
      { class: "wonda-tabs", role: "group", "aria-label": "Tools" },
      ...Object.values(chips),
    );
    const undo = button("Undo", () => act(undo, "undo"), { small: true });
    const redo = button("Redo", () => act(redo, "redo"), { small: true });
    const apply = button("Apply", () => commit(""), { small: true });
    const cancel = button("Cancel", () => leave(), { small: true });
    const problem = h("p", { class: "wonda-field-error", role: "status" });
    const toolBox = h(
      "div",
      { class: "wonda-tool-box", role: "group" },
      ...Object.values(tools).map((tool) => tool.node),
      problem,
      h("div", { class: "wonda-buttons" }, apply, cancel),
    );

    const image = h("img", { class: "wonda-edit-image" });
    const canvas = h("div", { class: "wonda-canvas" }, image, tools.crop.frame.node);
    const frame = h("div", { class: "wonda-frame" }, h("p", {}, "The image to edit appears here"));
    const veil = h("p", { class: "wonda-veil", role: "status" });
    const stage = h("div", { class: "wonda-stage" }, frame, canvas, veil);
    const facts = h("span", { class: "wonda-facts" });
    const before = h("span", { class: "wonda-facts" });
    const factsRow = h("div", { class: "wonda-image-row" }, facts, before);

    const list = h("ol", { class: "wonda-changes" });
    const none = h("p", { class: "wonda-help" }, "None yet.");
    const use = button("Use this image", () => send(), { primary: true });
    const hint = h("span", { class: "wonda-price", id: uid("hint") });
    use.setAttribute("aria-describedby", hint.id);
    const note = h("p", { class: "wonda-note", role: "status" });
    const track = h("div", { class: "wonda-bar", role: "progressbar" }, h("div"));
    track.setAttribute("aria-label", "Uploading");
    const progress = h("div", { class: "wonda-job", "data-phase": "running" }, track);
    const copyId = button("Copy media id", () => copy(model.get("used").media_id, copyId), {
      small: true,
    });
    const usedText = h("span");
    const used = h(
      "div",
      { class: "wonda-posted", role: "status" },
      h("p", {}, h("strong", {}, "Uploaded"), " ", usedText),
      copyId,
    );
    const alert = alertBox(model);
    root.append(
      h(
        "div",
        { class: "wonda-edit-head" },
        h("h3", {}, "Edit image"),
        h("span", { class: "wonda-actions" }, undo, redo, closing(model, on)),
      ),
      h(
        "div",
        { class: "wonda-edit-grid" },
        h("div", { class: "wonda-edit-stage" }, stage, factsRow),
        h(
          "div",
          { class: "wonda-edit-side" },
          bar,
          toolBox,
          h(
            "div",
            { class: "wonda-field" },
            h("div", { class: "wonda-label-row" }, h("strong", {}, "Changes")),
            none,
            list,
          ),
          h("div", { class: "wonda-edit-go" }, use, hint),
          note,
          progress,
          used,
          alert,
        ),
      ),
    );
    banner(model, root);

    // ---------------------------------------------------------------- what is done

    const sent = delivery(model, panel, (text) => {
      note.textContent = text;
      paint();
    });
    const isFree = () =>
      model.get("state") === "ready" && model.get("step") === "editing" && !sent.waiting;
    const hasDraft = () => Object.keys(model.get("draft")).length > 0;
    /** The open tool's values as they stand, for a click that may be faster than the draft. */
    function now() {
      const waits = resting > 0;
      drop();
      const draft = waits ? whole(tools[model.get("tool")]?.read() ?? {}) : model.get("draft");
      return { operation: draft ?? model.get("draft") };
    }
    function choose(name) {
      if (!isFree()) return;
      const open = model.get("tool");
      if (open === name) leave();
      else if (hasDraft() || resting) commit(name);
      else put(model, { tool: name, draft: {} });
    }
    function commit(next) {
      if (!isFree() || !model.get("tool")) return;
      const open = chips[model.get("tool")];
      sent.send({ type: "apply", tool: next, ...now() });
      if (toolBox.contains(document.activeElement)) open.focus();
      paint();
    }
    function leave() {
      const open = chips[model.get("tool")];
      if (!open || !isFree()) return false;
      drop();
      if (!open.matches(":focus")) open.focus();
      sent.send({ type: "cancel" });
      return true;
    }
    function act(control, type) {
      if (isOff(control)) return;
      flush();
      sent.send({ type });
      paint();
    }
    function send() {
      if (isOff(use)) return;
      sent.send({ type: "use", ...now() });
      paint();
    }

    function reason() {
      if (model.get("state") === "empty") return "No image yet.";
      if (model.get("state") !== "ready") return "";
      if (model.get("used").media_id) return "";
      if (model.get("problem")) return "Fix the highlighted values first.";
      if (!model.get("changes").length && !hasDraft()) return "No changes yet.";
      return "";
    }
    function paint() {
      const sending = model.get("step") === "sending";
      const isUploaded = Boolean(model.get("used").media_id) && !hasDraft();
      const isUsed = isUploaded && model.get("used").in_use;
      const why = reason();
      const ready = isFree();
      turn(use, ready && !why && !isUsed);
      hint.textContent = sending
        ? "Uploading…"
        : why ||
          (isUsed || !ready
            ? ""
            : isUploaded
              ? "Already uploaded; nothing will be sent again."
              : "Uploads a new image. The original is kept.");
      progress.hidden = !sending;
      turn(undo, ready && (model.get("can_undo") || hasDraft()));
      turn(redo, ready && model.get("can_redo") && !hasDraft());
      turn(apply, ready && hasDraft() && !model.get("problem"));
      turn(cancel, ready);
      toolBox.inert = sending;
      tools.crop.frame.node.inert = sending;
      for (const chip of Object.values(chips)) turn(chip, ready);
    }

    // ---------------------------------------------------------------- painting

    let url = "";
    on("data mime_type", () => {
      url = showBytes(image, model.get("data"), model.get("mime_type"), url);
    });
    signal.addEventListener("abort", () => url && URL.revokeObjectURL(url));
    on("alt", () => (image.alt = model.get("alt")));
    on("state shown data", () => {
      const isThere = Boolean(bytesOf(model.get("data"))?.byteLength);
      const [wide, high] = model.get("shown");
      canvas.style.setProperty("--wonda-ratio", String(wide / high));
      frame.hidden = isThere;
      canvas.hidden = !isThere;
      const loading = model.get("state") === "loading";
      veil.textContent = loading ? "Loading the image…" : "";
      canvas.classList.toggle("wonda-waiting", loading);
    });
    on("facts before", () => {
      facts.textContent = model.get("facts");
      const differs = model.get("before") && model.get("before") !== model.get("facts");
      before.textContent = differs ? `from ${model.get("before")}` : "";
    });
    on("tool draft size shown defaults fonts data", () => {
      const open = model.get("tool");
      toolBox.hidden = !open;
      // While the image before the crop is not shown yet, a frame would lie over another one.
      const isShown = model.get("shown").join() === model.get("size").join();
      tools.crop.frame.node.hidden = open !== "crop" || !isShown;
      for (const [name, tool] of Object.entries(tools)) {
        tool.node.hidden = name !== open;
        chips[name].setAttribute("aria-pressed", String(name === open));
      }
      if (open) {
        toolBox.setAttribute("aria-label", `${tools[open].label} settings`);
        if (!resting) tools[open].write(hasDraft() ? model.get("draft") : null);
      }
      paint();
    });
    on("problem", () => {
      problem.textContent = model.get("problem");
      problem.hidden = !model.get("problem");
      paint();
    });
    on("changes", () => {
      const changes = model.get("changes");
      list.replaceChildren(...changes.map((text) => h("li", {}, text)));
      none.hidden = changes.length > 0;
    });
    on("state step used can_undo can_redo changes", () => {
      const last = model.get("used");
      used.hidden = !last.media_id;
      usedText.textContent = `as a new image: ${last.facts ?? ""}`;
      paint();
    });
    on("error", alert.wondaPaint);

    // ---------------------------------------------------------------- keys

    const types = (event) => event.target.matches?.("textarea, input:is([type=text], [type=number])");
    const isZ = (event) => (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    hotkey(
      root,
      signal,
      (event) => isZ(event) && !types(event), // while typing it undoes the typing
      (event) => (event.shiftKey ? act(redo, "redo") : act(undo, "undo")),
    );
    hotkey(root, signal, isEscape, () => leave());
    hotkey(root, signal, isSubmit, () => (model.get("tool") ? commit("") : false));
    hotkey(root, signal, (event) => /^Arrow/.test(event.key), (event) => tools.crop.frame.key(event), {
      held: true,
    });
    return end;
  },
};
