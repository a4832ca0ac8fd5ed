// The job of a panel: status word, elapsed time and a progress bar.

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { type Curve, shareAfter } from "../logic/estimate";
import { own } from "../logic/own";
import { formatSeconds, formatSpan } from "../logic/time";
import { usePanel } from "../runtime/context";
import { classes, focusedElement } from "../runtime/dom";
import { useTick } from "../runtime/tick";
import { Button, CopyButton } from "./button";

/** The traits of a panel with a job, see `widgets/_shared/job_tracking.py`. */
export interface JobTraits {
  job_phase:
    | "none"
    | "running"
    | "succeeded"
    | "failed"
    | "canceled"
    | "lost"
    | "stopped"
    | "empty";
  job_status: string;
  job_note: string;
  job_id: string;
  job_label: string;
  job_elapsed: number;
  job_updates: number;
  job_durations: { curve?: Curve; low?: number; high?: number };
}

/** Explanations of the service's status words. */
const MEANINGS: Record<string, string> = {
  submitted: "in progress",
  scheduled: "scheduled for later",
  queued: "waiting in the queue",
  idle: "waiting to start",
  locked: "starting",
  in_progress: "running",
};

export function JobView() {
  const panel = usePanel<JobTraits>();
  const phase = panel.get("job_phase");
  const status = panel.get("job_status");
  const note = panel.get("job_note");
  const { low, high } = panel.get("job_durations");
  const elapsed = useElapsed();
  const isRunning = phase === "running";
  const maySteer = panel.allows("generate");
  const canStop = isRunning && maySteer;
  const canResume = (phase === "stopped" || phase === "lost") && maySteer;
  const stop = useRef<HTMLButtonElement>(null);
  const resume = useRef<HTMLButtonElement>(null);
  const copyId = useRef<HTMLButtonElement>(null);
  useFocusOnVisible([stop, resume], copyId);
  useEffect(() => {
    if (panel.peek("job_phase") === "running") panel.send({ type: "refresh" });
  }, [panel]);
  return (
    <div
      class={classes("wonda-job", isRunning && note && "wonda-polling-problem")}
      data-phase={phase}
      hidden={phase === "none"}
    >
      <div class="wonda-job-row">
        <span class="wonda-dot" aria-hidden="true" />
        {/* A separate status region, so that a screen reader does not announce every second. */}
        <strong class="wonda-status" role="status">
          {status}
        </strong>
        <span class="wonda-gloss">{own(MEANINGS, status) ?? ""}</span>
        <span class="wonda-clock">{formatSeconds(elapsed)}</span>
        <span class="wonda-clock">
          {isRunning && high
            ? `· usually ${formatSpan(low ?? 0, high)} · progress is estimated`
            : ""}
        </span>
        <span class="wonda-job-actions">
          <CopyButton text={() => panel.peek("job_id")} elementRef={copyId}>
            Copy job ID
          </CopyButton>
          <Button
            small
            elementRef={stop}
            hidden={!canStop}
            onPress={() => panel.send({ type: "stop" })}
          >
            Stop watching
          </Button>
          <Button
            small
            elementRef={resume}
            hidden={!canResume}
            onPress={() => panel.send({ type: "resume" })}
          >
            Resume watching
          </Button>
        </span>
      </div>
      <ProgressBar elapsed={elapsed} />
      <span class="wonda-note" role="status">
        {note}
      </span>
    </div>
  );
}

/** If the focused button of `buttons` is hidden now, focus another one, or else `otherwise`. */
function useFocusOnVisible(
  buttons: { current: HTMLButtonElement | null }[],
  otherwise: { current: HTMLButtonElement | null },
): void {
  useLayoutEffect(() => {
    const all = buttons.map(({ current }) => current);
    const hidden = all.find((each) => each?.hidden && each === focusedElement(each));
    if (hidden) (all.find((each) => !each?.hidden) ?? otherwise.current)?.focus();
  });
}

/** The elapsed seconds of the job, counted between updates by a monotonic clock. */
function useElapsed(): number {
  const panel = usePanel<JobTraits>();
  const isRunning = panel.get("job_phase") === "running";
  const elapsed = panel.get("job_elapsed");
  const updatedAt = useRef(performance.now());
  useTick(isRunning);
  useEffect(
    () =>
      panel.observe("job_updates", () => {
        updatedAt.current = performance.now();
      }),
    [panel],
  );
  return elapsed + (isRunning ? (performance.now() - updatedAt.current) / 1000 : 0);
}

/** The bar: indeterminate without known durations, an estimate with them. */
function ProgressBar({ elapsed }: { elapsed: number }) {
  const panel = usePanel<JobTraits>();
  const phase = panel.get("job_phase");
  const status = panel.get("job_status");
  const id = panel.get("job_id");
  const { curve } = panel.get("job_durations");
  // The bar never moves back, even if the service corrects the elapsed time.
  const reached = useRef({ id, share: 0 });
  if (reached.current.id !== id) reached.current = { id, share: 0 };
  const isEstimated = phase === "running" && elapsed > 0 && !!curve;
  const share = isEstimated ? Math.max(reached.current.share, shareAfter(curve, elapsed)) : 0;
  reached.current.share = share;
  const isDone = phase === "succeeded";
  const percent = isEstimated ? Math.floor(100 * share) : isDone ? 100 : undefined;
  return (
    <div
      role="progressbar"
      class={classes("wonda-bar", isEstimated && "wonda-estimated")}
      aria-label={panel.get("job_label")}
      aria-valuetext={isEstimated ? `${status}, estimated` : status}
      aria-valuemin={isDone ? 0 : undefined}
      aria-valuemax={isDone ? 100 : undefined}
      aria-valuenow={percent}
    >
      <div style={isEstimated ? { width: `${(100 * share).toFixed(2)}%` } : undefined} />
    </div>
  );
}
