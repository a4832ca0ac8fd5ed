import "./dom";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComponentType } from "preact";
import { h } from "preact";
import { useState } from "preact/hooks";
import { Composite } from "../src/panels/composite";
import { ImageStore } from "../src/panels/gallery/image_store";
import { MatrixProgress } from "../src/panels/gallery/matrix_progress";
import { JobProgress } from "../src/panels/job_progress";
import { addKinds } from "../src/panels/kinds";
import { PromptForm } from "../src/panels/prompt_form";
import { Button } from "../src/ui/button";
import { ListField } from "../src/ui/list_field";
import { PostLink } from "../src/ui/post_link";
import { button, FakeModel, hostOf, press, settled, show, type } from "./fake_model";

const kindOf = (component: ComponentType) => ({ className: "wonda-test", component });

const JOB = {
  job_phase: "running",
  job_status: "queued",
  job_note: "",
  job_id: "job-1",
  job_label: "Generation",
  job_elapsed: 3,
  job_updates: 0,
  job_durations: {},
};

// ---------------------------------------------------------------- notifications

test("the end of a job is told once, and only if it was seen running", async () => {
  const told: string[] = [];
  const before = Object.getOwnPropertyDescriptor(globalThis, "Notification");
  Object.defineProperty(globalThis, "Notification", {
    configurable: true,
    value: class {
      static permission = "granted";
      constructor(text: string) {
        told.push(text);
      }
    },
  });
  const model = new FakeModel({ ...JOB, notify: true });
  const { remove } = await show(kindOf(JobProgress), model);
  model.set("job_phase", "succeeded");
  await settled();
  model.set("job_updates", 2);
  await settled();
  assert.deepEqual(told, ["Generation succeeded"]);
  model.state.notify = false;
  model.set("job_id", "job-2");
  model.set("job_phase", "running");
  await settled();
  model.set("job_phase", "failed");
  await settled();
  assert.equal(told.length, 1);
  remove();
  const ended = new FakeModel({ ...JOB, notify: true, job_phase: "succeeded" });
  const again = await show(kindOf(JobProgress), ended);
  assert.equal(told.length, 1);
  again.remove();
  if (before) Object.defineProperty(globalThis, "Notification", before);
  else Reflect.deleteProperty(globalThis, "Notification");
});

test("without permission, the title of the tab tells it until the user is back", async () => {
  document.title = "Notebook";
  const model = new FakeModel({ ...JOB, notify: true });
  const { remove } = await show(kindOf(JobProgress), model);
  const hasFocus = document.hasFocus;
  document.hasFocus = () => false;
  model.set("job_phase", "failed");
  await settled();
  assert.equal(document.title, "Generation failed · Notebook");
  window.dispatchEvent(new Event("focus"));
  assert.equal(document.title, "Notebook");
  document.hasFocus = hasFocus;
  remove();
});

// ---------------------------------------------------------------- every panel

test("the sandbox banner is shown where it is wanted", async () => {
  const model = new FakeModel({ sandbox: true, banner: true, ...JOB });
  const { element, remove } = await show(kindOf(JobProgress), model);
  assert.match(element.querySelector('[role="note"]')?.textContent ?? "", /nothing is published/);
  model.set("banner", false);
  await settled();
  assert.equal(element.querySelector('[role="note"]'), null);
  remove();
});

test("an error is an alert, and its text is never HTML", async () => {
  const model = new FakeModel(JOB);
  const { element, remove } = await show(kindOf(JobProgress), model);
  const alert = element.querySelector<HTMLElement>('[role="alert"]');
  assert.ok(alert?.hidden);
  model.set("error", { title: "<b>No</b>", text: "<img src=x>", field: "" });
  await settled();
  assert.ok(!alert.hidden);
  assert.equal(alert.textContent, "<b>No</b> <img src=x>");
  assert.equal(alert.querySelector("img"), null);
  remove();
});

