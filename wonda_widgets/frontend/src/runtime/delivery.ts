// Messages that must not be lost in silence, such as a click on Generate.

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { uid, usePanel } from "./context";
import type { Message, Panel } from "./panel";

const PATIENCE = 2500; // milliseconds until the user is told that the kernel does not answer

/** Sends messages one at a time, and waits for the kernel to confirm each one. */
export class Delivery {
  readonly #waiting = signal(false);
  readonly #isLate = signal(false);
  #id = "";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly panel: Panel) {}

  /** Whether a message was sent that the kernel has not confirmed. */
  get waiting(): boolean {
    return this.#waiting.value;
  }

  /** Why the kernel has not confirmed a message; empty while it may still do so soon. */
  get note(): string {
    if (!this.#isLate.value) return "";
    return this.panel.isConnected.value
      ? "The notebook is busy. Your action starts when the running cell finishes."
      : "The kernel has stopped. Run this cell again.";
  }

  send(content: Message, buffers: ArrayBuffer[] = []): void {
    if (this.#waiting.peek()) return;
    this.#waiting.value = true;
    this.#id = uid("delivery");
    clearTimeout(this.#timer);
    if (
      this.panel.send({ ...content, delivery: this.#id }, buffers) &&
      this.panel.isConnected.peek()
    )
      this.#timer = setTimeout(() => {
        this.#isLate.value = true;
      }, PATIENCE);
    else this.#isLate.value = true;
  }

  /** Listen for confirmations; return a function that ends it. */
  start(): () => void {
    const stop = this.panel.observe("delivered", () => {
      if (!this.panel.peek("delivered").includes(this.#id)) return;
      clearTimeout(this.#timer);
      this.#waiting.value = false;
      this.#isLate.value = false;
    });
    return () => {
      clearTimeout(this.#timer);
      stop();
    };
  }
}

/** The delivery of a component. */
export function useDelivery(): Delivery {
  const panel = usePanel();
  const delivery = useMemo(() => new Delivery(panel), [panel]);
  useEffect(() => delivery.start(), [delivery]);
  return delivery;
}
