"""Words of a visit: how what is known of a cable reads in attributes and events."""

from .v2g import Agreement


def comparison(agreement: Agreement | None) -> dict[str, int | None]:
    """Return the numbers of a comparison, as attributes and events have them."""
    if agreement is None:
        return {}
    return {
        "meter_wh": agreement.meter_wh,
        "expected_wh": agreement.expected_wh,
        "difference_wh": agreement.difference_wh,
        "tolerance_wh": agreement.tolerance_wh,
    }


def cause_key(cause: str) -> str:
    """Return a cause as Home Assistant's keys are written."""
    return cause.replace("-", "_")
