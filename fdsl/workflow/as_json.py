"""One way to write what a job gets on its command line."""

import json
from typing import Any


def as_json(**values: Any) -> str:
    """Return values as JSON, in an order that does not depend on how they came."""
    return json.dumps(values, sort_keys=True)
