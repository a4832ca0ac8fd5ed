// The settings of the open tool: typed or dragged input is sent after a short pause.

import { type Signal, signal } from "@preact/signals";
import type { Panel } from "../../runtime/panel";
import type { EditTraits, Operation, ToolName } from "./traits";

const PAUSE = 180; // milliseconds

/** Whether an operation has only valid numbers; JSON cannot express others. */
export const isComplete = (operation: Operation): boolean =>
  !Object.values(operation).some((value) => Number.isNaN(value));

/** The input in one view of the editor. The model has the state, with a delay. */
export class ToolDraft {
  /** What is shown; NaN for a number that is being typed. */
  readonly shown: Signal<Operation | null> = signal(null);
  readonly #waiting = signal(false); // whether input was not sent yet
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly panel: Panel<EditTraits>) {}

  get isWaiting(): boolean {
    return this.#waiting.peek();
  }

  /** Whether there is input that is not applied. */
  get hasInput(): boolean {
    return this.#waiting.value || Object.keys(this.panel.get("draft")).length > 0;
  }

  /** Show the operation of the model, unless one is being typed. */
  follow(operation: Operation | null, tool: string): void {
    if (this.isWaiting) return;
    this.shown.value = operation?.operation === tool ? operation : null;
  }

  /** Take input of the tool. */
  change(tool: ToolName, values: Operation): void {
    this.shown.value = { operation: tool, ...values };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), PAUSE);
    this.#waiting.value = true;
  }

  /** Send the input now. */
  flush(): void {
    const operation = this.take();
    if (operation) this.panel.set({ draft: operation });
  }

  /** Stop waiting and return the input that was not sent; null if there is none. */
  take(): Operation | null {
    if (!this.isWaiting) return null;
    this.drop();
    const operation = this.shown.peek();
    return operation && isComplete(operation) ? operation : null;
  }

  /** Forget the input, also what was not sent. */
  discard(): void {
    this.drop();
    this.shown.value = null;
  }

  drop(): void {
    clearTimeout(this.#timer);
    this.#waiting.value = false;
  }
}
