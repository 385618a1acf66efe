"""What `doctor` looks at about load: Redis keeps counts in memory and writes none of them."""

from typing import Any

import redis
from django.core.checks import CheckMessage, Warning, register  # noqa: A004

from removal.intake.counters import broker_redis


@register("unlist", deploy=True)
def counts_check(**_: Any) -> list[CheckMessage]:
    """Say so where Redis saves to disk; whether it can be reached is asked elsewhere."""
    client = broker_redis()
    if client is None:
        return []
    try:
        saves = [
            name
            for name, off in (("save", ""), ("appendonly", "no"))
            if client.config_get(name).get(name, off) != off
        ]
    except redis.RedisError:
        return []  # away, or a server that tells nobody its configuration
    finally:
        client.close()
    if not saves:
        return []
    return [
        Warning(
            f"Redis writes to disk what it holds ({', '.join(saves)}), and with it how much each "
            "network sent in the last minutes, under the HMAC of the day.",
            hint='Start it with --save "" --appendonly no: nothing in it needs to be kept.',
            id="removal.W020",
        )
    ]
