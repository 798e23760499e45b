"""A one-page PDF of an invoice, made by hand: text in Helvetica on A4, nothing else.

Source: ISO 32000-1, 7.5 (file structure) and Annex D (WinAnsiEncoding)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..money import format_amount
from ..objects import Object
from ..world import moment

LEFT, RIGHT, TOP, STEP = 60, 535, 780, 18
LINES_MAX = 30
# Widths of Helvetica's characters in thousandths, as far as amounts need them; the rest counts as a digit.
WIDTHS = {".": 278, ",": 278, " ": 278, "-": 333}


def render(invoice: Object, *, business: str) -> bytes:
    """Return the PDF of a finalised invoice; lines past the thirtieth are summed up in one."""
    currency = invoice["currency"]
    rows = [(line["description"] or "", format_amount(line["amount"], currency)) for line in invoice["lines"]["data"]]
    if len(rows) > LINES_MAX:
        rest = sum(line["amount"] for line in invoice["lines"]["data"][LINES_MAX - 1 :])
        rows = [*rows[: LINES_MAX - 1], (f"{len(rows) - LINES_MAX + 1} more lines", format_amount(rest, currency))]
    head = [
        (business, 20, True),
        ("This is not Stripe: an offline sandbox, no money moved.", 9, False),
        ("", 9, False),
        (f"Invoice {invoice['number'] or 'draft'}", 15, True),
        (f"Date: {moment(invoice['created']).strftime('%d %b %Y')}    Status: {invoice['status']}", 10, False),
        (f"To: {invoice['customer_name'] or ''} {invoice['customer_email'] or ''}".rstrip(), 10, False),
    ]
    totals = [("Total", invoice["total"]), ("Paid", invoice["amount_paid"]), ("Still due", invoice["amount_remaining"])]
    used = invoice["amount_due"] - invoice["total"]
    if used:
        totals.insert(1, ("Balance used" if used < 0 else "Balance from before or kept as credit", used))
    content = _content(head, rows, [(label, format_amount(amount, currency)) for label, amount in totals])
    return assemble(content)


def assemble(content: bytes) -> bytes:
    """Return a whole PDF file around one page's content stream."""
    fonts = b"/F1 5 0 R /F2 6 0 R"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << " + fonts + b" >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>",
    ]
    file = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(file)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    file += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    return file + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def _content(head: Sequence[tuple[str, int, bool]], rows: Sequence[tuple[str, str]], totals: Sequence[tuple[str, str]]) -> bytes:
    parts = []
    y = TOP
    for text, size, is_bold in head:
        parts.append(_text(text, LEFT, y, size, is_bold=is_bold))
        y -= STEP + size // 4
    y -= STEP
    for label, amount in rows:
        parts += [_text(label[:80], LEFT, y, 10), _text(amount, RIGHT - _width(amount, 10), y, 10)]
        y -= STEP
    parts.append(b"%d %d m %d %d l S" % (LEFT, y + 8, RIGHT, y + 8))
    y -= STEP // 2
    for label, amount in totals:
        parts += [_text(label, LEFT, y, 11, is_bold=True), _text(amount, RIGHT - _width(amount, 11), y, 11, is_bold=True)]
        y -= STEP
    return b"\n".join(parts)


def _text(text: str, x: float, y: float, size: int, *, is_bold: bool = False) -> bytes:
    plain = text.replace("−", "-").encode("cp1252", "replace")
    escaped = plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
    return b"BT /%s %d Tf %.1f %.1f Td (%s) Tj ET" % (b"F2" if is_bold else b"F1", size, x, y, escaped)


def _width(text: str, size: int) -> float:
    return sum(WIDTHS.get(character, 556) for character in text) * size / 1000
