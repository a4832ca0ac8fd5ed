// Panels in situations in which focus, input or listeners were once lost.

import "./dom";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComponentType } from "preact";
import { h, render } from "preact";
import { EditForm } from "../src/panels/edit";
import { Gallery } from "../src/panels/gallery";
import { JobProgress } from "../src/panels/job_progress";
import { LabForm } from "../src/panels/lab";
import { PromptForm } from "../src/panels/prompt_form";
import { Review } from "../src/panels/review";
import { ScheduledPosts } from "../src/panels/scheduled_posts";
import { Snippets } from "../src/panels/snippets";
import { Button } from "../src/ui/button";
import { PanelView } from "../src/ui/panel_view";
import { button, FakeModel, hostOf, press, settled, show, type } from "./fake_model";

const kindOf = (component: ComponentType) => ({ className: "wonda-test", component });

// ---------------------------------------------------------------- galleries

const GALLERY = {
  selected_keys: [],
  searches: false,
  arrangement: "cards",
  collection: "",
  collections: [],
  order: "",
  rank: 0,
  approval: "",
  reviewed: [],
  grid: {},
  axes: [],
  groups: [{ title: "", count: 2 }],
  facets: [],
  group_by: "",
  filters: {},
  favorites: false,
  rating: 0,
  rated: false,
  total: 2,
  aspect_ratio: 1,
  revision: 1,
  state: "ready",
  text: "",
  model: "",
  models: [],
  since: "",
  until: "",
  has_more: false,
  note: "",
  progress: {},
  actions: [],
};
const ITEMS = ["a", "b"].map((key) => ({ key, state: "succeeded", title: key }));

async function gallery() {
  const model = new FakeModel(structuredClone(GALLERY));
  const shown = await show(kindOf(Gallery), model);
  model.emit("msg:custom", { type: "items", revision: 1, parts: [{ first: 0, items: ITEMS }] }, []);
  await settled();
  return {
    model,
    ...shown,
    cards: () => [...shown.element.querySelectorAll<HTMLElement>(".wonda-card")],
  };
}

test("a gallery does not take the focus from another one", async () => {
  const [first, second] = [await gallery(), await gallery()];
  first.cards()[1]?.focus();
  second.model.emit("msg:custom", { type: "broken", key: "a", reason: "gone" }, []);
  await settled();
  assert.equal(document.activeElement, first.cards()[1]);
  first.remove();
  second.remove();
});

test("an arrow key moves the focus to the next card, and Space selects it", async () => {
  const { model, cards, remove } = await gallery();
  cards()[0]?.focus();
  await press(cards()[0] as Element, "ArrowRight");
  assert.equal(document.activeElement, cards()[1]);
  await press(cards()[1] as Element, " ");
  assert.deepEqual(
    model.sent.filter((message) => message.type !== "window"),
    [{ type: "toggle", key: "b" }],
  );
  remove();
});

test("the same export can be chosen twice", async () => {
  const { model, element, remove } = await gallery();
  const select = element.querySelector<HTMLSelectElement>('select[aria-label="Export"]');
  assert.ok(select);
  for (let count = 1; count <= 2; count++) {
    select.value = "csv";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    await settled();
    assert.equal(select.value, "");
    assert.equal(model.sent.filter(({ type }) => type === "export").length, count);
  }
  remove();
});

test("only the second tap on a touch screen enlarges an image", async () => {
  const { model, cards, remove } = await gallery();
  const tap = async () => {
    const event = new MouseEvent("click", { bubbles: true, detail: 1 });
    Object.defineProperty(event, "pointerType", { value: "touch" });
    cards()[0]?.dispatchEvent(event);
    await settled();
  };
  const acts = () => model.sent.filter((message) => message.type !== "window");
  await tap();
  assert.deepEqual(acts(), [{ type: "toggle", key: "a" }]);
  model.set("selected_keys", ["a"]);
  await settled();
  await tap();
  assert.equal(acts().at(-1)?.type, "open");
  remove();
});

