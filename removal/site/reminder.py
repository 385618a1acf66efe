"""A reminder for the person's calendar that says nothing telling (RFC 5545).

Neither product nor site nor code is named in it: who looks into the calendar, or at the company
that keeps it, sees a day and a few words that could be about anything.
"""

import datetime as dt
import uuid

from django.utils.translation import gettext as _
from icalendar import Alarm, Calendar, Event

from removal.models import today

_AHEAD = dt.timedelta(days=100)


class DayUnlikely(ValueError):
    """No request of ours is due on such a day."""


def day_read(text: str) -> dt.date:
    """Read the day that a form sent back.

    Raises:
        DayUnlikely: it is none, or no answer can be due then.
    """
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise DayUnlikely(text) from None
    if not today() <= day <= today() + _AHEAD:
        raise DayUnlikely(text)
    return day


def reminder(day: dt.date) -> bytes:
    """Return a calendar file with one whole-day entry and an alarm on its morning."""
    event = Event()
    event.add("uid", uuid.uuid4().hex)
    event.add("dtstamp", dt.datetime.combine(today(), dt.time(), dt.UTC))
    event.add("dtstart", day)
    event.add("summary", _("Look up the answer"))
    event.add("class", "PRIVATE")
    event.add("transp", "TRANSPARENT")  # it keeps nobody from being invited that day
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", _("Look up the answer"))
    alarm.add("trigger", dt.timedelta(hours=9))
    event.add_component(alarm)
    calendar = Calendar()
    calendar.add("prodid", "-//Calendar//EN")
    calendar.add("version", "2.0")
    calendar.add_component(event)
    return bytes(calendar.to_ical())
