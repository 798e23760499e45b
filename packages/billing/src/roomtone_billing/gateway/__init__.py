"""What billing needs of Stripe, as a protocol of one part per topic; `roomtone_billing.stripe` has the one that speaks to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .changes import ChangesGateway, PreviewedInvoice, PreviewLine, Wanted
from .checkouts import CheckoutPage, CheckoutsGateway
from .closings import ClosingsGateway
from .connect import ClientOffer, ConnectGateway
from .credit_notes import CreditNotesGateway, CreditReason, CreditTo, MadeCreditNote, WantedCredit
from .customers import CustomerOwner, CustomersGateway
from .details import DetailsGateway, KnownTaxId
from .discounts import DiscountsGateway, PromotionCode
from .disputes import DisputesGateway
from .lists import ListsGateway
from .meters import MetersGateway
from .packs import PackOffer, PacksGateway
from .portal import PortalGateway
from .prices import PricesGateway, PublishedPrice, PublishedProduct
from .refunds import MadeRefund, RefundReason, RefundsGateway
from .subscriptions import CancelReason, SubscriptionsGateway

__all__ = [
    "CancelReason",
    "CheckoutPage",
    "ClientOffer",
    "CreditReason",
    "CreditTo",
    "CustomerOwner",
    "Gateway",
    "KnownTaxId",
    "MadeCreditNote",
    "MadeRefund",
    "PackOffer",
    "PreviewLine",
    "PreviewedInvoice",
    "PromotionCode",
    "PublishedPrice",
    "PublishedProduct",
    "RefundReason",
    "Wanted",
    "WantedCredit",
]


class Gateway(
    ChangesGateway,
    CheckoutsGateway,
    ClosingsGateway,
    ConnectGateway,
    CreditNotesGateway,
    CustomersGateway,
    DetailsGateway,
    ListsGateway,
    DiscountsGateway,
    DisputesGateway,
    MetersGateway,
    PacksGateway,
    PortalGateway,
    PricesGateway,
    RefundsGateway,
    SubscriptionsGateway,
    Protocol,
):
    """The outside world. Every method raises `GatewayUnavailable` (passing) or `GatewayRefused` (lasting).

    Writes take a `key`: the same key makes the same object once, however often it is sent within a day.
    """

    @property
    def webhook_secrets(self) -> Sequence[str]:
        """The signing secrets accepted now: more than one while rotating."""

    @property
    def livemode(self) -> bool:
        """Whether money is real; events of the other mode are put aside."""
