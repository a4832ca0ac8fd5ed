// The aspect ratios that are shown as drawings; the select next to them has all others.
const SHAPES = ["9:16", "4:5", "1:1", "16:9"];
const isRatio = (text) => /^\d{1,2}:\d{1,2}$/.test(text);

/** Common aspect ratios drawn as shapes, in front of a select with all of them. */
function shapePicker(options, value, onchange) {
  const control = select(options, value, () => {
    paint();
    onchange();
  });
  const offered = SHAPES.filter((ratio) => options.some((option) => option.value === ratio));
  const picks = offered.map((ratio) =>
    h(
      "button",
      {
        type: "button",
        class: "wonda-shape",
        onclick() {
          if (control.disabled) return;
          control.value = ratio;
          control.dispatchEvent(new Event("change"));
        },
      },
      shapeIcon(ratio),
      h("span", {}, ratio),
    ),
  );
  const paint = () => {
    picks.forEach((pick, index) => {
      const chosen = offered[index] === control.value;
      pick.classList.toggle("wonda-on", chosen);
      pick.setAttribute("aria-pressed", String(chosen));
    });
    more.classList.toggle("wonda-on", !offered.includes(control.value));
  };
  // While a drawn shape is selected, the select shows "more"; its value is still correct.
  const more = h("span", { class: "wonda-more" }, control);
  control.wondaBox = h("div", { class: "wonda-shapes" }, ...picks, more);
  control.wondaPaint = paint;
  paint();
  return control;
}

/** The control of one parameter; `read()` returns its value, or undefined for none. */
function parameter(spec, value, changed) {
  if (spec.kind === "choice") {
    const options = spec.options.map((item) => ({ value: String(item), label: String(item) }));
    if (spec.default == null && !spec.required) options.unshift({ value: "", label: "default" });
    const at = String(value ?? options[0].value);
    const ratios = spec.options.filter((item) => isRatio(String(item))).length;
    const short = options.length <= 4 && options.every((option) => option.label.length <= 8);
    const make = ratios > 3 ? shapePicker : short ? segments : select;
    const control = make(options, at, changed);
    const row = field(spec.label, control, { help: spec.help });
    return {
      ...row,
      read: () => spec.options.find((item) => String(item) === control.value),
      write(now) {
        control.value = String(now ?? "");
        control.wondaPaint?.();
      },
    };
  }
  if (spec.kind === "flag") {
    const control = h("input", { type: "checkbox", id: uid("flag"), onchange: changed });
    control.checked = Boolean(value);
    const row = field("", control);
    row.node.replaceChildren(
      h("label", { class: "wonda-check" }, control, h("span", {}, spec.label)),
      ...(spec.help ? [h("p", { class: "wonda-help" }, spec.help)] : []),
    );
    return { ...row, read: () => control.checked, write: (now) => (control.checked = !!now) };
  }
  const isNumber = spec.kind !== "text";
  const type = { slider: "range", number: "number", text: "text" }[spec.kind];
  const control = h("input", {
    type,
    class: spec.kind === "slider" ? "wonda-slider" : "wonda-input",
    min: spec.minimum,
    max: spec.maximum,
    step: isNumber ? (spec.step ?? "any") : null,
    oninput() {
      shown.textContent = control.value;
    },
    onchange: changed,
  });
  control.value = value ?? "";
  const shown = h("output", { class: "wonda-count" }, spec.kind === "slider" ? control.value : "");
  const row = field(spec.label, control, {
    help: spec.help,
    aside: spec.kind === "slider" ? shown : null,
  });
  const read = () => {
    if (control.validity.badInput) return NaN;
    if (control.value === "") return undefined;
    return isNumber ? Number(control.value) : control.value;
  };
  const range =
    spec.minimum != null && spec.maximum != null
      ? `${spec.label} must be from ${spec.minimum} to ${spec.maximum}.`
      : spec.minimum != null
        ? `${spec.label} must be at least ${spec.minimum}.`
        : `${spec.label} must be at most ${spec.maximum}.`;
  control.addEventListener("input", () => {
    const { badInput, rangeUnderflow, rangeOverflow, stepMismatch } = control.validity;
    if (badInput) row.say(`${spec.label} must be a number.`);
    else if (rangeUnderflow || rangeOverflow) row.say(range);
    else if (stepMismatch && spec.whole) row.say(`${spec.label} must be a whole number.`);
    else row.say("");
  });
  return {
    ...row,
    read,
    write(now) {
      if (document.activeElement !== control) control.value = now ?? "";
      if (spec.kind === "slider") shown.textContent = control.value;
    },
  };
}

