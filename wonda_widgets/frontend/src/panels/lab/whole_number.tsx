// A field for a whole number in a range.

import { useSignal, useSignalEffect } from "@preact/signals";
import { usePanel } from "../../runtime/context";
import type { LabTraits } from "./traits";

type Name = "takes" | "max_concurrency" | "count" | "seed";

/** The field of a trait; until its text is a valid number, the trait keeps the last one. */
export function useWholeNumber(name: Name, { min = 1, max }: { min?: number; max: number }) {
  const panel = usePanel<LabTraits>();
  const text = useSignal("");
  useSignalEffect(() => {
    text.value = String(panel.get(name));
  });
  const isValid = (typed: string) => {
    const value = Number(typed);
    return typed.trim() !== "" && Number.isInteger(value) && value >= min && value <= max;
  };
  const save = () => {
    const value = Number(text.peek());
    if (isValid(text.peek())) panel.set({ [name]: value });
  };
  return {
    save,
    /** What is wrong with the text; empty if nothing is. */
    error: isValid(text.value)
      ? ""
      : `Enter a whole number from ${min} to ${max.toLocaleString("en")}.`,
    control: {
      type: "number" as const,
      class: "wonda-input",
      min,
      max,
      value: text.value,
      onInput: (event: Event) => {
        text.value = (event.currentTarget as HTMLInputElement).value;
      },
      onChange: save,
    },
  };
}
