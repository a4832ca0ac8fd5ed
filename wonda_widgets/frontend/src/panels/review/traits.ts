// The traits and messages of `Review`, see `widgets/review.py`.

export interface ReviewTraits {
  question: string;
  mode: "compare" | "approve";
  state: "loading" | "ready" | "unavailable";
  count: number;
  setup: boolean;
  review_id: string;
  is_shared: boolean;
}

/** What a person decides next. */
export interface Turn {
  /** The keys of the left and the right image, or of the only one; none if all is decided. */
  images: string[];
  done: number;
  asked: number;
  /** The number of all possible decisions. */
  all: number;
  can_undo: boolean;
  /** The number of the person in the view, whose turn it is. */
  person: number;
  /** Why the last vote was refused. */
  problem: string;
}

/** An image in the results. */
export interface ResultRow {
  key: string;
  title: string;
  rank?: number;
  /** Shares of votes, from 0 to 1. */
  score?: number;
  low?: number;
  high?: number;
  best_rank?: number;
  worst_rank?: number;
  wins?: number;
  losses?: number;
  ties?: number;
  both_bad?: number;
  approval?: string;
  decisions?: { name: string; choice: string; comment: string }[];
}
