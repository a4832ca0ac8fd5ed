// The overall progress of a matrix, with buttons to stop, resume and retry.

import { usePanel } from "../../runtime/context";
import { classes } from "../../runtime/dom";
import { Button } from "../../ui/button";
import { NotifyChoice, useNotification } from "../../ui/notify_choice";
import type { GalleryTraits } from "./traits";

const inBrackets = (price: string | undefined): string => (price ? ` (${price})` : "");

export function MatrixProgress() {
  const panel = usePanel<GalleryTraits>();
  const { text = "", state, succeeded = 0, failed = 0, ...offers } = panel.get("progress");
  const isRunning = state === "running";
  useNotification("run", isRunning, text && !isRunning ? text : "");
  return (
    <div class="wonda-overall-row" hidden={!text}>
      <div class="wonda-gallery-bar">
        <strong role="status">{text}</strong>
        <span class="wonda-gap" />
        <Button
          small
          hidden={!offers.offers_retry}
          onPress={() => panel.send({ type: "retry_failed" })}
        >
          Retry failed{inBrackets(offers.retry_price)}
        </Button>
        <Button small hidden={!isRunning} onPress={() => panel.send({ type: "stop" })}>
          Stop
        </Button>
        <Button small hidden={!offers.offers_resume} onPress={() => panel.send({ type: "resume" })}>
          Resume{inBrackets(offers.resume_price)}
        </Button>
      </div>
      <div
        class={classes("wonda-bar wonda-overall", state === "done" && "wonda-done")}
        role="progressbar"
        aria-label="Results"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(100 * (succeeded + failed))}
        aria-valuetext={text}
      >
        <div style={{ width: `${100 * succeeded}%` }} />
        <div class="wonda-failed-part" style={{ width: `${100 * failed}%` }} />
      </div>
      <NotifyChoice hidden={!isRunning} />
    </div>
  );
}
