"""What Connect adds to payments: the fee or transfer that goes with a charge, and what a refund takes back of it."""

from __future__ import annotations

from ..errors import InvalidRequest
from ..objects import Object
from ..resources import accounts, charges, fees
from ..world import World


def refuse_unready(world: World, params: Object) -> None:
    """Raise unless the accounts that a payment names can take part in it, and its fee is less than the payment."""
    own, destination = world.store.account, params.get("transfer_data", {}).get("destination")
    for account_id in filter(None, (own, destination)):
        account = world.store.get(accounts.KIND, account_id, param="transfer_data[destination]")
        if not account["charges_enabled"]:
            raise InvalidRequest(
                "Your account cannot currently make charges: its onboarding is not finished, or it is restricted.",
                code="account_invalid" if account_id == own else "insufficient_capabilities_for_transfer",
            )
    fee = params.get("application_fee_amount")
    if fee is not None and not (own or destination):
        raise InvalidRequest(
            "Can only apply an application_fee_amount when the charge is for a connected account.", param="application_fee_amount"
        )
    if fee is not None and not 0 < fee <= params["amount"]:
        raise InvalidRequest("The application fee must be positive and at most the amount.", param="application_fee_amount")


def follow_charge(world: World, charge: Object) -> None:
    """Collect the fee of a direct charge, or transfer a destination charge less its fee."""
    fee = charge["application_fee_amount"]
    if world.store.account is not None and fee:
        fees.collect(world, charge, fee)
    elif charge["transfer_data"]:
        fees.transfer(world, charge, charge["transfer_data"]["destination"], charge["amount"] - (fee or 0))


def follow_refund(world: World, refund: Object, *, returns_fee: bool, reverses: bool) -> None:
    """Give back the fee's share, or take back the transfer's share, of what was refunded."""
    charge = world.store.get(charges.KIND, refund["charge"])
    if returns_fee and charge["application_fee"]:
        with world.store.seen_as(None):
            fee = world.store.get(fees.FEE, charge["application_fee"])
        fees.give_back(world, fee["id"], _share(fee["amount"], fee["amount_refunded"], charge))
    if reverses:
        if not charge.get("transfer"):
            raise InvalidRequest("The charge has no transfer that could be reversed.", param="reverse_transfer")
        transfer = world.store.get(fees.TRANSFER, charge["transfer"])
        fees.reverse(world, transfer["id"], _share(transfer["amount"], transfer["amount_reversed"], charge))


def _share(whole: int, back: int, charge: Object) -> int:
    """Return what is due back so that the parts of all refunds together are the refunded share, rounded down."""
    return int(whole * charge["amount_refunded"] // charge["amount"]) - back