test("traits that are sent again leave the images where they are", async () => {
  const { model, cards, remove } = await gallery();
  const titles = () => cards().map((card) => card.getAttribute("aria-label"));
  const before = titles();
  assert.ok(before.every(Boolean));
  model.repeat();
  await settled();
  assert.deepEqual(titles(), before);
  remove();
});

// ---------------------------------------------------------------- the editor

const EDIT = {
  state: "ready",
  data: null,
  mime_type: "",
  alt: "",
  shown_size: [100, 80],
  base_size: [100, 80],
  facts: "",
  original_facts: "",
  tool: "pad",
  draft: {},
  draft_problem: "",
  changes: [],
  can_undo: false,
  can_redo: false,
  defaults: {},
  fonts: [],
  step: "editing",
  upload: {},
};

test("a tool does not show the unsent input of another one", async () => {
  const model = new FakeModel(structuredClone(EDIT));
  const { element, remove } = await show(kindOf(EditForm), model);
  const numbers = () => [...element.querySelectorAll<HTMLInputElement>("input[type=number]")];
  await type(numbers()[0] as HTMLInputElement, "50");
  button(element, "Cancel").click();
  model.confirm();
  model.update({ tool: "" });
  await settled();
  button(element, "Resize").click();
  await settled();
  assert.equal(model.state.tool, "resize");
  assert.deepEqual(
    numbers().map(({ value }) => value),
    ["100", "80"],
  );
  remove();
});

test("input can be applied before the pause is over", async () => {
  const model = new FakeModel(structuredClone({ ...EDIT, tool: "resize" }));
  const { element, remove } = await show(kindOf(EditForm), model);
  const [width] = element.querySelectorAll<HTMLInputElement>("input[type=number]");
  await type(width as HTMLInputElement, "50");
  button(element, "Apply").click();
  assert.deepEqual(model.sent.at(-1), {
    type: "apply",
    tool: "",
    operation: { operation: "resize", width: 50, height: 40 },
  });
  remove();
});

// ---------------------------------------------------------------- the prompt form

const number = (name: string) => ({
  name,
  label: name,
  kind: "number",
  help: "",
  required: false,
  default: null,
  options: [],
  minimum: 0,
  maximum: 10,
  step: 1,
  whole: true,
});
const MODEL = {
  key: "m",
  name: "M",
  help: "",
  kind: "image",
  needs_prompt: true,
  most_references: 0,
  fields: [number("a"), number("b")],
};
const FORM = {
  prompt: "x",
  kind: "image",
  model: "m",
  params: {},
  models: [MODEL],
  price: "",
  note: "",
  state: "ready",
  references: [],
  reference_thumbs: {},
  references_message: "",
  file_note: "",
  snippets: {},
};

test("an error moves the focus to its own field, not to another invalid one", async () => {
  const model = new FakeModel(structuredClone({ ...FORM, params: { a: 5 } }));
  const { element, remove } = await show(kindOf(PromptForm), model);
  const [first, second] = element.querySelectorAll<HTMLInputElement>("input[type=number]");
  first?.setAttribute("aria-invalid", "true");
  element.querySelector("textarea")?.focus();
  model.set("error", { title: "No.", text: "", field: "params.b" });
  await settled();
  assert.equal(document.activeElement, second);
  remove();
});

test("a prompt that is being corrected is no longer marked as invalid", async () => {
  const model = new FakeModel(structuredClone(FORM));
  const { element, remove } = await show(kindOf(PromptForm), model);
  const prompt = element.querySelector("textarea") as HTMLTextAreaElement;
  model.set("error", { title: "The prompt is empty.", text: "", field: "prompt" });
  await settled();
  assert.equal(prompt.getAttribute("aria-invalid"), "true");
  await type(prompt, "A lake");
  assert.equal(prompt.getAttribute("aria-invalid"), "false");
  remove();
});

