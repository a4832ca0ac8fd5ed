// `PublishForm`: post one image to Instagram, now or later.

import { useObjectUrl } from "../runtime/bytes";
import { usePanel } from "../runtime/context";
import { CloseButton } from "../ui/button";
import { Field } from "../ui/field";
import { LimitedField, useLimitedDraft } from "../ui/limited_text";
import { PostingForm } from "../ui/posting_form";
import { type PostingTraits, useIsLocked } from "../ui/posting_traits";
import { Preflight, useTrial } from "../ui/preflight";
import { ScheduleFields, scheduleWords, useSchedule } from "../ui/scheduling";
import { Segments } from "../ui/select";

interface Traits extends PostingTraits {
  product: string;
  alt_text: string;
  thumb: DataView;
}

const PRODUCTS = [
  { value: "IMAGE", label: "Feed image" },
  { value: "STORIES", label: "Story" },
];

export function PublishForm() {
  const panel = usePanel<Traits>();
  const isLocked = useIsLocked();
  const altText = useLimitedDraft<HTMLInputElement>("alt_text");
  const schedule = useSchedule();
  const trial = useTrial();
  const thumb = useObjectUrl(panel.get("thumb"), "image/jpeg");
  const product = panel.get("product");
  const isStory = product === "STORIES";
  const { product: posted, alt_text: said = "", scheduled_at: at } = panel.get("summary");
  const reason = trial.value
    ? "Apply or discard the preview first."
    : !isStory && !altText.fits
      ? "The alt text is too long."
      : schedule.reason;
  return (
    <PostingForm
      head={
        <div class="wonda-gallery-bar">
          {/* Opened from a gallery, the form does not stand below its image. */}
          {panel.get("can_close") && <img class="wonda-posted-image" src={thumb} alt="" />}
          <h3>Publish to Instagram</h3>
          <span class="wonda-gap" />
          <CloseButton />
        </div>
      }
      beside={
        <>
          <Field label="Post as">
            {(control) => (
              <Segments
                {...control}
                options={PRODUCTS}
                value={product}
                disabled={isLocked}
                onChange={(value) => panel.set({ product: value })}
              />
            )}
          </Field>
          <ScheduleFields schedule={schedule} />
        </>
      }
      rows={
        <>
          {/* Instagram accepts no alt text for stories. */}
          <LimitedField label="Alt text" draft={altText} hidden={isStory}>
            {(control) => (
              <input {...control} type="text" class="wonda-input" disabled={isLocked} />
            )}
          </LimitedField>
          <Preflight trial={trial} />
        </>
      }
      image={<img class="wonda-summary-image" src={thumb || undefined} hidden={!thumb} alt="" />}
      reason={reason}
      content={() => ({
        product: panel.peek("product"),
        alt_text: altText.text.peek(),
        scheduled_at: schedule.value(),
      })}
      save={altText.save}
      words={{
        publish: schedule.isLater ? "Schedule" : "Publish",
        act: schedule.isLater ? "scheduling" : "posting",
        confirm: at ? "Schedule post" : "Publish now",
        what: "This image",
        when: scheduleWords(at),
        facts: [
          PRODUCTS.find(({ value }) => value === posted)?.label.toLowerCase() ?? "",
          ...(posted === "STORIES" ? [] : [said.trim() ? "with alt text" : "no alt text"]),
        ],
        repeated: "This image was already posted.",
      }}
    />
  );
}
