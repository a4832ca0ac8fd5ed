// "Tell me when it is done": a checkbox for work that takes minutes.

import { useEffect, useRef } from "preact/hooks";
import { usePanel } from "../runtime/context";
import { askToNotify, notify } from "../runtime/notify";

interface Traits {
  notify: boolean;
}

export function NotifyChoice({ hidden }: { hidden: boolean }) {
  const panel = usePanel<Traits>();
  return (
    <label class="wonda-check wonda-notify" hidden={hidden}>
      <input
        type="checkbox"
        checked={panel.get("notify")}
        onChange={({ currentTarget }) => {
          panel.set({ notify: currentTarget.checked });
          if (currentTarget.checked) askToNotify();
        }}
      />
      <span>Tell me when it is done</span>
    </label>
  );
}

/** Tell the user when work that was seen running has ended; `outcome` is empty until then. */
export function useNotification(id: string, isRunning: boolean, outcome: string): void {
  const panel = usePanel<Traits>();
  const running = useRef<string | null>(null);
  useEffect(() => {
    if (isRunning) running.current = id;
    if (!outcome || running.current !== id) return;
    running.current = null;
    if (panel.peek("notify")) notify(outcome, id);
  }, [isRunning, outcome, id, panel]);
}