test("a number that could not be read is not sent when its field is empty", async () => {
  const model = new FakeModel(structuredClone({ ...FORM, params: { a: Number.NaN } }));
  const { element, remove } = await show(kindOf(PromptForm), model);
  button(element, "Generate").click();
  assert.deepEqual(model.sent.at(-1)?.params, {});
  remove();
});

test("what is typed is sent when the panel is removed", async () => {
  const model = new FakeModel(structuredClone(FORM));
  const { element, remove } = await show(kindOf(PromptForm), model);
  await type(element.querySelector("textarea") as HTMLTextAreaElement, "almost lost");
  remove();
  await settled();
  assert.equal(model.state.prompt, "almost lost");
});

// ---------------------------------------------------------------- the lab

const LAB = {
  templates: [{ name: "", text: "A {x}" }],
  table: {},
  combine: "product",
  count: 10,
  seed: 0,
  takes: 1,
  references: [],
  reference_thumbs: {},
  references_message: "",
  file_note: "",
  snippets: {},
  placeholders: ["x"],
  values: { x: ["a"] },
  kind: "image",
  available_models: [{ ...MODEL, fields: [] }],
  models: ["m"],
  params: {},
  budget: "2.50",
  max_concurrency: 4,
  plan: { count: 1, requested: 0, factors: "", prices: [], usd: "$1", notes: [], action: "run" },
  state: "ready",
  unfinished_plan: "",
};

test("text left in a removed list field is not part of a run", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  await type(element.querySelector(".wonda-chip-input") as HTMLInputElement, "left over");
  model.set("placeholders", []);
  await settled();
  button(element, "Run 1").click();
  const form = model.sent.at(-1)?.form as { values: unknown };
  assert.deepEqual(form.values, { x: ["a"] });
  remove();
});

test("removing a value keeps the focus in its field, also when all options were chosen", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  const chip = button(element, "Remove M");
  chip.focus();
  chip.click();
  await settled();
  assert.deepEqual(model.state.models, []);
  assert.ok(document.activeElement?.matches("select"));
  remove();
});

test("the button has one text per state", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  const text = () => element.querySelector(".wonda-go button")?.textContent;
  const plan = (more: object) => model.set("plan", { ...LAB.plan, ...more });
  for (const [more, expected] of [
    [{ count: 4 }, "Run 4"],
    [{ count: 4, action: "repeat" }, "Generate 4 more"],
    [{ count: 3, requested: 1, action: "resume" }, "Resume: 3 left"],
    [{ count: 2, requested: 2, action: "retry" }, "Retry 2 failed"],
    [{ count: 0, requested: 4 }, "Show results"],
  ] as const) {
    plan(more);
    await settled();
    assert.equal(text(), expected);
  }
  model.set("state", "running");
  await settled();
  assert.equal(text(), "Running…");
  remove();
});

test("a template that changed while its field had the focus is shown, and can be run", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  const field = element.querySelector("textarea") as HTMLTextAreaElement;
  field.focus();
  model.set("templates", [{ name: "", text: "Another {x}" }]);
  await settled();
  field.blur();
  await settled();
  assert.equal(field.value, "Another {x}");
  assert.equal(button(element, "Run 1").getAttribute("aria-disabled"), "false");
  remove();
});

test("templates are added, named and removed, and what is typed is sent with a run", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  const areas = () => [...element.querySelectorAll("textarea")];
  button(element, "Add template").click();
  await settled();
  assert.equal(areas().length, 2);
  assert.equal(document.activeElement, areas()[1]);
  assert.equal(areas()[1]?.value, "A {x}", "the copy of the last one");
  const name = element.querySelector('[aria-label="Name of template B"]') as HTMLInputElement;
  await type(areas()[1] as HTMLTextAreaElement, "{x}, 35mm");
  await type(name, "short");
  await new Promise((resolve) => setTimeout(resolve, 350));
  await settled();
  assert.deepEqual(model.state.templates, [
    { name: "", text: "A {x}" },
    { name: "short", text: "{x}, 35mm" },
  ]);
  button(element, "Remove template A").click();
  await settled();
  assert.deepEqual(model.state.templates, [{ name: "short", text: "{x}, 35mm" }]);
  assert.equal(areas()[0]?.value, "{x}, 35mm");
  const focused = () => document.activeElement?.textContent;
  assert.equal(focused(), "Undo");
  assert.equal(button(element, "Run 1").getAttribute("aria-disabled"), "false");
  button(element, "Undo").click();
  await settled();
  assert.deepEqual(
    areas().map(({ value }) => value),
    ["A {x}", "{x}, 35mm"],
  );
  assert.equal(focused(), "Add template");
  remove();
});

