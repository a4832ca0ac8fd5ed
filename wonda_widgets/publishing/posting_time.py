"""When a post is to be made: a moment, never a reading of a clock in an unknown zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from ..errors import InvalidInputError

SOONEST = timedelta(minutes=5)
LATEST = timedelta(days=29)
RANGE = "Choose a time from 5 minutes to 29 days ahead."
EXAMPLE = (
    'Pass datetime(2026, 12, 1, 18, 0, tzinfo=ZoneInfo("Europe/Berlin")), '
    "or a text such as 2026-12-01T18:00+01:00."
)


def parse(when: datetime | str | None, now: datetime) -> str | None:
    """Give a wanted time as the API takes it, with its offset from UTC; None for at once.

    Parameters
    ----------
    when : datetime or str, optional
        With a zone: this computer may be in another one than the person.
    now : datetime
        With a zone.

    Raises
    ------
    InvalidInputError
        If it is no time, has no zone, does not exist or occurs twice in its zone because the
        clocks change, or is not 5 minutes to 29 days ahead.
    """
    if when is None:
        return None
    moment = _moment(_read(when))
    ahead = moment - now
    if ahead < SOONEST:
        past = "in the past" if ahead <= timedelta(0) else "less than 5 minutes ahead"
        raise _refused(f"{_said(moment)} is {past}.", RANGE)
    if ahead > LATEST:
        raise _refused(f"{_said(moment)} is more than 29 days ahead.", RANGE)
    if moment.utcoffset() % timedelta(minutes=1):  # type: ignore[operator]  # it has one
        moment = moment.astimezone(UTC)  # the API's form of an offset has no seconds
    return moment.isoformat(timespec="seconds")


def _read(when: object) -> datetime:
    """A datetime of what was passed."""
    is_day = isinstance(when, date) and not isinstance(when, datetime)
    if isinstance(when, str):
        try:
            parsed = datetime.fromisoformat(when.strip())
        except ValueError:
            raise _refused(f"{when!r} is not a time.", EXAMPLE) from None
        is_day = _is_day(when.strip())
        if not is_day:
            return parsed
    if is_day:
        raise _refused(f"{when} is a day without a time.", EXAMPLE)
    # pandas calls a missing time a datetime too; it is not even equal to itself.
    if not isinstance(when, datetime) or when != when:  # noqa: PLR0124
        raise _refused(f"{when!r} is not a time.", EXAMPLE)
    return when


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _moment(given: datetime) -> datetime:
    """The same as a plain datetime with a fixed offset from UTC."""
    offset = given.utcoffset()
    if offset is None:
        raise _refused(
            f"{_wall(given):%Y-%m-%d %H:%M} has no time zone, and this computer may be in "
            "another one than you.",
            EXAMPLE,
        )
    wall = _wall(given)
    zone = str(given.tzinfo)
    try:
        there = _wall(given.astimezone(UTC).astimezone(given.tzinfo))
    except ValueError:  # a zone that does not say whether it is summer time: its clocks are fixed
        there = wall
    except OverflowError:
        raise _refused(f"{given} is not a time that can be posted at.", RANGE) from None
    if there != wall:
        raise _refused(
            f"{wall:%d %b %Y, %H:%M} does not exist in {zone}: the clocks skip it.",
            # pytz's zones pass here too when they are given as tzinfo, which they cannot be.
            "Choose another time. With pytz, write zone.localize(datetime(…))."
            if hasattr(given.tzinfo, "localize")
            else f"Choose another time; {there:%H:%M} exists.",
        )
    later = given.replace(fold=1).utcoffset()
    if given.fold == 0 and later is not None and later != offset:
        both = [f"{wall.replace(tzinfo=timezone(each)).isoformat()}" for each in (offset, later)]
        raise _refused(
            f"{wall:%d %b %Y, %H:%M} occurs twice in {zone}: the clocks go back.",
            f"Pass the one that you mean: {both[0]} or {both[1]}.",
        )
    return wall.replace(tzinfo=timezone(offset))


def _wall(moment: datetime) -> datetime:
    """What a clock on the wall shows then, to the second; of subclasses, too."""
    return datetime(  # noqa: DTZ001 - its zone is what is looked at
        *(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    )


def _said(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M} ({moment.tzname()})"


def _refused(message: str, hint: str) -> InvalidInputError:
    return InvalidInputError("scheduled_at", message, hint)
