// The form of `PromptLab`: a prompt template, what varies, the plan, its price, and `Run`.

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { own } from "../../logic/own";
import { type ModelSpec, mostReferences, type ParameterSpec } from "../../logic/parameter";
import { usePanel } from "../../runtime/context";
import { useDelivery } from "../../runtime/delivery";
import { hasFocus } from "../../runtime/dom";
import { useDraft } from "../../runtime/draft";
import { isSubmit, useHotkeys } from "../../runtime/keys";
import { AlertBox } from "../../ui/alert";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { KindChoice } from "../../ui/kind_choice";
import { ListField } from "../../ui/list_field";
import { References } from "../../ui/references";
import { Select } from "../../ui/select";
import { PlanTable } from "./plan_table";
import { TableField, useTableFile } from "./table_field";
import { Templates } from "./templates";
import type { LabTraits, Plan } from "./traits";
import { useWholeNumber } from "./whole_number";

const FORM_TRAITS = [
  "kind",
  "templates",
  "values",
  "models",
  "params",
  "combine",
  "count",
  "seed",
  "takes",
  "budget",
  "max_concurrency",
] as const;
const PAUSE = 120; // milliseconds
const MAX_CONCURRENCY = 32;
const MAX_TAKES = 100;
const MAX_RESULTS = 1000;
const MAX_SEED = 2 ** 31 - 1;
const COMBINE = [
  { value: "product", label: "All combinations" },
  { value: "zip", label: "Row by row" },
  { value: "random", label: "Random sample" },
];

