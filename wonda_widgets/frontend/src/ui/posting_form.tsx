// The form of all panels that post: account and caption, summary, one post, and its outcome.

import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { usePanel, useUid } from "../runtime/context";
import { useDelivery } from "../runtime/delivery";
import { hasFocus } from "../runtime/dom";
import { isEscape, useHotkeys } from "../runtime/keys";
import type { Panel } from "../runtime/panel";
import { AlertBox } from "./alert";
import { Button, LinkButton } from "./button";
import { Field } from "./field";
import { JobView } from "./job";
import { LimitedField, useLimitedDraft } from "./limited_text";
import { LastPost, Settling } from "./posting_outcome";
import { EarlierPost, SummaryBox } from "./posting_questions";
import {
  ASKING,
  BUSY,
  type PostingTraits,
  type PostingWords,
  STOPPED,
  type Step,
  useIsLocked,
} from "./posting_traits";
import { Select } from "./select";

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
        : reason || (panel.get("confirm_publish") ? `You’ll review before ${words.act}.` : "");

  const send = (type: string) =>
    delivery.send({
      type,
      media_id: panel.peek("media_id"),
      ...(type === "publish" ? {} : { summary: panel.peek("summary").number }),
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
          <Button small hidden={step !== "preparing"} onPress={keepEditing}>
            Keep editing
          </Button>
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
  if (!panel.get("media_id")) return "Generate an image or a video first.";
  if (panel.get("fixing")) return "The change is being applied…";
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
