// The form of all panels that post: account and caption, summary, one post, and its outcome.

import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { formatMoment, WITH_DAY } from "../logic/time";
import { usePanel, useUid } from "../runtime/context";
import { type Delivery, useDelivery } from "../runtime/delivery";
import { hasFocus } from "../runtime/dom";
import { isEscape, useHotkeys } from "../runtime/keys";
import type { Panel } from "../runtime/panel";
import { AlertBox } from "./alert";
import { Button, LinkButton } from "./button";
import type { CheckResult } from "./check_result";
import { Field } from "./field";
import { JobView } from "./job";
import { LimitedField, useLimitedDraft } from "./limited_text";
import { PostLink } from "./post_link";
import { Select } from "./select";

type Step =
  | "editing"
  | "preparing"
  | "confirming"
  | "repeating"
  | "unchecked"
  | "sending"
  | "running"
  | "unknown"
  | "checking";

/** What the summary names; the fields of a panel are added. */
export interface Summary {
  media_id?: string;
  account_name?: string;
  caption?: string;
  product?: string;
  alt_text?: string;
  scheduled_at?: string;
}

/** The traits of `widgets/_shared/posting.py`. */
export interface PostingTraits {
  media_id: string;
  caption: string;
  fixing: string;
  accounts: { id: string; name: string }[];
  accounts_state: "loading" | "none" | "unavailable" | "ready";
  account: string;
  confirm_publish: boolean;
  step: Step;
  summary: Summary;
  refusal: { title?: string; text?: string; link?: string };
  outcome: string;
  needs_answer: boolean;
  recheck_seconds: number;
  possible_post: string;
  posted: { media_id?: string; account?: string; time?: number; due?: number; link?: string };
  limits: Record<string, number>;
  check_results: CheckResult[];
}

/** The words of a panel about its post. */
export interface PostingWords {
  publish: string;
  confirm: string;
  /** What is posted: "This image". */
  what: string;
  /** When it is posted: " on Tue, 1 Dec, 18:00"; empty for now. */
  when: string;
  /** Further facts for the summary. */
  facts: string[];
  /** Says that the same was already posted. */
  repeated: string;
}

interface Props {
  /** The title. */
  head: ComponentChildren;
  above?: ComponentChildren;
  /** Fields next to the account. */
  beside?: ComponentChildren;
  /** Rows below the caption. */
  rows: ComponentChildren;
  /** The image of the summary. */
  image: ComponentChildren;
  words: PostingWords;
  /** Why the panel cannot post now; empty if it can. */
  reason: string;
  /** Returns the fields of the post, except account and caption. */
  content: () => Record<string, unknown>;
  /** Sends what is being typed. */
  save?: () => void;
}

const STOPPED: Step[] = ["repeating", "unchecked"];
const ASKING: Step[] = ["confirming", ...STOPPED];
const BUSY: Step[] = ["preparing", "sending", "running", "checking"];

/** Whether the fields must not change, because a summary is shown or a post is in progress. */
export function useIsLocked(): boolean {
  const step = usePanel<PostingTraits>().get("step");
  return ASKING.includes(step) || BUSY.includes(step);
}