test("a removed panel leaves no listener", async () => {
  const model = new FakeModel(JOB);
  const { remove } = await show(kindOf(JobProgress), model);
  assert.ok(model.listenerCount > 0);
  remove();
  await settled();
  assert.equal(model.listenerCount, 0);
});

test("plain keys are kept from the notebook, shortcuts with Control are not", async () => {
  const heard: string[] = [];
  const listen = (event: KeyboardEvent) => heard.push(event.key);
  document.addEventListener("keydown", listen);
  const { element, remove } = await show(kindOf(JobProgress), new FakeModel(JOB));
  const target = button(element, "Stop watching");
  await press(target, "x");
  assert.ok(target.hasAttribute("data-lm-suppress-shortcuts"));
  await press(target, "s", { ctrlKey: true });
  assert.ok(!target.hasAttribute("data-lm-suppress-shortcuts"));
  assert.deepEqual(heard, ["s"]);
  document.removeEventListener("keydown", listen);
  remove();
});

test("a stopped kernel is reported once, by the outermost panel", async () => {
  const bundle = Object.assign(new FakeModel({}), { comm_live: true });
  const parts = ["a", "b"].map(
    (name) => new FakeModel({ _panel: "part", _bundle: "anywidget:1", name }),
  );
  const composite = new FakeModel({ _bundle: "anywidget:1", children: ["a", "b"] });
  composite.widget_manager.get_model = async () => bundle;
  const kind = { className: "wonda-studio", component: Composite, isComposite: true };
  const host = hostOf({ a: parts[0] as FakeModel, b: parts[1] as FakeModel });
  const { element, remove } = await show(kind, composite, host);
  assert.equal(element.querySelectorAll(".wonda-part").length, 2);
  assert.equal(element.querySelectorAll(".wonda-kernel-lost").length, 0);
  bundle.comm_live = false;
  bundle.emit("comm_live_update");
  await settled();
  assert.equal(element.querySelectorAll(".wonda-kernel-lost").length, 1);
  remove();
});

// ---------------------------------------------------------------- the job

test("the status word and its meaning are shown, and the bar has no made-up share", async () => {
  const model = new FakeModel(JOB);
  const { element, remove } = await show(kindOf(JobProgress), model);
  const bar = element.querySelector('[role="progressbar"]');
  assert.match(element.textContent ?? "", /queued.*waiting in the queue/);
  assert.equal(bar?.getAttribute("aria-valuenow"), null);
  assert.equal(bar?.getAttribute("aria-label"), "Generation");
  model.set("job_durations", {
    curve: [
      [0, 0],
      [6, 0.5],
      [60, 0.9],
    ],
    low: 5,
    high: 60,
  });
  await settled();
  assert.match(bar?.getAttribute("aria-valuetext") ?? "", /queued, estimated/);
  assert.match(element.textContent ?? "", /usually 5 s – 1 min 00 s · progress is estimated/);
  model.set("job_elapsed", 0.1); // the service corrects its time
  await settled();
  assert.ok(Number(bar?.getAttribute("aria-valuenow")) >= 24, "the bar moves back");
  remove();
});

test("a stopped job can be resumed, and the focus stays in the row", async () => {
  const model = new FakeModel(JOB);
  const { element, remove } = await show(kindOf(JobProgress), model);
  const stop = button(element, "Stop watching");
  stop.focus();
  stop.click();
  assert.deepEqual(model.sent.at(-1), { type: "stop" });
  model.set("job_phase", "stopped");
  await settled();
  assert.ok(stop.hidden);
  assert.equal(document.activeElement, button(element, "Resume watching"));
  remove();
});

test("a session that may not generate cannot steer a job", async () => {
  const model = new FakeModel({ ...JOB, permissions: [] });
  const { element, remove } = await show(kindOf(JobProgress), model);
  assert.ok(button(element, "Stop watching").hidden);
  remove();
});

// ---------------------------------------------------------------- the form

