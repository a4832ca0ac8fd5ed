// When a post is published: now, or at a local time in a zone that is shown.

const MIN_MINUTES_AHEAD = 5;
const MAX_DAYS_AHEAD = 29;
const two = (number) => String(number).padStart(2, "0");

/** Format a local time for a `datetime-local` input: "2026-12-01T18:00". */
const written = (date) =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}` +
  `T${two(date.getHours())}:${two(date.getMinutes())}`;

/** The moments for a local time: none if daylight saving time skips it, two if it occurs twice. */
function momentsOf(text) {
  const first = new Date(text);
  if (Number.isNaN(first.getTime())) return [];
  const wanted = text.slice(0, 16);
  return [-120, -90, -60, -30, 0, 30, 60, 90, 120]
    .map((minutes) => new Date(first.getTime() + minutes * 60_000))
    .filter((date) => written(date) === wanted);
}

/** The offset of the local zone from UTC at a time: "+02:00". */
function offset(date) {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function scheduling(model, panel, changed) {
  const { on } = panel;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const choices = [
    { value: "now", label: "Now" },
    { value: "later", label: "Later" },
  ];
  const choice = segments(choices, "now", () => choose());
  const time = h("input", { type: "datetime-local", class: "wonda-input", oninput: () => renew() });
  const timeField = field("Date and time", time, { help: " " });
  const help = timeField.node.querySelector(".wonda-help");
  const list = h(
    "button",
    { type: "button", class: "wonda-link", onclick: () => tell(model, { type: "scheduled" }) },
    "Scheduled posts",
  );
  const choiceField = field("When", choice, { aside: list });
  const later = () => choice.value === "later";
  // In the hour that occurs twice when daylight saving time ends, the user must choose one.
  let turn = -1;
  const turns = [
    { value: "0", label: "First" },
    { value: "1", label: "Second" },
  ];
  const turnChoice = segments(turns, "", () => {
    turn = Number(turnChoice.value);
    save();
  });
  const turnField = field("Which occurrence", turnChoice, { help: " " });
  const turnHelp = turnField.node.querySelector(".wonda-help");
  const found = () => (time.value ? momentsOf(time.value) : []);
  function chosen() {
    const some = found();
    return some.length > 1 ? (some[turn] ?? null) : (some[0] ?? null);
  }
  const value = () => {
    const date = later() && chosen();
    return date ? `${written(date)}:00${offset(date)}` : "";
  };
  const ahead = (minutes) => new Date(Date.now() + minutes * 60_000);
  function choose() {
    if (later() && !time.value) {
      const hour = ahead(120); // the next full hour that is more than one away
      hour.setMinutes(0);
      time.value = written(hour);
    }
    save();
    if (later()) time.focus();
  }
  function renew() {
    turn = -1;
    turnChoice.value = "";
    turnChoice.wondaPaint();
    save();
  }
  function save() {
    put(model, { scheduled_at: value() });
    paint();
  }
  /** Why the time cannot be used; "" if it can. */
  function reason() {
    if (!later()) return "";
    if (!time.value) return "Choose a date and time.";
    const some = found();
    const clock = time.value.slice(11, 16);
    if (!some.length) return `${clock} doesn’t exist on that day: it is skipped when daylight saving time starts.`;
    const date = chosen();
    if (!date) return `${clock} occurs twice on that day: choose the first or the second.`;
    if (date < new Date()) return "This time is in the past.";
    if (date < ahead(MIN_MINUTES_AHEAD)) return `Choose a time at least ${MIN_MINUTES_AHEAD} minutes ahead.`;
    if (date > ahead(MAX_DAYS_AHEAD * 24 * 60)) return `Choose a time at most ${MAX_DAYS_AHEAD} days from now.`;
    return "";
  }
  function paint() {
    timeField.node.hidden = !later();
    time.min = written(ahead(MIN_MINUTES_AHEAD + 1));
    time.max = written(ahead(MAX_DAYS_AHEAD * 24 * 60));
    const some = found();
    help.textContent = `${zone} (UTC${offset(chosen() ?? some[0] ?? new Date())})`;
    turnField.node.hidden = !later() || some.length < 2;
    if (some.length > 1)
      turnHelp.textContent = some
        .map((date, index) => `${turns[index].label}: UTC${offset(date)}`)
        .join(" · ");
    timeField.say(reason());
    changed();
  }
  on("scheduled_at", () => {
    const at = model.get("scheduled_at");
    if (at !== value()) {
      choice.value = at ? "later" : "now";
      choice.wondaPaint();
      const date = at ? new Date(at) : null;
      if (date && !Number.isNaN(date.getTime())) {
        time.value = written(date);
        turn = found().findIndex((each) => each.getTime() === date.getTime());
        turnChoice.value = String(turn);
        turnChoice.wondaPaint();
      }
    }
    paint();
  });
  on("lists_scheduled permissions", () => {
    list.hidden = !model.get("lists_scheduled") || !isAllowed(model, "schedule");
  });
  return {
    nodes: [choiceField.node, timeField.node, turnField.node],
    fields: [choice, time, turnChoice],
    value,
    reason,
    later,
    /** The time for the summary: " on Tue, 1 Dec, 18:00 (Europe/Berlin)". */
    said: (at) =>
      at ? ` on ${moment(new Date(at).getTime() / 1000, { weekday: "short", day: "numeric", month: "short" })} (${zone})` : "",
  };
}
