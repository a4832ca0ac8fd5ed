// When a post is published: now, or at a local time in a zone that is shown.

import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { limits, momentsOf, suggestion, timeProblem, toInput, utcOffset } from "../logic/schedule";
import { formatMoment, timeZone, WITH_DAY } from "../logic/time";
import { usePanel } from "../runtime/context";
import { LinkButton } from "./button";
import { Field } from "./field";
import { useIsLocked } from "./posting_traits";
import { Segments } from "./select";

interface Traits {
  scheduled_at: string;
  lists_scheduled: boolean;
}

/** The chosen time of a post, and the state of its fields. */
export interface Schedule {
  isLater: boolean;
  /** The time as ISO 8601 with its offset; empty for now, and while no time can be used. */
  value: () => string;
  /** Why the time cannot be used; empty if it can. */
  reason: string;
  fields: ScheduleState;
}

interface ScheduleState {
  time: string;
  occurrence: number;
  chosen: Date | null;
  setLater: (later: boolean) => void;
  setTime: (time: string) => void;
  setOccurrence: (occurrence: number) => void;
}

export function useSchedule(): Schedule {
  const panel = usePanel<Traits>();
  const isLater = useSignal(false);
  const time = useSignal("");
  const occurrence = useSignal(-1); // in the hour that occurs twice, the user must choose one

  const chosenOf = (text: string, turn: number): Date | null => {
    const moments = text ? momentsOf(text) : [];
    return (moments.length > 1 ? moments[turn] : moments[0]) ?? null;
  };
  const value = () => {
    const date = isLater.peek() ? chosenOf(time.peek(), occurrence.peek()) : null;
    return date ? `${toInput(date)}:00${utcOffset(date)}` : "";
  };
  const save = () => panel.set({ scheduled_at: value() });
  useSignalEffect(() => {
    const at = panel.get("scheduled_at");
    if (at === value()) return;
    isLater.value = at !== "";
    const date = new Date(at);
    if (!at || Number.isNaN(date.getTime())) return;
    time.value = toInput(date);
    occurrence.value = momentsOf(time.value).findIndex((each) => each.getTime() === date.getTime());
  });
  const chosen = chosenOf(time.value, occurrence.value);
  return {
    isLater: isLater.value,
    value,
    reason: isLater.value ? timeProblem(time.value, chosen, new Date()) : "",
    fields: {
      time: time.value,
      occurrence: occurrence.value,
      chosen,
      setLater(later) {
        isLater.value = later;
        if (later && !time.peek()) time.value = suggestion(new Date());
        save();
      },
      setTime(text) {
        time.value = text;
        occurrence.value = -1;
        save();
      },
      setOccurrence(turn) {
        occurrence.value = turn;
        save();
      },
    },
  };
}

/** The time for the summary: " on Tue, 1 Dec, 18:00 (Europe/Berlin)"; empty for now. */
export const scheduleWords = (at: string | undefined): string =>
  at ? ` on ${formatMoment(new Date(at).getTime() / 1000, WITH_DAY)} (${timeZone()})` : "";

const CHOICES = [
  { value: "now", label: "Now" },
  { value: "later", label: "Later" },
];
const OCCURRENCES = [
  { value: "0", label: "First" },
  { value: "1", label: "Second" },
];

export function ScheduleFields({ schedule }: { schedule: Schedule }) {
  const panel = usePanel<Traits>();
  const isLocked = useIsLocked();
  const timeInput = useRef<HTMLInputElement>(null);
  const { isLater, reason, fields } = schedule;
  const { time, occurrence, chosen } = fields;
  const moments = time ? momentsOf(time) : [];
  const isTwice = isLater && moments.length > 1;
  const offset = utcOffset(chosen ?? moments[0] ?? new Date());
  return (
    <>
      <Field
        label="When"
        aside={
          <LinkButton
            hidden={!panel.get("lists_scheduled") || !panel.allows("schedule")}
            onPress={() => panel.send({ type: "scheduled" })}
          >
            Scheduled posts
          </LinkButton>
        }
      >
        {(control) => (
          <Segments
            {...control}
            options={CHOICES}
            value={isLater ? "later" : "now"}
            disabled={isLocked}
            onChange={(choice) => {
              fields.setLater(choice === "later");
              if (choice === "later") setTimeout(() => timeInput.current?.focus());
            }}
          />
        )}
      </Field>
      <Field
        label="Date and time"
        help={timeZone() === "UTC" ? "UTC" : `${timeZone()} (UTC${offset})`}
        error={reason}
        hidden={!isLater}
      >
        {(control) => (
          <input
            {...control}
            {...limits(new Date())}
            ref={timeInput}
            type="datetime-local"
            class="wonda-input"
            value={time}
            disabled={isLocked}
            onInput={(event) => fields.setTime(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field
        label="Which occurrence"
        help={moments
          .map((date, index) => `${OCCURRENCES[index]?.label}: UTC${utcOffset(date)}`)
          .join(" · ")}
        hidden={!isTwice}
      >
        {(control) => (
          <Segments
            {...control}
            options={OCCURRENCES}
            value={String(occurrence)}
            disabled={isLocked}
            onChange={(turn) => fields.setOccurrence(Number(turn))}
          />
        )}
      </Field>
    </>
  );
}