const RATIO = {
  name: "aspectRatio",
  label: "Aspect ratio",
  kind: "choice",
  help: "",
  required: false,
  default: "1:1",
  options: ["1:1", "4:5"],
  minimum: null,
  maximum: null,
  step: null,
  whole: false,
};
const MODEL = {
  key: "m",
  kind: "image",
  name: "M",
  help: "",
  needs_prompt: true,
  most_references: 0,
};
const FORM = {
  prompt: "",
  kind: "image",
  model: "m",
  params: { aspectRatio: "1:1" },
  models: [
    { ...MODEL, fields: [RATIO] },
    { ...MODEL, key: "n", name: "N", fields: [{ ...RATIO, options: ["1:1", "9:16"] }] },
  ],
  price: "",
  note: "",
  state: "ready",
  references: [],
  reference_thumbs: {},
  references_message: "",
  file_note: "",
  snippets: {},
};

test("Generate sends what is typed, also before the pause is over", async () => {
  const model = new FakeModel(structuredClone(FORM));
  const { element, remove } = await show(kindOf(PromptForm), model);
  const prompt = element.querySelector("textarea");
  assert.ok(prompt);
  await type(prompt, "A quiet harbor");
  await press(prompt, "Enter", { ctrlKey: true });
  assert.equal(model.state.prompt, "A quiet harbor");
  assert.deepEqual(model.sent, [
    {
      type: "submit",
      prompt: "A quiet harbor",
      kind: "image",
      model: "m",
      params: { aspectRatio: "1:1" },
    },
  ]);
  await press(prompt, "Enter", { ctrlKey: true }); // not confirmed yet
  assert.equal(model.sent.length, 1);
  remove();
});

test("typed text is not overwritten by the kernel", async () => {
  const model = new FakeModel(structuredClone(FORM));
  const { element, remove } = await show(kindOf(PromptForm), model);
  const prompt = element.querySelector("textarea");
  assert.ok(prompt);
  await type(prompt, "being typed");
  model.set("prompt", "from code");
  await settled();
  assert.equal(prompt.value, "being typed");
  prompt.blur();
  model.set("prompt", "from code again");
  await settled();
  assert.equal(prompt.value, "from code again");
  remove();
});

test("another model keeps the values that it accepts, and its own come back", async () => {
  const model = new FakeModel(structuredClone({ ...FORM, params: { aspectRatio: "4:5" } }));
  const { element, remove } = await show(kindOf(PromptForm), model);
  const select = element.querySelector<HTMLSelectElement>('[data-field="model"] select');
  assert.ok(select);
  const choose = async (key: string) => {
    select.value = key;
    select.dispatchEvent(new Event("change", { bubbles: true }));
    await settled();
  };
  await choose("n");
  assert.deepEqual(model.state.params, { aspectRatio: "1:1" });
  await choose("m");
  assert.deepEqual([model.state.model, model.state.params], ["m", { aspectRatio: "1:1" }]);
  remove();
});

test("an error about a field is shown at the field", async () => {
  const model = new FakeModel(structuredClone(FORM));
  const { element, remove } = await show(kindOf(PromptForm), model);
  model.set("error", { title: "The prompt is empty.", text: "", field: "prompt" });
  await settled();
  const prompt = element.querySelector("textarea");
  assert.equal(prompt?.getAttribute("aria-invalid"), "true");
  assert.ok(prompt?.closest(".wonda-field")?.nextElementSibling?.matches('[role="alert"]'));
  model.set("error", null);
  await settled();
  assert.equal(prompt?.getAttribute("aria-invalid"), "false");
  remove();
});

// ---------------------------------------------------------------- list fields

function ListOf({ initial, ...more }: { initial: unknown[] } & Record<string, unknown>) {
  const [values, setValues] = useState(initial);
  seen = values;
  return h(ListField, { label: "light", values, error: "", onChange: setValues, ...more });
}
let seen: unknown[] = [];

