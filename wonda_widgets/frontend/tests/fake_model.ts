// A model as anywidget gives it to a view, without a kernel.

import { isDeepStrictEqual } from "node:util";
import type { AnyModel, Host } from "@anywidget/types";
import { h, render } from "preact";
import { type PanelKind, PanelView } from "../src/ui/panel_view";

type Listener = (...args: unknown[]) => void;

export class FakeModel {
  #delivery: unknown; // the ID of the last message that wants to be confirmed
  /** The messages to the kernel, except `syncs`. */
  readonly sent: Record<string, unknown>[] = [];
  /** The message that each panel sends when it is shown. */
  readonly syncs: Record<string, unknown>[] = [];
  saves = 0;
  readonly widget_manager = {
    get_model: async (_id: string): Promise<FakeModel> => {
      throw new Error("This front end has no such model.");
    },
  };
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(readonly state: Record<string, unknown>) {
    this.state = {
      sandbox: false,
      banner: false,
      error: null,
      hiding: "",
      scroll_requested_at: 0,
      can_close: false,
      delivered: [],
      permissions: [
        "publish",
        "schedule",
        "cancel",
        "settle",
        "export",
        "save",
        "generate",
        "edit",
      ],
      css_classes: [],
      ...state,
    };
  }

  get(name: string): unknown {
    return this.state[name];
  }

  set(name: string, value: unknown): void {
    this.update({ [name]: value });
  }

  /** Set several traits, as one message of the kernel does; equal values are no change. */
  update(values: Record<string, unknown>): void {
    const changed = Object.keys(values).filter(
      (name) => !isDeepStrictEqual(this.state[name], values[name]),
    );
    Object.assign(this.state, values);
    for (const name of changed) this.emit(`change:${name}`);
  }

  /** Set all traits to equal values, as marimo does when the kernel sends them again. */
  repeat(): void {
    Object.assign(this.state, structuredClone(this.state));
    for (const name of Object.keys(this.state)) this.emit(`change:${name}`);
  }

  save_changes(): void {
    this.saves++;
  }

  send({ delivery, ...content }: Record<string, unknown>): void {
    (content.type === "sync" ? this.syncs : this.sent).push(content);
    this.#delivery = delivery;
  }

  on(event: string, listener: Listener): void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(...args);
  }

  /** The number of listeners. */
  get listenerCount(): number {
    return [...this.#listeners.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Confirm the last message, as the kernel does. */
  confirm(): void {
    this.set("delivered", [...(this.state.delivered as unknown[]), this.#delivery]);
  }
}

/** Models by reference. */
export const hostOf = (models: Record<string, FakeModel>): Host =>
  ({
    getModel: async (reference: string) => {
      const found = models[reference];
      if (!found) throw new Error(`There is no model ${reference}.`);
      return found;
    },
  }) as unknown as Host;

/** Show a panel in the document; return its element and a function that removes it. */
export async function show(kind: PanelKind, model: FakeModel, host = hostOf({})) {
  const element = document.createElement("div");
  document.body.append(element);
  render(h(PanelView, { kind, model: model as unknown as AnyModel, host }), element);
  await settled();
  return {
    element,
    remove() {
      render(null, element);
      element.remove();
    },
  };
}

const ROUNDS = 8; // of the event loop; an effect may set a signal, which is rendered in the next

/** Wait until signals and effects have been rendered. */
export async function settled(): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) await new Promise((resolve) => setTimeout(resolve));
}

/** Type a text into a control, as the browser does. */
export async function type(control: HTMLInputElement | HTMLTextAreaElement, text: string) {
  control.focus();
  control.value = text;
  control.dispatchEvent(new Event("input", { bubbles: true }));
  await settled();
}

/** Press a key; return whether nobody prevented its default. */
export async function press(element: Element, key: string, init: KeyboardEventInit = {}) {
  const event = new KeyboardEvent("keydown", {
    key,
    bubbles: true,
    cancelable: true,
    composed: true,
    ...init,
  });
  const isFree = element.dispatchEvent(event);
  await settled();
  return isFree;
}

/** The button with a text or an accessible name. */
export function button(element: Element, name: string): HTMLButtonElement {
  const found = [...element.querySelectorAll("button")].find(
    (each) => each.textContent === name || each.getAttribute("aria-label") === name,
  );
  if (!found) throw new Error(`There is no button ${name}.`);
  return found;
}
