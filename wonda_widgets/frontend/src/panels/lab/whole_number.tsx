// A field for a whole number; other input is replaced by the last number.

import { useSignal, useSignalEffect } from "@preact/signals";
import { usePanel } from "../../runtime/context";
import type { LabTraits } from "./traits";

type Name = "takes" | "max_concurrency" | "count" | "seed";

export function useWholeNumber(name: Name, { min = 1, max }: { min?: number; max: number }) {
  const panel = usePanel<LabTraits>();
  const text = useSignal("");
  useSignalEffect(() => {
    text.value = String(panel.get(name));
  });
  const save = () => {
    const value = Math.round(Number(text.peek()));
    if (text.peek().trim() && value >= min && value <= max) panel.set({ [name]: value });
    else text.value = String(panel.peek(name));
  };
  return {
    save,
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
