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
  is_video: boolean;
  share_to_feed: boolean;
  thumb: DataView;
}

const STORY = { value: "STORIES", label: "Story" };
const IMAGE_PRODUCTS = [{ value: "IMAGE", label: "Feed image" }, STORY];
const VIDEO_PRODUCTS = [{ value: "REELS", label: "Reel" }, STORY];

export function PublishForm() {
  const panel = usePanel<Traits>();
  const isLocked = useIsLocked();
  const altText = useLimitedDraft<HTMLInputElement>("alt_text");
  const schedule = useSchedule();
  const trial = useTrial();
  const thumb = useObjectUrl(panel.get("thumb"), "image/jpeg");
  const product = panel.get("product");
  const isVideo = panel.get("is_video");
  const products = isVideo ? VIDEO_PRODUCTS : IMAGE_PRODUCTS;
  const hasAltText = product === "IMAGE";
  const {
    product: posted,
    alt_text: said = "",
    share_to_feed: isShared,
    scheduled_at: at,
  } = panel.get("summary");
  const reason = trial.value
    ? "Apply or discard the preview first."
    : hasAltText && !altText.fits
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
                options={products}
                value={product}
                disabled={isLocked}
                onChange={(value) => panel.set({ product: value })}
              />
            )}
          </Field>
          {product === "REELS" && (
            <label class="wonda-check">
              <input
                type="checkbox"
                checked={panel.get("share_to_feed")}
                disabled={isLocked}
                onChange={(event) => panel.set({ share_to_feed: event.currentTarget.checked })}
              />
              <span>Also show in feed</span>
            </label>
          )}
          <ScheduleFields schedule={schedule} />
        </>
      }
      rows={
        <>
          {/* Instagram accepts no alt text for stories and reels. */}
          <LimitedField label="Alt text" draft={altText} hidden={!hasAltText}>
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
        share_to_feed: panel.peek("share_to_feed"),
        scheduled_at: schedule.value(),
      })}
      save={altText.save}
      words={{
        publish: schedule.isLater ? "Schedule" : "Publish",
        act: schedule.isLater ? "scheduling" : "posting",
        confirm: at ? "Schedule post" : "Publish now",
        what: isVideo ? "This video" : "This image",
        when: scheduleWords(at),
        facts: [
          products.find(({ value }) => value === posted)?.label.toLowerCase() ?? "",
          ...(posted === "IMAGE" ? [said.trim() ? "with alt text" : "no alt text"] : []),
          ...(posted === "REELS" && isShared ? ["also in the feed"] : []),
        ],
        repeated: `This ${isVideo ? "video" : "image"} was already posted.`,
      }}
    />
  );
}