export function PostingForm(props: Props) {
  const panel = usePanel<PostingTraits>();
  const { words } = props;
  const delivery = useDelivery();
  const caption = useLimitedDraft<HTMLTextAreaElement>("caption");
  const publish = useRef<HTMLButtonElement>(null);
  const summary = useRef<HTMLDivElement>(null);
  const earlier = useRef<HTMLDivElement>(null);
  const hintId = useUid("hint");
  const isLocked = useIsLocked();

  const step = panel.get("step");
  const asks = ASKING.includes(step);
  const isUnknown = step === "unknown" || step === "checking";
  const account = useAccount();
  const reason =
    step === "editing" ? reasonOf(panel, account.value, caption.fits, props.reason) : "";
  const hint = isUnknown
    ? "Resolve the previous post first."
    : step === "preparing"
      ? "Checking earlier posts…"
      : BUSY.includes(step)
        ? "In progress…"
        : reason || (panel.get("confirm_publish") ? "You’ll review before posting." : "");

  const send = (type: string) =>
    delivery.send({
      type,
      media_id: panel.peek("media_id"),
      account: account.value,
      caption: caption.text.peek(),
      ...props.content(),
    });
  const keepEditing = () => panel.send({ type: "edit" });
  useHotkeys({
    matches: (event) =>
      isEscape(event) &&
      (ASKING.includes(panel.peek("step")) || panel.peek("step") === "preparing"),
    act: keepEditing,
  });
  useFocusOnSteps(step, { publish, summary, earlier });
  return (
    <>
      {props.head}
      <div class="wonda-publish-grid">
        {props.above}
        <div class="wonda-pair">
          <Field
            label="Instagram account"
            aside={
              <LinkButton disabled={isLocked} onPress={() => panel.send({ type: "reload" })}>
                Refresh
              </LinkButton>
            }
            error={
              panel.get("accounts_state") === "none"
                ? "Posting requires an account. Connect one in your Wonda settings, then press Refresh."
                : ""
            }
          >
            {(control) => (
              <Select
                {...control}
                options={account.options}
                value={account.value}
                disabled={isLocked}
                onChange={(value) => panel.set({ account: value })}
              />
            )}
          </Field>
          {props.beside}
        </div>
        <LimitedField label="Caption" draft={caption}>
          {(control) => <textarea {...control} class="wonda-input" rows={3} disabled={isLocked} />}
        </LimitedField>
        {props.rows}
        <div class="wonda-go" hidden={asks}>
          <Button
            primary
            elementRef={publish}
            off={step !== "editing" || reason !== "" || delivery.waiting}
            describedBy={hintId}
            onPress={() => {
              caption.save();
              props.save?.();
              send("publish");
            }}
          >
            {words.publish}
          </Button>
          <span class="wonda-price" id={hintId}>
            {hint}
          </span>
        </div>
        <SummaryBox
          boxRef={summary}
          image={props.image}
          words={words}
          delivery={delivery}
          confirm={() => send("confirm")}
          keepEditing={keepEditing}
        />
        <EarlierPost
          boxRef={earlier}
          delivery={delivery}
          repeat={() => send(step === "repeating" ? "repeat" : "unchecked")}
          keepEditing={keepEditing}
        />
        <p class="wonda-note" role="status">
          {delivery.note}
        </p>
        <p class="wonda-outcome" role="status">
          {panel.get("outcome")}
        </p>
        <JobView />
        <LastPost />
        <AlertBox>
          <Settling />
        </AlertBox>
      </div>
    </>
  );
}

const NO_ACCOUNT = {
  loading: "Loading…",
  none: "No account is connected",
  unavailable: "Accounts could not be loaded",
  ready: "Choose an account",
};

/** The options of the account select, and the selected account; empty if it is not listed. */
function useAccount() {
  const panel = usePanel<PostingTraits>();
  const chosen = panel.get("account");
  const options = panel.get("accounts").map(({ id, name }) => ({ value: id, label: name }));
  const isListed = options.some(({ value }) => value === chosen);
  if (!isListed) options.unshift({ value: "", label: NO_ACCOUNT[panel.get("accounts_state")] });
  return { options, value: isListed ? chosen : "" };
}

/** Why nothing can be posted now; empty if it can. */
function reasonOf(
  panel: Panel<PostingTraits>,
  account: string,
  captionFits: boolean,
  own: string,
): string {
  if (!panel.get("media_id")) return "Generate an image first.";
  if (panel.get("fixing")) return "Uploading the changed image…";
  if (panel.get("accounts_state") === "loading") return "Loading accounts…";
  if (panel.get("accounts_state") === "none") return "Connect an Instagram account first.";
  if (!account) return "Choose an account.";
  if (!captionFits) return "The caption is too long.";
  return own;
}

/** Move the focus when the focused part is hidden by another step. */
function useFocusOnSteps(
  step: Step,
  boxes: Record<"publish" | "summary" | "earlier", RefObject<HTMLElement | null>>,
): void {
  const panel = usePanel();
  const { publish, summary, earlier } = boxes;
  useLayoutEffect(() => {
    if (!hasFocus(panel.root)) return;
    // Focus the box, not its button: a key that is still held down would press it.
    if (step === "confirming") {
      if (!hasFocus(summary.current)) summary.current?.focus();
    } else if (STOPPED.includes(step)) earlier.current?.focus();
    else if (hasFocus(summary.current) || hasFocus(earlier.current)) publish.current?.focus();
  }, [step, panel, publish, summary, earlier]);
}

