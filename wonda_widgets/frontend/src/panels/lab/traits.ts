// The traits of the form of `PromptLab`, see `widgets/_parts/lab_form.py`.

import type { ModelSpec } from "../../logic/parameter";
import type { Alert } from "../../runtime/panel";

/** A plan with its price. */
export interface Plan {
  kind: "image" | "video";
  count: number;
  requested: number;
  factors: string;
  prices: { text: string; count: number }[];
  usd: string;
  /** The number of runs before. */
  run: number;
  budget: string;
  share: number;
  notes: string[];
  action: "run" | "resume" | "retry" | "repeat" | "check";
  problem: Alert | null;
  is_stale?: boolean;
}

export interface LabTraits {
  kind: "image" | "video";
  template: string;
  placeholders: string[];
  values: Record<string, string[]>;
  available_models: ModelSpec[];
  models: string[];
  params: Record<string, unknown[]>;
  takes: number;
  budget: string;
  max_concurrency: number;
  plan: Plan;
  state: string;
  unfinished_plan: string;
}
