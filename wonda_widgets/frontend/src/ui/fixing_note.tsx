// The changes that a check offers, while one is being made.

import { usePanel } from "../runtime/context";

interface Traits {
  step: string;
  fixing: string;
}

/** Whether the image or video can be changed now. */
export function useCanFix(): boolean {
  const panel = usePanel<Traits>();
  return panel.get("step") === "editing" && !panel.get("fixing");
}

/** Says which change is being made. */
export function FixingNote() {
  const fixing = usePanel<Traits>().get("fixing");
  return (
    <p class="wonda-note" role="status">
      {fixing ? `${fixing}: editing locally, then uploading…` : ""}
    </p>
  );
}
