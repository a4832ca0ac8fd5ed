/** Values as chips with a box to add more: Enter adds one, Backspace removes the last one. A
    value may contain commas; a pasted list has one value per line. */
function chips(label, { options = null, changed, placeholder = "add…" }) {
  let values = [];
  const list = h("span", { class: "wonda-chips", role: "list" });
  const input = options
    ? select([], "", () => {
        if (input.value) add([options.find((option) => String(option) === input.value)]);
      })
    : h("input", { class: "wonda-chip-input", placeholder, autocomplete: "off" });
  if (options) input.classList.add("wonda-chip-select");
  const box = h("div", { class: "wonda-chip-box", onclick: (event) => event.target === box && input.focus() }, list, input);
  input.wondaBox = box;
  const row = field(label, input);

  function add(more) {
    const fresh = more.filter((value) => value !== "" && value !== undefined);
    const doubles = fresh.filter((value) => values.includes(value));
    const kept = fresh.filter((value, at) => !values.includes(value) && fresh.indexOf(value) === at);
    row.say(doubles.length ? `“${doubles[0]}” is already in the list.` : "");
    if (kept.length) {
      values = [...values, ...kept];
      paint();
      changed(values);
    }
  }
  function remove(at) {
    values = values.filter((_, index) => index !== at);
    row.say("");
    paint();
    changed(values);
    input.focus();
  }
  if (!options) {
    const take = () => {
      const more = input.value.trim();
      input.value = "";
      add([more]);
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      if (event.key === "Enter" && input.value.trim()) {
        event.preventDefault();
        take();
      } else if (event.key === "Backspace" && !input.value && values.length && !event.repeat) {
        remove(values.length - 1);
      }
    });
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text") ?? "";
      const lines = text.split(/\r?\n/).map((line) => line.trim());
      if (lines.length < 2) return;
      event.preventDefault();
      add(lines);
    });
    input.addEventListener("change", () => input.value.trim() && take());
  }
  function paint() {
    list.replaceChildren(
      ...values.map((value, at) => {
        const shut = h("button", { type: "button", class: "wonda-chip-shut", "aria-label": `Remove ${value}`, onclick: () => remove(at) }, "×");
        return h("span", { class: "wonda-chip", role: "listitem" }, h("bdi", {}, String(row.named?.(value) ?? value)), shut);
      }),
    );
    list.hidden = !values.length;
    if (options) {
      const rest = options.filter((option) => !values.includes(option));
      fillSelect(input, [{ value: "", label: "add…" }, ...rest.map((option) => ({ value: String(option), label: String(row.named?.(option) ?? option) }))], "");
      input.hidden = !rest.length;
    }
  }
  paint();
  return Object.assign(row, {
    read: () => values,
    /** Add the text in the box, if there is any. */
    take: () => {
      const more = options ? "" : input.value.trim();
      if (!more) return;
      input.value = "";
      add([more]);
    },
    write(now) {
      if (JSON.stringify(now) === JSON.stringify(values)) return;
      values = [...now];
      paint();
    },
    repaint: paint,
  });
}

const FORM_TRAITS = ["template", "values", "models", "params", "budget", "max_concurrency"];

