// The form of `PromptLab`: a prompt template, what varies, the plan, its price, and `Run`.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { own } from "../../logic/own";
import type { ModelSpec, ParameterSpec } from "../../logic/parameter";
import { usePanel } from "../../runtime/context";
import { useDelivery } from "../../runtime/delivery";
import { hasFocus } from "../../runtime/dom";
import { type Draft, useDraft } from "../../runtime/draft";
import { isSubmit, useHotkeys } from "../../runtime/keys";
import { AlertBox } from "../../ui/alert";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { KindChoice } from "../../ui/kind_choice";
import { ListField } from "../../ui/list_field";
import { PlanTable } from "./plan_table";
import { TemplateInput } from "./template_input";
import type { LabTraits, Plan } from "./traits";

const FORM_TRAITS = [
  "kind",
  "template",
  "values",
  "models",
  "params",
  "takes",
  "budget",
  "max_concurrency",
] as const;
const PAUSE = 300; // milliseconds

export function LabForm() {
  const panel = usePanel<LabTraits>();
  const delivery = useDelivery();
  const template = useDraft<HTMLTextAreaElement>("template", { delay: PAUSE });
  const budget = useDraft<HTMLInputElement>("budget", { delay: PAUSE });
  const takes = useWholeNumber("takes", MAX_TAKES);
  const concurrency = useWholeNumber("max_concurrency", MAX_CONCURRENCY);
  const takers = useRef(new Map<string, () => void>()); // add what is typed in list fields
  const runButton = useRef<HTMLButtonElement>(null);

  const state = panel.get("state");
  const plan = panel.get("plan");
  const kind = panel.get("kind");
  const models = panel.get("models");
  const offered = panel.get("available_models").filter((model) => model.kind === kind);
  const chosen = offered.filter(({ key }) => models.includes(key));
  const fields = mergeFields(chosen);
  const problem = useProblem(fields, template);

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
    !delivery.waiting &&
    !template.isUnsent;
  const submit = () => {
    if (!isReady) return;
    for (const take of takers.current.values()) take();
    template.save();
    budget.save();
    takes.save();
    concurrency.save();
    // A front end may delay trait changes but not messages, so the message contains all values.
    const form = Object.fromEntries(FORM_TRAITS.map((name) => [name, panel.peek(name)]));
    const { action, count, usd, run } = panel.peek("plan");
    delivery.send({ type: "run_now", form, action, count, usd, run });
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
      <Field
        label="Prompt template"
        help="Use {subject} for a variable part. Press Enter to add a value, or paste one per line."
        error={problem.at("template")}
      >
        {(control) => <TemplateInput control={control} draft={template} />}
      </Field>
      <div class="wonda-params">
        {panel.get("placeholders").map((name) => (
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
        {fields.map((spec) => (
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
        <Field label="Takes of each">
          {(control) => <input {...control} {...takes.control} />}
        </Field>
        <Field label="Parallel jobs">
          {(control) => <input {...control} {...concurrency.control} />}
        </Field>
      </div>
      <div class="wonda-go">
        <Button primary elementRef={runButton} off={!isReady} onPress={submit}>
          {buttonText(state, plan)}
        </Button>
      </div>
      <p class="wonda-why" role="status">
        {problem.summary}
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

/** The plan's problem: at its field if there is one, else under the button. */
function useProblem(fields: ParameterSpec[], template: Draft<HTMLTextAreaElement>) {
  const panel = usePanel<LabTraits>();
  const problem = panel.get("plan").problem;
  const names = [
    "template",
    "models",
    "budget",
    ...panel.get("placeholders").map((name) => `values.${name}`),
    ...fields.map(({ name }) => `params.${name}`),
  ];
  const field = problem?.field === "values" ? "template" : (problem?.field ?? "");
  const place = names.includes(field) || field === "allow_unchecked" ? field : "";
  // An empty form is no mistake yet.
  const isEmpty = place === "template" && !template.text.value.trim();
  const text = problem
    ? `${problem.title} ${problem.text.replace("Nothing was sent.", "").trim()}`.trim()
    : "";
  const labelOf = (name: string) =>
    ({ template: "Prompt template", models: "Models" })[name] ??
    fields.find((spec) => name === `params.${spec.name}`)?.label ??
    name.replace(/^values\./, "");
  // What the button would spend is said at the button; any other problem at its field.
  const isAtField = names.includes(place) && place !== "budget";
  return {
    place,
    at: (name: string) => (name === place && isAtField && !isEmpty ? text : ""),
    summary: !problem || isEmpty ? "" : isAtField ? `Fix “${labelOf(place)}” first.` : text,
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

const MAX_CONCURRENCY = 32;
const MAX_TAKES = 100;

/** A field for a whole number from 1 to `most`; other input is replaced by the last number. */
function useWholeNumber(name: "takes" | "max_concurrency", most: number) {
  const panel = usePanel<LabTraits>();
  const text = useSignal("");
  useSignalEffect(() => {
    text.value = String(panel.get(name));
  });
  const save = () => {
    const value = Math.round(Number(text.peek()));
    if (value >= 1 && value <= most) panel.set({ [name]: value });
    else text.value = String(panel.peek(name));
  };
  return {
    save,
    control: {
      type: "number" as const,
      class: "wonda-input",
      min: 1,
      max: most,
      value: text.value,
      onInput: (event: Event) => {
        text.value = (event.currentTarget as HTMLInputElement).value;
      },
      onChange: save,
    },
  };
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
