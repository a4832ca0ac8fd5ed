"""Check the time of a scheduled post and convert it to the API's format.

A time needs a zone, because this computer may be in a different one from the user's.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from ..errors import InvalidInputError

MIN_LEAD = timedelta(minutes=5)
MAX_LEAD = timedelta(days=29)
RANGE_HINT = "Choose a time from 5 minutes to 29 days from now."
EXAMPLE_HINT = (
    'Pass datetime(2026, 12, 1, 18, 0, tzinfo=ZoneInfo("Europe/Berlin")), '
    "or a string such as 2026-12-01T18:00+01:00."
)


def parse(when: datetime | str | None, now: datetime) -> str | None:
    """Convert a time to the API's format, with its offset from UTC; None means immediately.

    Parameters
    ----------
    when : datetime or str, optional
        With a zone.
    now : datetime
        With a zone.

    Raises
    ------
    InvalidInputError
        If `when` is not a time, has no zone, does not exist or occurs twice in its zone because
        daylight saving time starts or ends, or is not 5 minutes to 29 days from now.
    """
    if when is None:
        return None
    moment = _with_fixed_offset(_to_datetime(when))
    lead = moment - now
    if lead < MIN_LEAD:
        problem = "in the past" if lead <= timedelta(0) else "less than 5 minutes ahead"
        raise _error(f"{_format(moment)} is {problem}.", RANGE_HINT)
    if lead > MAX_LEAD:
        raise _error(f"{_format(moment)} is more than 29 days from now.", RANGE_HINT)
    if moment.utcoffset() % timedelta(minutes=1):  # type: ignore[operator]  # it has an offset
        moment = moment.astimezone(UTC)  # offsets in the API's format have no seconds
    return moment.isoformat(timespec="seconds")


def _to_datetime(when: object) -> datetime:
    is_day = isinstance(when, date) and not isinstance(when, datetime)
    if isinstance(when, str):
        try:
            parsed = datetime.fromisoformat(when.strip())
        except ValueError:
            raise _error(f"{when!r} is not a time.", EXAMPLE_HINT) from None
        is_day = _is_day(when.strip())
        if not is_day:
            return parsed
    if is_day:
        raise _error(f"{when} is a date without a time.", EXAMPLE_HINT)
    # pandas.NaT is a datetime, but not equal to itself.
    if not isinstance(when, datetime) or when != when:  # noqa: PLR0124
        raise _error(f"{when!r} is not a time.", EXAMPLE_HINT)
    return when


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _with_fixed_offset(moment: datetime) -> datetime:
    """Convert a datetime of any class and zone into a plain one with a fixed offset from UTC."""
    offset = moment.utcoffset()
    if offset is None:
        raise _error(
            f"{_wall_time(moment):%Y-%m-%d %H:%M} has no time zone, and this computer may be in a "
            f"different one from yours.",
            EXAMPLE_HINT,
        )
    wall_time = _wall_time(moment)
    zone = str(moment.tzinfo)
    try:
        existing = _wall_time(moment.astimezone(UTC).astimezone(moment.tzinfo))
    except ValueError:  # the zone has no rules for summer time, so its offset is fixed
        existing = wall_time
    except OverflowError:
        raise _error(f"{moment} is too far from now.", RANGE_HINT) from None
    if existing != wall_time:
        raise _error(
            f"{wall_time:%d %b %Y, %H:%M} does not exist in {zone}: it is skipped when daylight "
            "saving time starts.",
            # A pytz zone passed as tzinfo has an offset that never existed.
            "Choose another time. With pytz, write zone.localize(datetime(…))."
            if hasattr(moment.tzinfo, "localize")
            else f"Choose another time; {existing:%H:%M} exists.",
        )
    second_offset = moment.replace(fold=1).utcoffset()
    if moment.fold == 0 and second_offset is not None and second_offset != offset:
        first, second = (
            wall_time.replace(tzinfo=timezone(each)).isoformat() for each in (offset, second_offset)
        )
        raise _error(
            f"{wall_time:%d %b %Y, %H:%M} occurs twice in {zone}, when daylight saving time ends.",
            f"Pass one of the two: {first} or {second}.",
        )
    return wall_time.replace(tzinfo=timezone(offset))


def _wall_time(moment: datetime) -> datetime:
    """Return date and time without a zone, to the second, as a plain datetime."""
    return datetime(  # noqa: DTZ001 - without a zone on purpose
        *(moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    )


def _format(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M} ({moment.tzname()})"


def _error(message: str, hint: str) -> InvalidInputError:
    return InvalidInputError("scheduled_at", message, hint)
