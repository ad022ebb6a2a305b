"""The words of a statement's page, in the languages people read it in; how numbers and times are written."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal
from zoneinfo import ZoneInfo

from .sheet import Kind, Terms

type Language = Literal["en", "ja"]

MICRO = 1_000_000

WORDS: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "title": "Statement",
        "period": "Period",
        "opening": "Balance before",
        "closing": "Balance after",
        "energy": "Energy",
        "used": "Used",
        "supplied": "Supplied",
        "signs": "Community, neighbour link and grid: taken positive, given negative.",
        "local": "Community",
        "grid": "Grid",
        "direct": "Neighbour link",
        "points": "Points",
        "local_share": "From the neighbourhood",
        "when": "When",
        "what": "What",
        "about": "About",
        "movements": "Everything else that moved points",
        "hand_overs": "Taps that changed hands",
        "came": "came to you",
        "went": "went to somebody else",
        "total": "Total",
        "estimated": "e: when exactly is estimated",
        "missing": "m: not measured (yet)",
        "waiting": "{count} intervals of this period are not settled yet; the statement may still grow by them.",
        "made": "Made on {time}",
        "spreadsheet": "Table for a spreadsheet (CSV)",
        "print": "This page is made to be printed.",
        "picture": "Energy over time: above the line used, below it supplied",
        "nothing": "Nothing was settled in this period.",
        "unit_points": "points",
        "correction": "Correction",
        "purchase": "Points bought",
        "voucher": "Voucher",
        "redemption": "Points cashed in",
        "transfer": "Points passed on",
        "reward": "Reward",
        "v2g-reward": "Reward for your V2G cable",
        "v2g-host": "Correction for a visiting car's energy",
        "fee": "Fee",
        "other": "Other",
    },
    "ja": {
        "title": "明細書",
        "period": "期間",
        "opening": "期首残高",
        "closing": "期末残高",
        "energy": "電力量",
        "used": "使用",
        "supplied": "供給",
        "signs": "コミュニティ・隣家直結・系統: 受け取った分は正、渡した分は負。",
        "local": "コミュニティ",
        "grid": "系統",
        "direct": "隣家直結",
        "points": "ポイント",
        "local_share": "近隣からの割合",
        "when": "日時",
        "what": "内容",
        "about": "備考",
        "movements": "その他のポイントの動き",
        "hand_overs": "所有者が変わったタップ",
        "came": "あなたの所有になりました",
        "went": "他の人の所有になりました",
        "total": "合計",
        "estimated": "e: 時刻の一部は推定です",
        "missing": "m: 計測がありません",
        "waiting": "この期間のうち{count}区間はまだ精算されていません。明細は増えることがあります。",
        "made": "{time} 作成",
        "spreadsheet": "表計算用の表(CSV)",
        "print": "このページは印刷に適しています。",
        "picture": "時間ごとの電力量: 線より上は使用、下は供給",
        "nothing": "この期間に精算されたものはありません。",
        "unit_points": "ポイント",
        "correction": "訂正",
        "purchase": "ポイント購入",
        "voucher": "バウチャー",
        "redemption": "ポイント換金",
        "transfer": "ポイント譲渡",
        "reward": "報酬",
        "v2g-reward": "V2Gケーブルの報酬",
        "v2g-host": "来訪車両の電力量の補正",
        "fee": "手数料",
        "other": "その他",
    },
}

KINDS: Final[tuple[Kind, ...]] = (
    "correction",
    "purchase",
    "voucher",
    "redemption",
    "transfer",
    "reward",
    "v2g-reward",
    "v2g-host",
    "fee",
    "other",
)


def kwh(wh: int) -> str:
    """Write whole Wh as kWh with three decimals: nothing is rounded away."""
    return f"{Decimal(wh) / 1000:,.3f}"


def points(micro: int) -> str:
    """Write micro-points as points, two decimals for the eye; a spreadsheet gets them all."""
    return f"{Decimal(micro) / MICRO:,.2f}"


def exact_points(micro: int) -> str:
    """Write micro-points as points with every decimal."""
    return f"{Decimal(micro) / MICRO:.6f}"


def money(micro: int, terms: Terms) -> str | None:
    """Write micro-points in the community's currency; None where points are worth none."""
    if terms.currency is None or terms.points_per_unit is None:
        return None
    decimals = 0 if terms.currency == "JPY" else 2
    return f"{Decimal(micro) / MICRO / terms.points_per_unit:,.{decimals}f} {terms.currency}"


def local_time(at: int, terms: Terms) -> str:
    """Write a time by the community's clock, with its offset where the clock is turned back an hour twice a year."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(terms.time_zone)):%Y-%m-%d %H:%M %Z}"


def local_date(at: int, terms: Terms) -> str:
    """Write a local date."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(terms.time_zone)):%Y-%m-%d}"
