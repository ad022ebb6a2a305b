"""Whatever is sent where money is asked for: it is refused by name, never a mistake of ours, and moves nothing."""

from typing import Any

from hypothesis import given, strategies as st
import pytest

from .conftest import COMMUNITY, Cloud
from .payment_ground import Till
from .people import ANNA, OPERATOR
from .test_fuzz import BOUNDED, broken

# junk is refused before it reaches a database, so one kind of it is enough
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)

OWN = f"/v1/communities/{COMMUNITY}/owners/anna"
ALL = f"/v1/communities/{COMMUNITY}"
RULE = {"enabled": True, "minimum_points": 1, "points_per_unit": 1, "fee_points": 0, "fee_percent": "2.5"}
WAYS: dict[str, Any] = {
    f"POST {OWN}/purchases": {"provider": "stripe", "points": 5},
    f"POST {OWN}/vouchers": {"code": "0000-0000-0000-0000"},
    f"POST {OWN}/redemptions": {"points": 5, "key": "k"},
    f"POST {OWN}/points-transfers": {"to_owner": "ben", "points": 5, "key": "k"},
    f"PUT {ALL}/redemption-rule": RULE,
    f"POST {ALL}/vouchers": {"points": 5, "count": 2, "expires_at": "2027-01-01T00:00:00Z"},
    f"POST {ALL}/redemptions/n/paid": {"note": "n"},
    "POST /v1/payments/stripe/webhook": {"id": "e", "type": "t", "data": {"object": {}}},
}


@pytest.fixture
async def till(cloud: Cloud) -> Till:
    """Found a community where nobody has anything, so that nothing well meant can move."""
    till = Till(cloud)
    await till.open()
    return till


@BOUNDED
@given(data=st.data(), way=st.sampled_from(sorted(WAYS)))
async def test_no_body_breaks_a_payment(till: Till, data: st.DataObject, way: str) -> None:
    """A good message with anything at one place, or with some bytes of it lost."""
    method, path = way.split()
    caller = ANNA if path.startswith(OWN) else OPERATOR
    raw = data.draw(broken(WAYS[way]))
    till.cloud.clock.forward(86_400)  # else wrong codes would be refused before they are looked at
    reply = await till.cloud.call(method, path, token=caller.token(till.cloud), data=raw)
    assert reply.status < 500
    if path.endswith(("points-transfers", "redemptions")):
        assert reply.status >= 400
    assert await till.sound() == 0
