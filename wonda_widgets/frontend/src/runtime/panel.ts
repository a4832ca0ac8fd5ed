// The connection of one panel to its model in the kernel.

import type { AnyModel, Host } from "@anywidget/types";
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { connectionOf } from "./connection";

/** An error that the panel shows; `field` names the form field concerned, or is empty. */
export interface Alert {
  title: string;
  text: string;
  field: string;
}

/** The traits that every panel has, see `widgets/_shared/panel.py`. */
export interface PanelTraits {
  sandbox: boolean;
  banner: boolean;
  error: Alert | null;
  hiding: string;
  scroll_requested_at: number;
  can_close: boolean;
  /** The IDs of the last messages that the kernel has confirmed, see `delivery.ts`. */
  delivered: string[];
  permissions: string[];
  /** Tells the kernel which changes the page may have missed. */
  update_count: number;
  /** Only of composite panels. */
  css_classes: string[];
  _panel: string;
}

/** A message to or from the kernel; the other fields depend on `type`. */
export type Message = { type: string } & Record<string, unknown>;

type All<T> = T & PanelTraits;
type Name<T> = keyof All<T> & string;
type Listener = (content: Message, buffers: DataView[]) => void;

/** The models that have no changes to catch up on. */
const synchronized = new WeakSet<object>();

/**
 * A panel of one view: its traits as signals, and its messages.
 *
 * A component that calls `get` is rendered again when the trait changes.
 */
export class Panel<T extends object = object> {
  readonly #signals = new Map<string, Signal>();
  readonly #ended = new AbortController();
  /** Whether the kernel is there. */
  readonly isConnected: ReadonlySignal<boolean>;
  /** Whether the panel has nothing to show; set by `useHidden`. */
  readonly isHidden = signal(false);
  #root: HTMLElement | null = null;

  constructor(
    readonly model: AnyModel,
    readonly host: Host,
  ) {
    this.isConnected = connectionOf(model);
  }

  /** The panel's outermost element; available in effects and event handlers. */
  get root(): HTMLElement {
    if (!this.#root) throw new Error("The panel is not mounted.");
    return this.#root;
  }

  /** Set the outermost element; called when it is mounted and with null when it is removed. */
  readonly mounted = (root: HTMLElement | null): void => {
    this.#root = root;
  };

  /** Whether the panel is mounted. */
  get isMounted(): boolean {
    return this.#root !== null;
  }

  /** The current value of a trait. */
  get<K extends Name<T>>(name: K): All<T>[K] {
    return this.trait(name).value;
  }

  /** The current value of a trait, without rendering the component again when it changes. */
  peek<K extends Name<T>>(name: K): All<T>[K] {
    return this.model.get(name);
  }

  /** A trait as a signal. */
  trait<K extends Name<T>>(name: K): ReadonlySignal<All<T>[K]> {
    let known = this.#signals.get(name);
    if (!known) {
      const created = signal(this.model.get(name));
      this.observe(name, () => {
        created.value = this.model.get(name);
      });
      this.#signals.set(name, created);
      known = created;
    }
    return known as ReadonlySignal<All<T>[K]>;
  }

  /** Set traits and send them to the kernel at once. */
  set(values: Partial<All<T>>): void {
    batch(() => {
      for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    });
    try {
      this.model.save_changes();
    } catch {
      // There is no kernel; the page keeps what was typed.
    }
  }

  /** Send a message to the kernel; return false if there is none. */
  send(content: Message, buffers: ArrayBuffer[] = []): boolean {
    try {
      this.model.send(content, undefined, buffers);
      return true;
    } catch {
      return false;
    }
  }

  /** Call `listener` for each message of the kernel; return a function that stops it. */
  onMessage(listener: Listener): () => void {
    return this.#listen("msg:custom", listener);
  }

  /** Call `listener` when a trait is set, also to an equal value; return a function that stops it. */
  observe(name: Name<T>, listener: () => void): () => void {
    return this.#listen(`change:${name}`, listener);
  }

  /** Whether the session has a permission. The kernel also checks it. */
  allows(permission: string): boolean {
    return this.get("permissions").includes(permission);
  }

  /** Ask for the changes that the page has missed while it created the model. */
  synchronize(): void {
    if (synchronized.has(this.model)) return;
    synchronized.add(this.model);
    this.send({ type: "sync", update_count: this.peek("update_count") });
  }

  /** Stop listening to the model. */
  end(): void {
    this.#ended.abort();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the arguments depend on the event
  #listen(event: string, listener: (...args: any[]) => void): () => void {
    const stop = () => {
      this.model.off(event, listener);
      this.#ended.signal.removeEventListener("abort", stop);
    };
    if (this.#ended.signal.aborted) return stop;
    this.model.on(event, listener);
    this.#ended.signal.addEventListener("abort", stop);
    return stop;
  }
}