async function listField(initial: unknown[], more: Record<string, unknown> = {}) {
  const shown = await show(
    kindOf(() => h(ListOf, { initial, ...more })),
    new FakeModel({}),
  );
  const input = shown.element.querySelector<HTMLInputElement>("input");
  return { ...shown, input: input as HTMLInputElement };
}

test("Enter adds a value, and Backspace in the empty box removes the last one", async () => {
  const { input, remove } = await listField(["fog"]);
  await type(input, "low haze");
  await press(input, "Enter");
  assert.deepEqual(seen, ["fog", "low haze"]);
  assert.equal(input.value, "");
  await press(input, "Backspace");
  assert.deepEqual(seen, ["fog"]);
  assert.equal(document.activeElement, input);
  await press(input, "Backspace", { repeat: true }); // held down
  assert.deepEqual(seen, ["fog"]);
  remove();
});

test("Backspace deletes typed text before values", async () => {
  const { input, remove } = await listField(["fog"]);
  await type(input, "x");
  await press(input, "Backspace");
  assert.deepEqual(seen, ["fog"]);
  remove();
});

test("Enter that ends an input method's composition adds nothing", async () => {
  const { input, remove } = await listField([]);
  await type(input, "きり");
  await press(input, "Enter", { isComposing: true });
  assert.deepEqual(seen, []);
  remove();
});

test("a double is reported and not added", async () => {
  const { element, input, remove } = await listField(["fog"]);
  await type(input, "fog");
  await press(input, "Enter");
  assert.deepEqual(seen, ["fog"]);
  assert.match(element.textContent ?? "", /“fog” is already in the list/);
  remove();
});

test("a value added to the visible default keeps the default", async () => {
  const { element, remove } = await listField([], {
    options: ["9:16", "4:5", "1:1"],
    defaultValue: "9:16",
  });
  assert.match(element.textContent ?? "", /9:16default/);
  const select = element.querySelector("select");
  assert.ok(select);
  assert.ok(![...select.options].some(({ value }) => value === "9:16"));
  select.value = "4:5";
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await settled();
  assert.deepEqual(seen, ["9:16", "4:5"]);
  remove();
});

// ---------------------------------------------------------------- composites

addKinds({
  part: {
    className: "wonda-part",
    component: () => h("p", {}, "a part"),
  },
  composite: { className: "wonda-studio", component: Composite, isComposite: true },
});

test("a composite shows its parts in boxes, and follows changes of them", async () => {
  const parts = {
    "anywidget:a": new FakeModel({ _panel: "part" }),
    "anywidget:b": new FakeModel({ _panel: "part" }),
  };
  const composite = new FakeModel({
    children: ["anywidget:a", { box: "wonda-box", parts: ["anywidget:b"] }, "anywidget:gone"],
    css_classes: ["wonda-lab"],
  });
  const kind = { className: "wonda-studio", component: Composite, isComposite: true };
  const { element, remove } = await show(kind, composite, hostOf(parts));
  await settled();
  const frame = element.querySelector(".wonda-studio.wonda-lab");
  assert.equal(frame?.querySelectorAll(".wonda-part").length, 2);
  assert.equal(frame?.querySelectorAll(".wonda-box > .wonda-part").length, 1);
  assert.match(frame?.textContent ?? "", /A part of this panel could not be loaded/);
  const first = frame?.querySelector(".wonda-part");
  composite.set("children", [{ box: "wonda-box", parts: ["anywidget:b"] }, "anywidget:a"]);
  await settled();
  assert.ok(frame?.contains(first ?? null), "a moved part is not made anew");
  composite.set("children", []);
  await settled();
  assert.equal(frame?.querySelectorAll(".wonda-part").length, 0);
  assert.equal(parts["anywidget:a"].listenerCount, 0);
  remove();
});

// ---------------------------------------------------------------- the gallery's images

const item = (key: string) => ({ key, state: "succeeded" as const, title: key });

