import "./dom";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { effect } from "@preact/signals";
import { Delivery } from "../src/runtime/delivery";
import { Panel } from "../src/runtime/panel";
import { FakeModel, hostOf, settled, show } from "./fake_model";

function panelOf(state: Record<string, unknown>) {
  const model = new FakeModel(state);
  const panel = new Panel<{ text: string; count: number }>(model as never, hostOf({}));
  return { model, panel };
}

test("a trait is a signal that follows the kernel", () => {
  const { model, panel } = panelOf({ text: "a" });
  const seen: string[] = [];
  const stop = effect(() => {
    seen.push(panel.get("text"));
  });
  model.set("text", "b");
  panel.set({ text: "c" });
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.equal(model.saves, 1);
  stop();
});

test("a panel that is shown asks once for changes that the page has missed", async () => {
  const model = new FakeModel({ update_count: 7 });
  const kind = { className: "", component: () => null };
  const { remove } = await show(kind, model);
  model.set("update_count", 8);
  await settled();
  assert.deepEqual(model.syncs, [{ type: "sync", update_count: 7 }]);
  remove();
});

test("an ended panel leaves no listener", () => {
  const { model, panel } = panelOf({ text: "a" });
  panel.get("text");
  panel.onMessage(() => {});
  panel.observe("count", () => {});
  assert.equal(model.listenerCount, 3);
  panel.end();
  assert.equal(model.listenerCount, 0);
});

test("without a kernel, nothing is sent and nothing is raised", () => {
  const { model, panel } = panelOf({ text: "a" });
  model.send = () => {
    throw new Error("no comm");
  };
  model.save_changes = () => {
    throw new Error("no comm");
  };
  assert.equal(panel.send({ type: "x" }), false);
  panel.set({ text: "kept" });
  assert.equal(panel.get("text"), "kept");
});

test("one message waits for its confirmation", () => {
  const { model, panel } = panelOf({});
  panel.mounted(document.createElement("section"));
  const delivery = new Delivery(panel);
  const stop = delivery.start();
  delivery.send({ type: "first" });
  delivery.send({ type: "second" });
  assert.deepEqual(model.sent, [{ type: "first" }]);
  assert.ok(delivery.waiting);
  model.confirm();
  assert.ok(!delivery.waiting);
  delivery.send({ type: "third" });
  assert.equal(model.sent.length, 2);
  stop();
});

test("the confirmation of another page's message does not count", () => {
  const { model, panel } = panelOf({});
  panel.mounted(document.createElement("section"));
  const delivery = new Delivery(panel);
  const stop = delivery.start();
  delivery.send({ type: "first" });
  model.set("delivered", ["of another page"]);
  assert.ok(delivery.waiting);
  model.confirm();
  assert.ok(!delivery.waiting);
  stop();
});

test("a busy kernel is explained after a while, a stopped one at once", async () => {
  const bundle = new FakeModel({});
  const live = Object.assign(bundle, { comm_live: true });
  const model = new FakeModel({ _bundle: "anywidget:live" });
  model.widget_manager.get_model = async () => live;
  const watched = new Panel(model as never, hostOf({}));
  await Promise.resolve();
  await Promise.resolve();
  mock.timers.enable({ apis: ["setTimeout"] });
  const delivery = new Delivery(watched);
  const stop = delivery.start();
  delivery.send({ type: "first" });
  mock.timers.tick(2400);
  assert.equal(delivery.note, "");
  mock.timers.tick(200);
  assert.match(delivery.note, /notebook is busy/);
  model.confirm();
  assert.equal(delivery.note, "");
  live.comm_live = false;
  live.emit("comm_live_update");
  assert.equal(watched.isConnected.value, false);
  delivery.send({ type: "second" });
  assert.match(delivery.note, /kernel has stopped/);
  stop();
  mock.timers.reset();
});