test("a number out of its range is explained, kept and not run", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  const takes = [...element.querySelectorAll("input")].find(
    (input) => input.labels?.[0]?.textContent === "Takes of each",
  ) as HTMLInputElement;
  const run = () => button(element, "Run 1").getAttribute("aria-disabled");
  for (const wrong of ["0", "101", "2.5", ""]) {
    await type(takes, wrong);
    takes.dispatchEvent(new Event("change", { bubbles: true }));
    await settled();
    assert.equal(takes.value, wrong);
    assert.match(element.textContent ?? "", /Enter a whole number from 1 to 100\./);
    assert.match(element.textContent ?? "", /Fix first: Takes of each\./);
    assert.equal(run(), "true");
    assert.equal(model.state.takes, 1);
  }
  await type(takes, "3");
  takes.dispatchEvent(new Event("change", { bubbles: true }));
  await settled();
  assert.equal(model.state.takes, 3);
  assert.equal(run(), "false");
  remove();
});

test("a placeholder that is a column of the table has no field", async () => {
  const table = { name: "a.csv", columns: ["x"], rows: [["1"], ["2"]], count: 7 };
  const model = new FakeModel({ ...structuredClone(LAB), table });
  const { element, remove } = await show(kindOf(LabForm), model);
  assert.match(element.querySelector(".wonda-table-view")?.textContent ?? "", /x12and 5 more/);
  assert.equal(element.querySelector(".wonda-chip-input"), null);
  button(element, "Remove table").click();
  assert.equal(model.sent.at(-1)?.type, "remove_table");
  remove();
});

test("rows are pasted, and kept until the kernel has read them", async () => {
  const model = new FakeModel(structuredClone(LAB));
  const { element, remove } = await show(kindOf(LabForm), model);
  const rows = () => element.querySelector<HTMLTextAreaElement>(".wonda-rows");
  button(element, "Paste rows…").click();
  await settled();
  await type(rows() as HTMLTextAreaElement, "x\ty\n1\t2");
  await settled();
  button(element, "Use these rows").click();
  await settled();
  assert.equal(model.sent.at(-1)?.type, "table_file");
  model.confirm();
  model.set("error", { title: "No.", text: "", field: "table" });
  await settled();
  assert.equal(rows()?.value, "x\ty\n1\t2");
  assert.match(element.textContent ?? "", /No\./);
  button(element, "Use these rows").click();
  model.set("table", { name: "Pasted rows", columns: ["x", "y"], rows: [["1", "2"]], count: 1 });
  await settled();
  assert.equal(rows(), null);
  assert.equal(document.activeElement?.textContent, "Paste rows…");
  remove();
});

// ---------------------------------------------------------------- snippets and reviews

test("a saved snippet leaves an empty form, and unsaved text can be restored", async () => {
  const snippets = { "style:noir": "hard shadows", "lens:wide": "24mm" };
  const model = new FakeModel({ snippets, note: "" });
  const { element, remove } = await show(kindOf(Snippets), model);
  const [name, text] = ["input:not([type=file])", "textarea"].map(
    (selector) => element.querySelector(selector) as HTMLInputElement,
  ) as [HTMLInputElement, HTMLInputElement];
  const press = async (label: string) => {
    button(element, label).click();
    await settled();
  };
  await type(name, "style:day");
  await type(text, "soft light");
  await press("Edit style:noir");
  assert.deepEqual([name.value, text.value], ["style:noir", "hard shadows"]);
  await press("Undo");
  assert.deepEqual([name.value, text.value], ["style:day", "soft light"]);
  await press("Save");
  const { view, ...sent } = model.sent.at(-1) ?? {};
  assert.deepEqual(sent, { type: "save", name: "style:day", text: "soft light", former: "" });
  assert.equal(name.value, "style:day", "until it is saved");
  model.emit("msg:custom", { type: "saved", view }, []);
  await settled();
  assert.deepEqual([name.value, text.value], ["", ""]);
  await type(name, "lens:tele");
  await type(text, "200mm");
  await press("Save");
  await type(text, "200mm, shallow focus");
  model.emit("msg:custom", { type: "saved", view }, []);
  await settled();
  assert.equal(text.value, "200mm, shallow focus", "typed before it was saved");
  remove();
});

