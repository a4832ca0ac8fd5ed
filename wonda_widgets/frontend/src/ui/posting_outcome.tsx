// What became of a post, or how to find out.

import { useMemo, useRef } from "preact/hooks";
import { formatMoment, WITH_DAY } from "../logic/time";
import { usePanel } from "../runtime/context";
import { useTick } from "../runtime/tick";
import { Button } from "./button";
import { Isolated } from "./isolated";
import { PostLink } from "./post_link";
import { ASKING, type PostingTraits } from "./posting_traits";

/** For an unknown outcome: check the account’s history, or ask the user. */
export function Settling() {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const asksUser = step === "unknown" && panel.get("needs_answer");
  const answer = (posted: boolean) =>
    panel.send({ type: "answer", posted, summary: panel.peek("summary").number });
  return (
    <div class="wonda-buttons" hidden={step !== "unknown" && step !== "checking"}>
      <Button small off={step !== "unknown"} onPress={() => panel.send({ type: "check" })}>
        Check
      </Button>
      <Button small hidden={!asksUser} onPress={() => answer(true)}>
        It was posted
      </Button>
      <Button small hidden={!asksUser} onPress={() => answer(false)}>
        It was not posted
      </Button>
      <PostLink address={panel.get("possible_post")}>View possible match</PostLink>
      <span class="wonda-check-note" hidden={asksUser && !panel.get("recheck_seconds")}>
        <CheckNote />
      </span>
    </div>
  );
}

/** Says what `Check` does, and counts down to the next automatic check. */
function CheckNote() {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const seconds = panel.get("recheck_seconds");
  const due = useRef(0);
  useMemo(() => {
    due.current = performance.now() + seconds * 1000;
  }, [step, seconds]);
  const left = Math.ceil((due.current - performance.now()) / 1000);
  const counts = step === "unknown" && left > 0;
  useTick(counts);
  if (step === "checking") return <>Checking the account’s publish history…</>;
  if (counts) return <>Checks again automatically in {left} s.</>;
  return <>Checks the account’s publish history.</>;
}

/** The last post of this panel, with its link. */
export function LastPost() {
  const panel = usePanel<PostingTraits>();
  const { media_id: mediaId, account, time, due, link } = panel.get("posted");
  const isScheduled = "due" in panel.get("posted");
  const isThis = mediaId === panel.get("media_id");
  const isHidden = !time || ASKING.includes(panel.get("step"));
  const when = due
    ? `for ${formatMoment(due, { ...WITH_DAY, timeZoneName: "short" })}`
    : formatMoment(time ?? 0);
  const word = isThis
    ? isScheduled
      ? "Scheduled"
      : "Posted"
    : isScheduled
      ? "Previous post scheduled"
      : "Previous post published";
  return (
    <div class="wonda-posted" role="status" hidden={isHidden}>
      <p>
        <strong>{word}</strong>{" "}
        <span>
          {due ? `${when} ` : ""}
          {account && (
            <>
              {due ? "on" : "to"} <Isolated text={account} />
            </>
          )}
          {!due && `${account ? ", " : ""}${when}`}
          {panel.get("sandbox") &&
            `. Sandbox: nothing ${isScheduled ? "will be" : "was"} published.`}
        </span>
      </p>
      <PostLink address={link}>View post</PostLink>
    </div>
  );
}
