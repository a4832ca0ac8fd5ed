// `JobProgress`.

import { usePanel } from "../runtime/context";
import { AlertBox } from "../ui/alert";
import { type JobTraits, JobView } from "../ui/job";
import { NotifyChoice, useNotification } from "../ui/notify_choice";

const OUTCOMES: Partial<Record<JobTraits["job_phase"], string>> = {
  succeeded: "succeeded",
  empty: "ended without a result",
  failed: "failed",
  canceled: "was canceled",
};

export function JobProgress() {
  const panel = usePanel<JobTraits>();
  const phase = panel.get("job_phase");
  const outcome = OUTCOMES[phase];
  useNotification(
    panel.get("job_id"),
    phase === "running",
    outcome ? `${panel.get("job_label")} ${outcome}` : "",
  );
  return (
    <>
      <JobView />
      <NotifyChoice hidden={phase !== "running"} />
      <AlertBox />
    </>
  );
}
