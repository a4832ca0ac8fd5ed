// The tools of the image editor. Each has { label, node, read(), write(draft) }, where `read`
// returns the operation as JSON and `write` shows one, or the tool's defaults for null.

const FORMATS = [
  { value: "JPEG", label: "JPEG" },
  { value: "PNG", label: "PNG" },
  { value: "WEBP", label: "WebP" },
];
const ROWS = ["top", "center", "bottom"];
const COLUMNS = ["left", "center", "right"];

/** A number field; `read()` returns NaN while the text is not a number. */
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
      // Do not overwrite a number that is being typed.
      if (control !== control.getRootNode().activeElement) control.value = value;
    },
  };
}

/** A color field; CSS names are converted for the native control. */
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

/** Toggle buttons of which one is pressed: `items` are { value, label, icon }. */
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
  // Rows of at most five buttons, filled evenly.
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

/** Nine positions as native radio buttons; arrow keys move between them. */
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

/** The crop frame over the image; frame and handles can be moved by mouse and keyboard. */
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
  const hint = h("span", { class: "wonda-unseen", id: uid("keys") }, "Arrow keys move the frame by 1 pixel, with Shift by 10.");
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
    /** Move the focused handle by an arrow key; return false for other keys. */
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
      // Typed numbers may exceed the image; the frame does not.
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
  const size = () => model.get("base_size");
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
        // The draft was set from code: select the shape that fits exactly.
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

/** Pad: a shape or an exact canvas, and its color. */
function padTool(model, change) {
  const size = () => model.get("base_size");
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
  const ground = color("Color", change);
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

/** Resize: the user types one side, and the other is computed. */
function resizeTool(model, change) {
  const size = () => model.get("base_size");
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

/** Text: content, position and style. */
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
  const colors = { textColor: color("Color", change), strokeColor: color("Outline", change) };
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

/** Format and quality. */
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