export default {
  render({ model, el }) {
    const panel = view(model, el, "form");
    const { root, on, signal, end } = panel;

    const promptControl = h("textarea", {
      class: "wonda-input",
      rows: 4,
      oninput() {
        prompt.say("");
        clearTimeout(saving);
        saving = setTimeout(save, 400);
      },
      onchange: () => save(),
    });
    let saving = 0;
    const save = () => {
      clearTimeout(saving);
      if (model.get("prompt") !== promptControl.value) put(model, { prompt: promptControl.value });
    };
    signal.addEventListener("abort", () => clearTimeout(saving));
    const prompt = field("Prompt", promptControl);
    const modelSelect = select([], "", () => chooseModel());
    const modelHelp = h("span", { class: "wonda-count" });
    const modelField = field("Model", modelSelect, { aside: modelHelp });
    const parameters = h("div", { class: "wonda-params" });
    const images = references(model, panel);
    const generate = button("Generate", () => submit(), { primary: true });
    const price = h("span", { class: "wonda-price" });
    const keys = h("kbd", { class: "wonda-keys", "aria-hidden": "true" });
    keys.textContent = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵";
    const note = h("p", { class: "wonda-note", role: "status" });
    const reload = button("Try again", () => tell(model, { type: "reload" }), { small: true });
    const settled = button("I’ve checked, continue", () => tell(model, { type: "dismiss_unknown" }), {
      small: true,
    });
    const alert = alertBox(model, h("div", { class: "wonda-buttons" }, reload, settled));
    root.append(
      prompt.node,
      modelField.node,
      parameters,
      images.node,
      h("div", { class: "wonda-go" }, generate, price, keys),
      note,
      alert,
    );
    banner(model, root);

    let controls = new Map();
    const typed = new Map(); // the values of parameters that the current model does not have
    const spec = () => model.get("models").find((item) => item.key === modelSelect.value);
    const values = () => {
      const read = [...controls].map(([name, control]) => [name, control.read()]);
      return Object.fromEntries(read.filter(([, value]) => value !== undefined));
    };
    const changed = () => put(model, { params: values() });

    function build() {
      const chosen = spec();
      const now = model.get("params");
      controls = new Map(
        (chosen?.fields ?? []).map((item) => [
          item.name,
          parameter(item, now[item.name] ?? item.default, changed),
        ]),
      );
      parameters.replaceChildren(...[...controls.values()].map((control) => control.node));
      modelHelp.textContent = chosen?.help ?? "";
      const needed = chosen?.needs_prompt ?? true;
      prompt.node.querySelector("label").textContent = needed ? "Prompt" : "Prompt (optional)";
      promptControl.placeholder = needed
        ? "Describe the image: subject, light, lens, mood"
        : "This model uses a reference image; no prompt is needed";
    }

    function chooseModel() {
      // Keep the values that the next model also accepts; use its defaults for the others.
      for (const [name, value] of Object.entries(values())) typed.set(name, value);
      const kept = {};
      for (const item of spec()?.fields ?? []) {
        const before = typed.get(item.name);
        const fits =
          before !== undefined && (item.kind !== "choice" || item.options.includes(before));
        const value = fits ? before : item.default;
        if (value != null) kept[item.name] = value;
      }
      put(model, { model: modelSelect.value, params: kept });
    }

    const sent = delivery(model, panel, (text) => {
      note.textContent = text;
      paint();
    });
    function submit() {
      if (isOff(generate)) return;
      save();
      sent.send({
        type: "submit",
        prompt: promptControl.value,
        model: modelSelect.value,
        params: values(),
      });
      paint();
    }

    function paint() {
      const state = model.get("state");
      turn(generate, state === "ready" && !sent.waiting);
      modelSelect.disabled = state === "loading" || state === "unavailable";
      reload.hidden = state !== "unavailable";
      settled.hidden = state !== "unknown";
      reload.parentElement.hidden = reload.hidden && settled.hidden;
      price.textContent = state === "loading" ? "Loading models…" : model.get("price");
    }

    on("prompt", () => {
      if (promptControl.value !== model.get("prompt") && document.activeElement !== promptControl)
        promptControl.value = model.get("prompt");
    });
    const options = () => {
      const models = model.get("models");
      const listed = models.map((item) => ({
        value: item.key,
        label: item.needs_prompt ? item.name : `${item.name} (needs an image)`,
      }));
      fillSelect(
        modelSelect,
        listed.length ? listed : [{ value: model.get("model"), label: "…" }],
        model.get("model"),
      );
      build();
    };
    on("models model", options);
    on("params", () => {
      const now = model.get("params");
      for (const [name, control] of controls) {
        if (control.read() !== now[name]) control.write(now[name]);
      }
    });
    on("state price", paint);
    on("error", () => {
      // An error about one field is shown at that field, any other under the button.
      const error = model.get("error");
      const [kind, name] = (error?.field ?? "").split(/\.(.*)/s);
      const at = { prompt, model: modelField, references: images, params: controls.get(name) }[kind];
      for (const row of [prompt, modelField, ...controls.values()]) row.say("");
      (at ? at.node : note).after(alert);
      alert.wondaPaint();
      if (at) {
        // Only inside the panel, because the user may be typing elsewhere by now.
        if (root.contains(document.activeElement)) at.control.focus();
        at.control.setAttribute("aria-invalid", "true");
      }
    });
    hotkey(root, signal, isSubmit, submit);
    return end;
  },
};