test("the next person at a browser has votes of their own", async () => {
  const state = { mode: "compare", question: "", state: "ready", count: 2, setup: false };
  const model = new FakeModel({ ...state, review_id: "r", is_shared: true });
  const { element, remove } = await show(kindOf(Review), model);
  const turn = async (done: number, person = model.sent.at(-1)?.person) => {
    const { view } = model.sent.at(-1) ?? {};
    const images = done ? [] : ["a", "b"];
    const rest = { person, asked: 1, all: 1, can_undo: done > 0, problem: "" };
    model.emit("msg:custom", { type: "turn", view, images, done, ...rest }, []);
    await settled();
  };
  await turn(0);
  const first = model.sent.find(({ type }) => type === "next")?.visitor;
  button(element, "Left is better ←").click();
  await settled();
  assert.equal(model.sent.at(-1)?.type, "vote");
  button(element, "Right is better →").click();
  assert.equal(model.sent.filter(({ type }) => type === "vote").length, 1, "while it waits");
  model.emit("msg:custom", { type: "failed", view: model.sent.at(-1)?.view }, []);
  await settled();
  button(element, "Left is better ←").click();
  await settled();
  assert.equal(model.sent.filter(({ type }) => type === "vote").length, 2, "it can be repeated");
  await turn(1);
  assert.match(document.activeElement?.textContent ?? "", /Your votes are recorded/);
  button(element, "Next person").click();
  await turn(1, 0); // the answer to the person before arrives late
  assert.doesNotMatch(element.textContent ?? "", /of 1 decided/);
  const next = model.sent.filter(({ type }) => type === "next").at(-1);
  assert.notEqual(next?.visitor, first);
  assert.equal(next?.name, "");
  remove();
});

test("a name that is being typed is kept while the review changes", async () => {
  const state = { mode: "compare", question: "", state: "ready", count: 2, setup: false };
  const model = new FakeModel({ ...state, review_id: "r", is_shared: true });
  const { element, remove } = await show(kindOf(Review), model);
  const field = element.querySelector(".wonda-review-foot input") as HTMLInputElement;
  await type(field, "An");
  model.set("question", "Which one?");
  model.set("review_id", "s");
  await settled();
  assert.equal(field.value, "An");
  assert.ok(!model.sent.some(({ type }) => type === "name"), "not before it is complete");
  field.dispatchEvent(new Event("change", { bubbles: true }));
  await settled();
  assert.equal(model.sent.at(-1)?.type, "name");
  assert.equal(model.sent.at(-1)?.name, "An");
  remove();
});

test("a comment on an image is kept while something else is shown", async () => {
  const state = { mode: "approve", question: "", state: "ready", count: 2, setup: true };
  const model = new FakeModel({ ...state, review_id: "r", is_shared: true });
  const { element, remove } = await show(kindOf(Review), model);
  const turn = async (...images: string[]) => {
    const { view, person } = model.sent.findLast(({ visitor }) => visitor) ?? {};
    const rest = { person, done: 0, asked: 2, all: 2, can_undo: true, problem: "" };
    model.emit("msg:custom", { type: "turn", view, images, ...rest }, []);
    await settled();
  };
  const field = () => element.querySelector(".wonda-review-choices input") as HTMLInputElement;
  await turn("a");
  await type(field(), "Too dark");
  model.set("mode", "compare");
  await turn("a", "b");
  model.set("mode", "approve");
  await turn("a");
  assert.equal(field().value, "Too dark");
  button(element, "Reject R").click();
  await turn("b");
  assert.equal(field().value, "", "of another image");
  button(element, "Undo ⌫").click();
  await turn("a");
  assert.equal(field().value, "Too dark");
  button(element, "Next person").click();
  await turn("a");
  assert.equal(field().value, "", "of another person");
  remove();
});

