// Whether the kernel of a panel is there.
//
// Front ends mark the views of a stopped kernel, but not those of anywidget. They also mark all
// models of the kernel, so that one model tells it for all panels: the one with their code.

import type { AnyModel } from "@anywidget/types";
import { type ReadonlySignal, type Signal, signal } from "@preact/signals";

/** A model of ipywidgets; other front ends have no `comm_live`. */
interface LiveModel {
  comm_live?: boolean;
  on: (event: string, listener: () => void) => void;
}

const connections = new Map<string, Signal<boolean>>();

/** Whether the kernel of a model is there, as a signal. */
export function connectionOf(model: AnyModel): ReadonlySignal<boolean> {
  const reference: string = model.get("_bundle") ?? "";
  let known = connections.get(reference);
  if (!known) {
    known = signal(true);
    connections.set(reference, known);
    follow(model, reference, known).catch(() => {}); // a front end that cannot tell
  }
  return known;
}

async function follow(model: AnyModel, reference: string, isConnected: Signal<boolean>) {
  const id = reference.replace(/^anywidget:/, "");
  const bundle = (await model.widget_manager.get_model(id)) as unknown as LiveModel;
  const update = () => {
    isConnected.value = bundle.comm_live !== false;
  };
  bundle.on("comm_live_update", update);
  update();
}