export default {
  render({ model, el }) {
    const panel = view(model, el, "lab-form");
    const { root, on, signal, end } = panel;

    // -------------------------------------------------------------- the template

    const marks = h("div", { class: "wonda-input wonda-marks", "aria-hidden": "true" });
    const template = h("textarea", {
      class: "wonda-input",
      rows: 4,
      placeholder: "A {subject} over the ocean, {light}, long lens",
      oninput() {
        mark();
        clearTimeout(saving);
        saving = setTimeout(save, 300);
      },
      onchange: () => save(),
      onscroll: () => (marks.scrollTop = template.scrollTop),
    });
    let saving = 0;
    signal.addEventListener("abort", () => clearTimeout(saving));
    const save = () => {
      clearTimeout(saving);
      if (model.get("template") !== template.value) put(model, { template: template.value });
    };
    template.wondaBox = h("div", { class: "wonda-marked" }, marks, template);
    const templateField = field("Prompt template", template, { help: "Use {subject} for a variable part. Press Enter to add a value, or paste one per line." });
    function mark() {
      const parts = template.value.split(/(\{\{|\}\}|\{[^{}]*\})/);
      marks.replaceChildren(
        ...parts.map((part) => (/^\{[^{}]+\}$/.test(part) ? h("mark", {}, part) : part)),
        "\n",
      );
    }

    // -------------------------------------------------------------- what varies

    const varied = h("div", { class: "wonda-params" });
    let valueFields = new Map();
    function buildValues() {
      const names = model.get("placeholders");
      const now = model.get("values");
      const focused = document.activeElement;
      const next = new Map();
      for (const name of names) {
        const old = valueFields.get(name);
        const row =
          old ??
          chips(name, {
            changed: (values) => put(model, { values: { ...model.get("values"), [name]: values } }),
          });
        row.write(now[name] ?? []);
        next.set(name, row);
      }
      const same = [...valueFields.keys()].join("\n") === names.join("\n");
      valueFields = next;
      if (!same) varied.replaceChildren(...[...next.values()].map((row) => row.node));
      if (focused?.isConnected && root.contains(focused)) focused.focus({ preventScroll: true });
    }

    const modelsHost = h("div", { class: "wonda-params" });
    const parameters = h("div", { class: "wonda-params" });
    let models = null;
    let paramFields = new Map();
    function buildModels() {
      const offered = model.get("available_models");
      if (models?.of !== offered) {
        models = chips("Models", {
          options: offered.map(({ key }) => key),
          changed: (values) => put(model, { models: values }),
        });
        models.of = offered;
        models.named = (key) => offered.find((item) => item.key === key)?.name ?? key;
        models.repaint();
        modelsHost.replaceChildren(models.node);
      }
      models.write(model.get("models"));
    }
    function buildParams() {
      const chosen = model.get("available_models").filter(({ key }) => model.get("models").includes(key));
      const fields = new Map();
      for (const { fields: some } of chosen)
        for (const spec of some) {
          const known = fields.get(spec.name);
          const options = [...new Set([...(known?.options ?? []), ...spec.options])];
          fields.set(spec.name, { ...spec, ...known, options });
        }
      const shape = JSON.stringify([...fields.values()].map(({ name, options }) => [name, options]));
      if (parameters.dataset.shape !== shape) {
        parameters.dataset.shape = shape;
        paramFields = new Map(
          [...fields.values()].map((spec) => {
            const options = spec.kind === "choice" ? spec.options : spec.kind === "flag" ? [true, false] : null;
            const number = ["slider", "number"].includes(spec.kind);
            const row = chips(spec.label, {
              options,
              placeholder: spec.default == null ? "default" : `default: ${spec.default}`,
              changed(values) {
                const typed = number ? values.map((value) => (Number.isNaN(Number(value)) ? value : Number(value))) : values;
                put(model, { params: { ...model.get("params"), [spec.name]: typed } });
              },
            });
            if (spec.kind === "flag") row.named = (value) => (value ? "on" : "off");
            row.repaint();
            return [spec.name, row];
          }),
        );
        parameters.replaceChildren(...[...paramFields.values()].map((row) => row.node));
      }
      for (const [name, row] of paramFields) row.write(model.get("params")[name] ?? []);
    }

    // -------------------------------------------------------------- plan and price

    const planRows = h("tbody");
    const planTable = h("table", { class: "wonda-plan" }, h("caption", { class: "wonda-unseen" }, "Plan"), planRows);
    const spent = h("div");
    const meter = h("div", { class: "wonda-bar wonda-budget-bar" }, spent);
    const notes = h("p", { class: "wonda-help" });
    const why = h("p", { class: "wonda-why", role: "status" });
    const anyway = h("div", { class: "wonda-buttons" }, button("Continue anyway", () => tell(model, { type: "unchecked" }), { small: true }));
    const saveBudget = () => {
      clearTimeout(budgeting);
      if (model.get("budget") !== money.value) put(model, { budget: money.value });
    };
    const money = h("input", {
      class: "wonda-input",
      inputmode: "decimal",
      oninput: () => {
        clearTimeout(budgeting);
        budgeting = setTimeout(saveBudget, 300);
      },
      onchange: () => saveBudget(),
    });
    let budgeting = 0;
    signal.addEventListener("abort", () => clearTimeout(budgeting));
    const budget = field("Budget (US $)", money);
    const saveConcurrency = () => {
      const value = Math.round(Number(concurrency.value));
      if (value >= 1 && value <= 32) put(model, { max_concurrency: value });
      else concurrency.value = model.get("max_concurrency");
    };
    const concurrency = h("input", {
      type: "number",
      class: "wonda-input",
      min: 1,
      max: 32,
      onchange: () => saveConcurrency(),
    });
    const concurrencyField = field("Parallel jobs", concurrency);
    const run = button("Run", () => submit(), { primary: true });
    const reload = button("Try again", () => tell(model, { type: "reload" }), { small: true });
    const note = h("p", { class: "wonda-note", role: "status" });
    const alert = alertBox(model, h("div", { class: "wonda-buttons" }, reload));
    const leftText = h("span");
    const left = h(
      "div",
      { class: "wonda-left-plan", role: "status" },
      leftText,
      h(
        "div",
        { class: "wonda-buttons" },
        button("Open plan", () => tell(model, { type: "open_plan" }), { small: true }),
        button("Not now", () => tell(model, { type: "dismiss_plan" }), { small: true }),
      ),
    );
    root.append(
      left,
      templateField.node,
      varied,
      modelsHost,
      parameters,
      h("div", { class: "wonda-plan-box" }, planTable, meter, notes),
      h("div", { class: "wonda-pair wonda-always" }, budget.node, concurrencyField.node),
      h("div", { class: "wonda-go" }, run),
      why,
      anyway,
      note,
      alert,
    );
    banner(model, root);

    const sent = delivery(model, panel, (text) => {
      note.textContent = text;
      paint();
    });
    function submit() {
      if (isOff(run)) return;
      for (const row of [...valueFields.values(), ...paramFields.values()]) row.take();
      save();
      saveBudget();
      saveConcurrency();
      // A front end may delay trait changes but not messages, so the message contains all values.
      const form = Object.fromEntries(FORM_TRAITS.map((name) => [name, model.get(name)]));
      sent.send({ type: "run_now", form, count: model.get("plan").count, usd: model.get("plan").usd });
      paint();
    }
    function paint() {
      const plan = model.get("plan");
      const state = model.get("state");
      const waits = model.get("template") !== template.value;
      const some = plan.count > 0 || plan.requested > 0;
      const ready = state === "ready" && some && !plan.problem && !sent.waiting && !waits;
      turn(run, ready);
      const label = plan.is_repeat ? `Generate ${plan.count} more` : `Run ${plan.count}`;
      run.textContent = plan.count ? label : plan.requested ? "Show results" : "Run";
      reload.parentElement.hidden = state !== "unavailable";
      left.hidden = !model.get("unfinished_plan") || state === "running";
      leftText.textContent = model.get("unfinished_plan");
    }
    function row(name, value, strong = false) {
      return h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, strong ? h("strong", {}, value) : value));
    }
    function paintPlan() {
      const plan = model.get("plan");
      const known = plan.count > 0 || plan.requested > 0;
      planTable.parentElement.hidden = !known;
      if (known) {
        planRows.replaceChildren(
          row(plan.factors, `${plan.count + plan.requested} image${plan.count + plan.requested === 1 ? "" : "s"}`, true),
          ...(plan.requested ? [row("Done or in progress", `${plan.requested}`), row("Pending", `${plan.count}`, true)] : []),
          ...plan.prices.slice(0, 6).map(({ text, count }) =>
            row(plan.prices.length > 1 ? `Price per image (${count} images)` : "Price per image", text.replace(/^about /, "")),
          ),
          h("tr", {}, h("th", { scope: "row" }, h("strong", {}, "Total")), h("td", {}, h("strong", {}, plan.usd), plan.budget ? ` of ${plan.budget} budget` : null)),
        );
        spent.style.width = `${Math.min(100, 100 * plan.share)}%`;
        meter.classList.toggle("wonda-over", plan.share > 1);
        notes.textContent = plan.notes.join(" ");
      }
      // A problem with one field is shown at that field, any other problem under the button.
      const problem = plan.problem;
      const [kind, name] = (problem?.field ?? "").split(/\.(.*)/s);
      const rows = {
        template: templateField,
        values: name === undefined ? templateField : valueFields.get(name),
        models,
        params: paramFields.get(name),
        budget: budget,
      };
      for (const each of [templateField, models, budget, ...valueFields.values(), ...paramFields.values()]) each?.say("");
      const at = rows[kind];
      const isEmpty = kind === "template" && !template.value.trim();
      const text = problem && `${problem.title} ${problem.text.replace("Nothing was sent.", "").trim()}`.trim();
      if (at && problem && !isEmpty) at.say(text);
      const hadFocus = anyway.contains(document.activeElement);
      anyway.hidden = kind !== "allow_unchecked";
      if (hadFocus && anyway.hidden) run.focus();
      why.textContent = !problem || isEmpty ? "" : at ? `Can’t run: ${problem.title}` : text;
    }

    on("template", () => {
      if (template.value !== model.get("template") && document.activeElement !== template) template.value = model.get("template");
      mark();
    });
    on("placeholders values", buildValues);
    on("available_models models", () => {
      buildModels();
      buildParams();
    });
    on("params", buildParams);
    on("budget", () => document.activeElement !== money && (money.value = model.get("budget")));
    on("max_concurrency", () => (concurrency.value = model.get("max_concurrency")));
    on("plan", paintPlan);
    on("plan state unfinished_plan template", paint);
    on("error", alert.wondaPaint);
    hotkey(root, signal, isSubmit, submit);
    return end;
  },
};