// ---------------------------------------------------------------- others

test("a name cannot reverse the sentence around it", async () => {
  const hostile = "@shop\u2069\u202E.live";
  const model = new FakeModel({
    posts: [{ job_id: "j", due: 1e9, account: "@a", images: 1, caption: hostile }],
    state: "ready",
    canceling: "",
    message: "",
  });
  const { element, remove } = await show(kindOf(ScheduledPosts), model);
  assert.equal(element.querySelector("bdi")?.textContent, "“@shop.live”");
  remove();
});

test("each of several fast clicks on Zoom counts, but not on a button that sends", async () => {
  const pressed: string[] = [];
  const element = document.createElement("div");
  document.body.append(element);
  const buttons = [true, false].map((repeats) =>
    h(Button, { repeats, onPress: () => pressed.push(String(repeats)), children: String(repeats) }),
  );
  render(h("div", {}, buttons), element);
  for (const name of ["true", "false"])
    for (const detail of [1, 2, 3])
      button(element, name).dispatchEvent(new MouseEvent("click", { bubbles: true, detail }));
  assert.deepEqual(pressed, ["true", "true", "true", "false"]);
  render(null, element);
  element.remove();
});

test("a question about a post does not come back with the post", async () => {
  const post = { job_id: "j", due: 1e9, account: "@a", images: 1, caption: "" };
  const model = new FakeModel({ posts: [post], state: "ready", canceling: "", message: "" });
  const { element, remove } = await show(kindOf(ScheduledPosts), model);
  element.querySelector<HTMLButtonElement>("li button")?.click();
  await settled();
  assert.match(element.textContent ?? "", /Cancel this post\?/);
  model.set("posts", []);
  await settled();
  model.set("posts", [post]);
  await settled();
  assert.doesNotMatch(element.textContent ?? "", /Cancel this post\?/);
  remove();
});

test("a panel that is removed at once leaves no listener", async () => {
  const model = new FakeModel({
    job_phase: "none",
    job_status: "",
    job_note: "",
    job_id: "",
    job_label: "",
    job_elapsed: 0,
    job_updates: 0,
    job_durations: {},
  });
  const element = document.createElement("div");
  const view = { kind: kindOf(JobProgress), model: model as never, host: hostOf({}) };
  render(h(PanelView, view), element);
  render(null, element);
  await settled();
  assert.equal(model.listenerCount, 0);
});

test("a placeholder may have the name of something that every object has", async () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    const model = new FakeModel(structuredClone({ ...LAB, placeholders: [name], values: {} }));
    const { element, remove } = await show(kindOf(LabForm), model);
    const label = [...element.querySelectorAll("label")].find((each) => each.textContent === name);
    assert.ok(label, name);
    assert.equal(element.querySelectorAll(".wonda-params .wonda-chip-shut").length, 1, "only M");
    remove();
  }
});

test("an error while a panel is rendered is shown in its place", async () => {
  // biome-ignore-start lint/suspicious/noConsole: the console is what is tested
  const said = console.error;
  const errors: unknown[] = [];
  console.error = (error) => errors.push(error);
  const broken = () => {
    throw new Error("no such thing");
  };
  const { element, remove } = await show(kindOf(broken), new FakeModel({}));
  assert.match(element.querySelector('[role="alert"]')?.textContent ?? "", /no such thing/);
  assert.equal(errors.length, 1);
  console.error = said;
  // biome-ignore-end lint/suspicious/noConsole: see above
  remove();
});