export function LabForm() {
  const panel = usePanel<LabTraits>();
  const delivery = useDelivery();
  const unsent = useSignal(new Set<number>()); // templates that the kernel does not have yet
  const budget = useDraft<HTMLInputElement>("budget", { delay: PAUSE });
  const takes = useWholeNumber("takes", { max: MAX_TAKES });
  const concurrency = useWholeNumber("max_concurrency", { max: MAX_CONCURRENCY });
  const sampleSize = useWholeNumber("count", { max: MAX_RESULTS });
  const seed = useWholeNumber("seed", { min: 0, max: MAX_SEED });
  const takers = useRef(new Map<string, () => void>()); // add what is typed in list fields
  const runButton = useRef<HTMLButtonElement>(null);
  const tableFile = useTableFile();

  const state = panel.get("state");
  const plan = panel.get("plan");
  const kind = panel.get("kind");
  const models = panel.get("models");
  const offered = panel.get("available_models").filter((model) => model.kind === kind);
  const chosen = offered.filter(({ key }) => models.includes(key));
  const fields = mergeFields(chosen);
  const columns = panel.get("table").columns ?? [];
  const isSample = panel.get("combine") === "random";
  const numbers = {
    takes,
    max_concurrency: concurrency,
    ...(isSample && { count: sampleSize, seed }),
  };
  const invalid = Object.entries(numbers).find(([, { error }]) => error)?.[0] ?? "";
  const problem = useProblem(fields, invalid);

  const latest = useRef<Record<string, string[]>>({}); // the selected models, by kind
  const selectKind = (next: LabTraits["kind"]) => {
    latest.current[kind] = panel.peek("models");
    panel.set({ kind: next, models: latest.current[next] ?? [] }); // else the kernel selects one
  };

  const hasResults = plan.count > 0 || plan.requested > 0;
  const isReady =
    plan.action !== "check" &&
    !plan.is_stale &&
    state === "ready" &&
    hasResults &&
    !plan.problem &&
    !invalid &&
    !delivery.waiting &&
    !unsent.value.size;
  const submit = () => {
    if (!isReady) return;
    for (const take of takers.current.values()) take();
    for (const field of [budget, takes, concurrency, sampleSize, seed]) field.save();
    // A front end may delay trait changes but not messages, so the message contains all values.
    const form = Object.fromEntries(FORM_TRAITS.map((name) => [name, panel.peek(name)]));
    const { action, count, usd, run, inputs } = panel.peek("plan");
    delivery.send({ type: "run_now", form, action, count, usd, run, inputs });
  };
  useHotkeys({ matches: isSubmit, act: submit });
  const register = (name: string) => (take: () => void) => {
    takers.current.set(name, take);
    return () => {
      takers.current.delete(name);
    };
  };
  return (
    <>
      <UnfinishedPlan />
      <KindChoice
        models={panel.get("available_models")}
        value={kind}
        disabled={state !== "ready"}
        onChange={selectKind}
      />
      <Templates
        onTable={tableFile.read}
        error={problem.at("template")}
        register={register}
        onUnsent={(place, isUnsent) => {
          const next = new Set(unsent.peek());
          if (isUnsent) next.add(place);
          else next.delete(place);
          unsent.value = next;
        }}
      />
      <div class="wonda-params">
        {panel
          .get("placeholders")
          .filter((name) => !columns.includes(name))
          .map((name) => (
            <ListField
              key={name}
              label={name}
              values={own(panel.get("values"), name) ?? []}
              error={problem.at(`values.${name}`)}
              register={register(`values.${name}`)}
              onChange={(values) =>
                panel.set({ values: { ...panel.peek("values"), [name]: values as string[] } })
              }
            />
          ))}
      </div>
      <TableField file={tableFile} error={problem.at("table")} />
      <div class="wonda-params">
        <ListField
          label="Models"
          values={models}
          options={offered.map(({ key }) => key)}
          textOf={(key) => offered.find((model) => model.key === key)?.name ?? String(key)}
          error={problem.at("models")}
          onChange={(values) => panel.set({ models: values as string[] })}
        />
      </div>
      <div class="wonda-params">
        {fields
          .filter(({ name }) => !columns.includes(name))
          .map((spec) => (
            <ListField
              key={spec.name}
              label={spec.label}
              values={own(panel.get("params"), spec.name) ?? []}
              options={optionsOf(spec)}
              defaultValue={spec.default}
              textOf={spec.kind === "flag" ? (value) => (value ? "on" : "off") : undefined}
              parse={isNumeric(spec) ? parseNumber : undefined}
              error={problem.at(`params.${spec.name}`)}
              register={register(`params.${spec.name}`)}
              onChange={(values) =>
                panel.set({ params: { ...panel.peek("params"), [spec.name]: values } })
              }
            />
          ))}
      </div>
      <References
        most={mostReferences(chosen)}
        invalid={problem.place === "references"}
        error={problem.at("references")}
      />
      <div class="wonda-pair wonda-always">
        <Field label="Combine" error={problem.at("combine")}>
          {(control) => (
            <Select
              {...control}
              options={COMBINE}
              value={panel.get("combine")}
              onChange={(combine) => {
                panel.set({ combine: combine as LabTraits["combine"] });
                // A sample has at most as many as there are.
                const all = plan.count + plan.requested;
                const takes = panel.peek("takes");
                if (combine === "random" && all > 0 && panel.peek("count") > all / takes)
                  panel.set({ count: Math.max(1, Math.floor(all / takes)) });
              }}
            />
          )}
        </Field>
        <Field label="Takes of each" error={takes.error || problem.at("takes")}>
          {(control) => <input {...control} {...takes.control} />}
        </Field>
      </div>
      <div class="wonda-pair wonda-always" hidden={!isSample}>
        <Field label="Sample size" error={sampleSize.error || problem.at("count")}>
          {(control) => <input {...control} {...sampleSize.control} />}
        </Field>
        <Field label="Seed" error={seed.error}>
          {(control) => <input {...control} {...seed.control} />}
        </Field>
      </div>
      <PlanTable hidden={!hasResults} />
      <div class="wonda-pair wonda-always">
        <Field label="Budget per run ($)" invalid={problem.place === "budget"}>
          {(control) => (
            <input
              {...control}
              {...budget.control}
              type="text"
              class="wonda-input"
              inputMode="decimal"
            />
          )}
        </Field>
        <Field label="Parallel jobs" error={concurrency.error}>
          {(control) => <input {...control} {...concurrency.control} />}
        </Field>
      </div>
      <div class="wonda-go">
        <Button primary elementRef={runButton} off={!isReady} onPress={submit}>
          {buttonText(state, plan)}
        </Button>
      </div>
      <p class="wonda-why" role="status">
        {state === "running" ? "" : problem.summary}
      </p>
      <ContinueAnyway
        hidden={problem.place !== "allow_unchecked"}
        onHidden={() => runButton.current?.focus()}
      />
      <p class="wonda-note" role="status">
        {delivery.note}
      </p>
      <AlertBox>
        <div class="wonda-buttons" hidden={state !== "unavailable"}>
          <Button small onPress={() => panel.send({ type: "reload" })}>
            Try again
          </Button>
        </div>
      </AlertBox>
    </>
  );
}

