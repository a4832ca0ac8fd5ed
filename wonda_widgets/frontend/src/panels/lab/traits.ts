// The traits of the form of `PromptLab`, see `widgets/_parts/lab_form.py`.

import type { ModelSpec } from "../../logic/parameter";
import type { Alert } from "../../runtime/panel";
import type { ReferenceTraits } from "../../ui/references";
import type { SavedFileTraits } from "../../ui/saved_file";
import type { SnippetTraits } from "../../ui/snippet_menu";

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
  /** A digest of the table and the references. */
  inputs: string;
  budget: string;
  share: number;
  notes: string[];
  action: "run" | "resume" | "retry" | "repeat" | "check";
  problem: Alert | null;
  is_stale?: boolean;
}

/** What the page shows of a table of values. */
export interface TableView {
  name?: string;
  columns?: string[];
  /** The number of rows. */
  count?: number;
  /** The first rows. */
  rows?: string[][];
}

export interface Template {
  name: string;
  text: string;
}

export interface LabTraits extends ReferenceTraits, SavedFileTraits, SnippetTraits {
  kind: "image" | "video";
  templates: Template[];
  table: TableView;
  combine: "product" | "zip" | "random";
  count: number;
  seed: number;
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
