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
    part = (params.get("transfer_data") or {}).get("amount")
    if part is not None and (fee is not None or not 0 < part <= params["amount"]):
        raise InvalidRequest("What is passed on is at most the amount, and not named beside a fee.", param="transfer_data[amount]")
    if fee is not None and not 0 < fee <= params["amount"]:
        raise InvalidRequest("The application fee must be positive and at most the amount.", param="application_fee_amount")


def follow_charge(world: World, charge: Object) -> None:
    """Pass on a destination charge, and take the platform's fee from the account that has the money then.

    Source: https://docs.stripe.com/connect/destination-charges: all of the charge is transferred, and then the fee comes back.
    """
    fee, passed_on = charge["application_fee_amount"], charge["transfer_data"]
    if passed_on:
        amount = passed_on.get("amount")
        fees.transfer(world, charge, passed_on["destination"], charge["amount_captured"] if amount is None else amount)
    owner = passed_on["destination"] if passed_on else world.store.account
    if owner is not None and fee:
        fees.collect(world, charge, min(fee, charge["amount_captured"]), account=owner)


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
    return int(whole * charge["amount_refunded"] // charge["amount_captured"]) - back
