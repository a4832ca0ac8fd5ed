// A rating of one to five stars.

import { useUid } from "../runtime/context";
import { classes } from "../runtime/dom";

const VALUES = [0, 1, 2, 3, 4, 5];

/** A radio group; `onRate` is called when a rating is selected. */
export function Stars({
  rating,
  hidden,
  onRate,
}: {
  rating: number;
  hidden?: boolean;
  onRate: (rating: number) => void;
}) {
  const name = useUid("stars");
  return (
    <fieldset class="wonda-stars" hidden={hidden}>
      <legend>Rating</legend>
      {VALUES.map((value) => (
        <label
          key={value}
          title={value ? undefined : "Remove the rating"}
          class={classes(
            value === 0 && "wonda-no-stars",
            value > 0 && value <= rating && "wonda-on",
          )}
        >
          <input
            type="radio"
            name={name}
            value={value}
            checked={value === rating}
            onChange={() => onRate(value)}
          />
          <span class="wonda-unseen">
            {value ? `${value} star${value > 1 ? "s" : ""}` : "No stars"}
          </span>
          <i aria-hidden="true">{value ? "★" : "✕"}</i>
        </label>
      ))}
    </fieldset>
  );
}
