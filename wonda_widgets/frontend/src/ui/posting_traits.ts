// The traits of the panels that post, and the steps of a post.

import { usePanel } from "../runtime/context";
import type { CheckResult } from "./check_result";

export type Step =
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
  /** Distinguishes posts with the same content. */
  number?: number;
  media_id?: string;
  account_name?: string;
  caption?: string;
  product?: string;
  share_to_feed?: boolean;
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
  /** What is reviewed before: "posting". */
  act: string;
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

export const STOPPED: Step[] = ["repeating", "unchecked"];
export const ASKING: Step[] = ["confirming", ...STOPPED];
export const BUSY: Step[] = ["preparing", "sending", "running", "checking"];

/** Whether the fields must not change, because a summary is shown or a post is in progress. */
export function useIsLocked(): boolean {
  const step = usePanel<PostingTraits>().get("step");
  return ASKING.includes(step) || BUSY.includes(step);
}