/** The text of the button: one action per state. */
function buttonText(state: string, { action, count, requested }: Plan): string {
  if (state === "running") return "Running…";
  if (action === "retry") return `Retry ${count} failed`;
  if (action === "check") return "Check the unknown results";
  if (action === "resume") return count ? `Resume: ${count} left` : "Resume";
  if (!count) return requested ? "Show results" : "Run";
  return action === "repeat" ? `Generate ${count} more` : `Run ${count}`;
}

const isNumeric = ({ kind }: ParameterSpec) => kind === "slider" || kind === "number";

/** A number; text that is not a number is kept, and the kernel says what is wrong with it. */
const parseNumber = (text: string): unknown => (Number.isNaN(Number(text)) ? text : Number(text));

function optionsOf({ kind, options }: ParameterSpec): unknown[] | undefined {
  if (kind === "choice") return options;
  return kind === "flag" ? [true, false] : undefined;
}

/** The parameters of several models; a choice has the options of all of them. */
function mergeFields(models: ModelSpec[]): ParameterSpec[] {
  const merged = new Map<string, ParameterSpec>();
  for (const { fields } of models)
    for (const spec of fields) {
      const known = merged.get(spec.name);
      const options = [...new Set([...(known?.options ?? []), ...spec.options])];
      merged.set(spec.name, { ...spec, ...known, options });
    }
  return [...merged.values()];
}

const LABELS: Record<string, string> = {
  template: "Prompt template",
  table: "Table of values",
  models: "Models",
  references: "Reference images",
  combine: "Combine",
  count: "Sample size",
  takes: "Takes of each",
  seed: "Seed",
  budget: "Budget per run",
  max_concurrency: "Parallel jobs",
};

/**
 * The plan's problem: at its field if there is one, else under the button.
 *
 * `invalid` is the name of a field whose text the kernel does not have; empty for none.
 */
function useProblem(fields: ParameterSpec[], invalid: string) {
  const panel = usePanel<LabTraits>();
  const problem = panel.get("plan").problem;
  const names = [
    ...Object.keys(LABELS),
    ...panel.get("placeholders").map((name) => `values.${name}`),
    ...fields.map(({ name }) => `params.${name}`),
  ];
  const field = problem?.field === "values" ? "template" : (problem?.field ?? "");
  const place = names.includes(field) || field === "allow_unchecked" ? field : "";
  // An empty form is no mistake yet.
  const isEmpty = place === "template" && panel.get("templates").every(({ text }) => !text.trim());
  const text = problem
    ? `${problem.title} ${problem.text.replace("Nothing was sent.", "").trim()}`.trim()
    : "";
  const isOneOfSeveral = place === "template" && panel.get("templates").length > 1;
  const labelOf = (name: string) =>
    (isOneOfSeveral ? "the templates" : own(LABELS, name)) ??
    fields.find((spec) => name === `params.${spec.name}`)?.label ??
    name.replace(/^values\./, "");
  // What the button would spend is said at the button; any other problem at its field.
  const isAtField = names.includes(place) && place !== "budget";
  return {
    place,
    at: (name: string) => (name === place && isAtField && !isEmpty ? text : ""),
    summary: invalid
      ? `Fix first: ${labelOf(invalid)}.`
      : !problem || isEmpty
        ? ""
        : isAtField
          ? `Fix first: ${labelOf(place)}.`
          : text,
  };
}

/** Offers to continue the plan of an earlier kernel. */
function UnfinishedPlan() {
  const panel = usePanel<LabTraits>();
  const text = panel.get("unfinished_plan");
  return (
    <div class="wonda-left-plan" role="status" hidden={!text || panel.get("state") === "running"}>
      <span>{text}</span>
      <div class="wonda-buttons">
        <Button small onPress={() => panel.send({ type: "open_plan" })}>
          Open plan
        </Button>
        <Button small onPress={() => panel.send({ type: "dismiss_plan" })}>
          Not now
        </Button>
      </div>
    </div>
  );
}

/** For prices that cannot be checked. */
function ContinueAnyway({ hidden, onHidden }: { hidden: boolean; onHidden: () => void }) {
  const panel = usePanel<LabTraits>();
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (hidden && hasFocus(box.current)) onHidden();
  });
  return (
    <div class="wonda-buttons" ref={box} hidden={hidden}>
      <Button small onPress={() => panel.send({ type: "unchecked" })}>
        Continue anyway
      </Button>
    </div>
  );
}