/** What is about to be posted, with the button that posts it. */
function SummaryBox({
  boxRef,
  image,
  words,
  delivery,
  confirm,
  keepEditing,
}: {
  boxRef: RefObject<HTMLDivElement | null>;
  image: ComponentChildren;
  words: PostingWords;
  delivery: Delivery;
  confirm: () => void;
  keepEditing: () => void;
}) {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const isSandbox = panel.get("sandbox");
  const { account_name: account = "", caption = "", media_id: mediaId } = panel.get("summary");
  const last = panel.get("posted");
  const isRepeated = mediaId && last.media_id === mediaId && !("due" in last);
  const problems = panel.get("check_results").filter(({ level }) => level === "miss");
  const text = caption.trim();
  const facts = [
    ...words.facts,
    ...(isSandbox || words.when ? [] : ["posts can’t be deleted from here"]),
  ];
  const caution = [
    ...(isRepeated ? [words.repeated] : []),
    ...(problems.length
      ? ["Instagram may reject this post.", ...problems.map(({ title }) => title)]
      : []),
  ].join(" ");
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend
    <div
      class="wonda-summary"
      ref={boxRef}
      role="group"
      aria-label="What will be posted"
      tabIndex={-1}
      hidden={step !== "confirming"}
    >
      {image}
      <div>
        <p>
          <strong>
            {isSandbox
              ? `Ready to post to ${account}${words.when} (simulated: nothing is published).`
              : `${words.what} will be posted publicly to ${account}${words.when || " now"}.`}
          </strong>
        </p>
        <p class="wonda-summary-text">
          {text ? <bdi>“{text}”</bdi> : "no caption"}
          {facts.map((fact) => ` · ${fact}`)}
        </p>
        <p class="wonda-summary-caution" hidden={!caution}>
          {caution}
        </p>
        <div class="wonda-buttons">
          <Button primary off={step !== "confirming" || delivery.waiting} onPress={confirm}>
            {words.confirm}
          </Button>
          <Button onPress={keepEditing}>Keep editing</Button>
        </div>
      </div>
    </div>
  );
}

/** Posted before, or earlier posts cannot be checked: ask whether to publish anyway. */
function EarlierPost({
  boxRef,
  delivery,
  repeat,
  keepEditing,
}: {
  boxRef: RefObject<HTMLDivElement | null>;
  delivery: Delivery;
  repeat: () => void;
  keepEditing: () => void;
}) {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const { title = "", text = "", link } = panel.get("refusal");
  const isUnchecked = step === "unchecked";
  const isStopped = STOPPED.includes(step);
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would need a visible legend
    <div
      class="wonda-summary wonda-earlier"
      ref={boxRef}
      role="group"
      aria-label={title.replace(/\.$/, "") || "Already posted"}
      tabIndex={-1}
      hidden={!isStopped}
    >
      <div>
        <p>
          <strong>{title}</strong> <span>{text}</span> <PostLink address={link}>View post</PostLink>
        </p>
        <p class="wonda-summary-text">
          Nothing was sent. Publish the post {isUnchecked ? "anyway" : "again"}?
        </p>
        <div class="wonda-buttons">
          <Button off={!isStopped || delivery.waiting} onPress={repeat}>
            {isUnchecked ? "Publish anyway" : "Post again"}
          </Button>
          <Button onPress={keepEditing}>Keep editing</Button>
        </div>
      </div>
    </div>
  );
}

/** For an unknown outcome: check the account’s history, or ask the user. */
function Settling() {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const asksUser = step === "unknown" && panel.get("needs_answer");
  const answer = (posted: boolean) => panel.send({ type: "answer", posted });
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

const TICK = 250; // milliseconds

/** Says what `Check` does, and counts down to the next automatic check. */
function CheckNote() {
  const panel = usePanel<PostingTraits>();
  const step = panel.get("step");
  const seconds = panel.get("recheck_seconds");
  const due = useRef(0);
  const [now, setNow] = useState(performance.now());
  useLayoutEffect(() => {
    due.current = performance.now() + seconds * 1000;
    setNow(performance.now());
  }, [step, seconds]);
  const left = Math.ceil((due.current - now) / 1000);
  const counts = step === "unknown" && left > 0;
  useEffect(() => {
    if (!counts) return;
    const timer = setInterval(() => setNow(performance.now()), TICK);
    return () => clearInterval(timer);
  }, [counts]);
  if (step === "checking") return <>Checking the account’s publish history…</>;
  if (counts) return <>Checks again automatically in {left} s.</>;
  return <>Checks the account’s publish history.</>;
}

/** The last post of this panel, with its link. */
function LastPost() {
  const panel = usePanel<PostingTraits>();
  const { media_id: mediaId, account, time, due, link } = panel.get("posted");
  const isScheduled = "due" in panel.get("posted");
  const isThis = mediaId === panel.get("media_id");
  const isHidden = !time || ASKING.includes(panel.get("step"));
  const when = due
    ? `for ${formatMoment(due, { ...WITH_DAY, timeZoneName: "short" })}`
    : formatMoment(time ?? 0);
  const place = [account && `to ${account}`, when].filter(Boolean).join(", ");
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
          {panel.get("sandbox")
            ? `${place}. Sandbox: nothing ${isScheduled ? "will be" : "was"} published.`
            : place}
        </span>
      </p>
      <PostLink address={link}>View post</PostLink>
    </div>
  );
}
