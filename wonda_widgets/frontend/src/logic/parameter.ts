// The parameters of a model's schema.

import { own } from "./own";

/** The schema of a parameter, see `widgets/prompt_form.py`. */
export interface ParameterSpec {
  name: string;
  label: string;
  kind: "choice" | "flag" | "slider" | "number" | "text";
  help: string;
  required: boolean;
  default: unknown;
  options: unknown[];
  minimum: number | null;
  maximum: number | null;
  step: number | null;
  whole: boolean;
}

/** A model of the service. */
export interface ModelSpec {
  key: string;
  /** What it generates. */
  kind: "image" | "video";
  name: string;
  help: string;
  needs_prompt: boolean;
  needs_image: boolean;
  /** null if no limit is known. */
  most_references: number | null;
  fields: ParameterSpec[];
}

/** The selected model; the models of both kinds may share a key. */
export const selectedModel = (
  models: ModelSpec[],
  kind: string,
  key: string,
): ModelSpec | undefined => models.find((model) => model.kind === kind && model.key === key);

/** The range of a number as a sentence. */
export function rangeSentence({ label, minimum, maximum }: ParameterSpec): string {
  if (minimum != null && maximum != null) return `${label} must be from ${minimum} to ${maximum}.`;
  if (minimum != null) return `${label} must be at least ${minimum}.`;
  return `${label} must be at most ${maximum}.`;
}

/** What is wrong with the number in a native control; empty if nothing is. */
export function numberProblem(spec: ParameterSpec, validity: ValidityState): string {
  if (validity.badInput) return `${spec.label} must be a number.`;
  if (validity.rangeUnderflow || validity.rangeOverflow) return rangeSentence(spec);
  if (validity.stepMismatch && spec.whole) return `${spec.label} must be a whole number.`;
  return "";
}

/**
 * The values for another model: those in `typed` that it accepts, and its defaults for the others.
 */
export function valuesFor(
  fields: ParameterSpec[],
  typed: Record<string, unknown>,
): Record<string, unknown> {
  const values = fields.map((spec) => {
    const before = own(typed, spec.name);
    const fits = before !== undefined && (spec.kind !== "choice" || spec.options.includes(before));
    return [spec.name, fits ? before : spec.default];
  });
  return Object.fromEntries(values.filter(([, value]) => value != null));
}

const MANY_RATIOS = 3;
const isRatio = (value: unknown): boolean => /^\d{1,2}:\d{1,2}$/.test(String(value));

/** Which control suits a choice: drawn shapes, segments, or a select. */
export function choiceControl(
  spec: ParameterSpec,
  labels: string[],
): "shapes" | "segments" | "select" {
  if (spec.options.filter(isRatio).length > MANY_RATIOS) return "shapes";
  const isShort = labels.length <= 4 && labels.every((label) => label.length <= 8);
  return isShort ? "segments" : "select";
}

/** How many reference images all of these models accept; infinite if the service decides. */
export function mostReferences(models: ModelSpec[]): number {
  if (!models.length) return 0;
  return Math.min(...models.map((model) => model.most_references ?? Number.POSITIVE_INFINITY));
}
