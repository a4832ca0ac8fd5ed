// `JobProgress`.

import { useEffect, useRef } from "preact/hooks";
import { usePanel } from "../runtime/context";
import { askToNotify, notify } from "../runtime/notify";
import { AlertBox } from "../ui/alert";
import { type JobTraits, JobView } from "../ui/job";

interface Traits extends JobTraits {
  notify: boolean;
}

const OUTCOMES: Partial<Record<JobTraits["job_phase"], string>> = {
  succeeded: "succeeded",
  empty: "ended without a result",
  failed: "failed",
  canceled: "was canceled",
};

export function JobProgress() {
  const panel = usePanel<Traits>();
  useNotification();
  return (
    <>
      <JobView />
      <label class="wonda-check wonda-notify" hidden={panel.get("job_phase") !== "running"}>
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
      <AlertBox />
    </>
  );
}

/** Tell the user when a job that was seen running has ended. */
function useNotification(): void {
  const panel = usePanel<Traits>();
  const phase = panel.get("job_phase");
  const id = panel.get("job_id");
  const running = useRef("");
  useEffect(() => {
    if (phase === "running") running.current = id;
    const outcome = OUTCOMES[phase];
    if (!outcome || running.current !== id) return;
    running.current = "";
    if (panel.peek("notify")) notify(`${panel.peek("job_label")} ${outcome}`, id);
  }, [phase, id, panel]);
}