test("items that arrive before their revision are kept for it", () => {
  const store = new ImageStore();
  store.startRevision(1);
  store.receive(
    { type: "items", revision: 2, parts: [{ first: 5, items: [item("a")] }] },
    [],
    1,
    [],
  );
  assert.equal(store.items.size, 0);
  store.startRevision(2);
  assert.equal(store.indexOf("a"), 5);
  store.receive(
    { type: "items", revision: 1, parts: [{ first: 0, items: [item("old")] }] },
    [],
    2,
    [],
  );
  assert.equal(store.indexOf("old"), -1);
  store.receive({ type: "item", item: { ...item("a"), favorite: true } }, [], 2, []);
  assert.ok(store.items.get(5)?.favorite);
});

test("a view keeps at most 300 thumbnails, and those that it shows", () => {
  const urls = new Set<string>();
  let made = 0;
  URL.createObjectURL = () => {
    const url = `blob:${made++}`;
    urls.add(url);
    return url;
  };
  URL.revokeObjectURL = (url) => urls.delete(url);
  const store = new ImageStore();
  store.startRevision(1);
  store.receive(
    { type: "items", revision: 1, parts: [{ first: 0, items: [item("0"), item("1")] }] },
    [],
    1,
    [],
  );
  const bytes = new DataView(new ArrayBuffer(1));
  for (let at = 0; at < 400; at++)
    store.receive({ type: "thumbs", keys: [String(at)] }, [bytes], 1, [0, 1]);
  const kept = Array.from({ length: 400 }, (_, at) => String(at)).filter((key) =>
    store.hasThumb(key),
  );
  assert.equal(kept.length, 300);
  assert.equal(urls.size, 0); // an object URL is made for a card only
  assert.ok(store.thumb("0") && store.thumb("1") && store.thumb("399"));
  assert.equal(store.thumb("2"), "");
  assert.equal(urls.size, 3);
  store.end();
  assert.equal(urls.size, 0);
});

// ---------------------------------------------------------------- small parts

test("a disabled button and the second click of a double click do nothing", async () => {
  let presses = 0;
  let isOff = false;
  const model = new FakeModel({});
  const component = () => h(Button, { children: "Go", off: isOff, onPress: () => presses++ });
  const first = await show(kindOf(component), model);
  const click = (element: Element, detail: number) =>
    button(element, "Go").dispatchEvent(new MouseEvent("click", { bubbles: true, detail }));
  click(first.element, 1);
  click(first.element, 2);
  assert.equal(presses, 1);
  first.remove();
  isOff = true;
  const second = await show(kindOf(component), model);
  assert.equal(button(second.element, "Go").getAttribute("aria-disabled"), "true");
  click(second.element, 1);
  assert.equal(presses, 1);
  second.remove();
});

test("only web addresses become links", async () => {
  for (const [address, count] of [
    ["https://example.com/p", 1],
    ["HTTP://127.0.0.1/p", 1],
    ["javascript:alert(1)", 0],
    ["data:text/html,x", 0],
    ["", 0],
  ] as const) {
    const component = () => h(PostLink, { address, children: "View post" });
    const { element, remove } = await show(kindOf(component), new FakeModel({}));
    assert.equal(element.querySelectorAll("a").length, count, address);
    remove();
  }
});

test("the end of a run of the lab is told, but not that of an earlier one", async () => {
  document.title = "Notebook";
  const hasFocus = document.hasFocus;
  document.hasFocus = () => false;
  const ended = { text: "2 of 2", state: "done", succeeded: 1, failed: 0 };
  const model = new FakeModel({ notify: true, progress: ended });
  const { remove } = await show(kindOf(MatrixProgress), model);
  assert.equal(document.title, "Notebook");
  model.set("progress", { text: "0 of 2", state: "running", succeeded: 0, failed: 0 });
  await settled();
  model.set("progress", ended);
  await settled();
  assert.equal(document.title, "2 of 2 · Notebook");
  window.dispatchEvent(new Event("focus"));
  assert.equal(document.title, "Notebook");
  document.hasFocus = hasFocus;
  remove();
});
