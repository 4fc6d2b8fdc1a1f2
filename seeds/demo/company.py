"""The department: people, sources, pipelines, rates per working day, and the stories."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from seeds.demo import names
from seeds.demo.clock import Calendar

LINES = ("+74950001010", "+74950002020", "+78120003030")


@dataclass(frozen=True)
class Person:
    """An employee; `key` is the number within the department."""

    key: int
    name: str
    role: str
    team: str
    extension: int


@dataclass(frozen=True)
class Rates:
    """Events of one lead generator per working day."""

    leads: float
    set: float
    confirmed: float
    held: float
    paid: float
    calls: float
    evaluations: float


PEOPLE = (
    Person(1, "Журавлёв Павел", "lead_generator", "Лидогенерация", 101),
    Person(2, "Соколова Марина", "lead_generator", "Лидогенерация", 102),
    Person(3, "Галиев Тимур", "lead_generator", "Лидогенерация", 103),
    Person(4, "Нестерова Ольга", "lead_generator", "Лидогенерация", 104),
    Person(5, "Вершинин Игорь", "hunter", "Продажи", 105),
    Person(6, "Панова Екатерина", "hunter", "Продажи", 106),
    Person(7, "Муравьёв Денис", "hunter", "Продажи", 107),
    Person(8, "Корж Алексей", "hunter", "Продажи", 108),
    Person(9, "Ким Светлана", "hunter", "Продажи", 108),
    Person(10, "Белова Наталья", "farmer", "Сопровождение", 110),
    Person(11, "Ахметов Руслан", "farmer", "Сопровождение", 111),
    Person(12, "Орлов Виктор", "head", "Продажи", 112),
)
SLACKER, DECAYED, UNHEARING, DUAL = 1, 2, 3, 4
LEAD_GENERATORS = (SLACKER, DECAYED, UNHEARING, DUAL)
HUNTERS = (5, 6, 7, 8)
LEAVER, SUCCESSOR = 8, 9
FARMERS = (10, 11)
HEAD = 12

# Shares of a lead generator's leads by source, in cards of a deck.
SOURCE_MIX: dict[int, dict[str, int]] = {
    SLACKER: {"google_ads": 14, "website": 8, "cold": 10, "referral": 4, "exhibition": 4},
    DECAYED: {"yandex_direct": 28, "website": 6, "referral": 3, "google_ads": 3},
    UNHEARING: {"google_ads": 12, "website": 10, "referral": 8, "exhibition": 6, "cold": 4},
    DUAL: {"cold": 16, "referral": 10, "website": 8, "google_ads": 4, "partners": 2},
}
LEAD_SOURCES: dict[str, tuple[str, str]] = {
    "google_ads": ("Google Ads", "google_ads"),
    "yandex_direct": ("Яндекс Директ", "yandex_direct"),
    "website": ("Сайт", "website"),
    "cold": ("Холодные звонки", "cold"),
    "referral": ("Рекомендации", "referral"),
    "exhibition": ("Выставки", "exhibition"),
    "partners": ("Партнёры (закрыт)", "partners"),
}
# Orders of dealers come without a lead.
DEALER_SOURCE = "dealers"
SOURCES = {**LEAD_SOURCES, DEALER_SOURCE: ("Дилеры", "dealers")}
RETIRED_SOURCE = "partners"
WEB_SOURCES = frozenset({"google_ads", "yandex_direct", "website"})
TARGET_SHARE = {
    "google_ads": 0.55,
    "yandex_direct": 0.62,
    "website": 0.60,
    "cold": 0.50,
    "referral": 0.80,
    "exhibition": 0.65,
    "partners": 0.55,
}

BASE_RATES: dict[int, Rates] = {
    SLACKER: Rates(leads=8.6, set=4, confirmed=3.6, held=3, paid=1, calls=32, evaluations=2),
    DECAYED: Rates(leads=8.6, set=4, confirmed=3.6, held=3, paid=1, calls=30, evaluations=2),
    UNHEARING: Rates(leads=10.4, set=5, confirmed=4.4, held=3.8, paid=1.2, calls=34, evaluations=3),
    DUAL: Rates(leads=6.6, set=3, confirmed=2.6, held=2.2, paid=0.8, calls=24, evaluations=2),
}
CALLS_PER_DAY = {"hunter": 12.0, "farmer": 10.0, "head": 2.0}
NEEDS_FOUND_SHARE = 0.74
NEXT_STEP_SHARE = 0.64

# The stories, by month of the range (0 is the first). A month without an entry is ordinary.
SLACK_MONTH = 2
UNHEARING_MONTH = 3
DECAY_MONTH = 4
DECAYING_SOURCE = "yandex_direct"
DECAY = (0.32, 0.12)


def rates(person: int, month: int) -> Rates:
    """Rates of a lead generator in a month of the range, stories included."""
    base = BASE_RATES[person]
    if person == SLACKER and month == SLACK_MONTH:
        return Rates(base.leads, 2, 1.8, 1.5, 0.5, 11, base.evaluations)
    if person == UNHEARING and month == UNHEARING_MONTH:
        return Rates(
            base.leads, base.set, base.confirmed, base.held, 0.4, base.calls, base.evaluations
        )
    if person == DECAYED and month == DECAY_MONTH:
        return Rates(
            base.leads, base.set, base.confirmed, base.held, 0.6, base.calls, base.evaluations
        )
    if person == DECAYED and month > DECAY_MONTH:
        return Rates(base.leads, base.set, 3.08, 2.2, 0.4, base.calls, base.evaluations)
    return base


def leave_day(calendar: Calendar) -> date:
    """First working day of the successor, a little after the middle of the range."""
    return calendar.next_working_day(calendar.days[len(calendar.days) * 58 // 100])


def target_share(source: str, month: int) -> float:
    """Share of target leads of a source in a month of the range."""
    if source == DECAYING_SOURCE and month >= DECAY_MONTH:
        return DECAY[min(month - DECAY_MONTH, len(DECAY) - 1)]
    return TARGET_SHARE[source]


def listening(person: int, month: int) -> tuple[float, float]:
    """Shares of evaluated calls with needs found and with a next step agreed."""
    if person == UNHEARING and month == UNHEARING_MONTH:
        return 0.44, 0.28
    return NEEDS_FOUND_SHARE, NEXT_STEP_SHARE


@dataclass(frozen=True)
class Stage:
    """A stage of a pipeline."""

    stage_id: str
    pipeline_id: str
    name: str
    position: int
    kind: str


PIPELINES = {"sales": "Продажи", "upsell": "Допродажи", "dealers": "Заказы дилеров"}
STAGES = (
    Stage("s_new", "sales", "Встреча назначена", 10, "open"),
    Stage("s_old", "sales", "Квалификация (старый этап)", 15, "open"),
    Stage("s_met", "sales", "Встреча проведена", 20, "open"),
    Stage("s_offer", "sales", "КП отправлено", 30, "open"),
    Stage("s_contract", "sales", "Договор на согласовании", 40, "presale"),
    Stage("s_invoice", "sales", "Счёт выставлен", 50, "presale"),
    Stage("s_won", "sales", "Оплачено", 60, "won"),
    Stage("s_lost", "sales", "Отказ", 70, "lost"),
    Stage("u_need", "upsell", "Потребность", 10, "open"),
    Stage("u_offer", "upsell", "Предложение", 20, "open"),
    Stage("u_approval", "upsell", "Согласование", 30, "presale"),
    Stage("u_won", "upsell", "Оплачено", 40, "won"),
    Stage("u_lost", "upsell", "Отказ", 50, "lost"),
    Stage("d_new", "dealers", "Заказ", 10, "open"),
    Stage("d_agreed", "dealers", "Условия согласованы", 20, "presale"),
    Stage("d_won", "dealers", "Оплачено", 30, "won"),
    Stage("d_lost", "dealers", "Отказ", 40, "lost"),
)
PIPELINE_OF_STAGE = {stage.stage_id: stage.pipeline_id for stage in STAGES}
RETIRED_STAGE = "s_old"
LOST_REASONS = ("Дорого", "Выбрали конкурента", "Нет бюджета", "Не сейчас", "Пропал со связи")
REJECTIONS = ("Не наш профиль", "Нет бюджета", "Физлицо", "Спам", "Ищет работу")


def staff_name(department: int, person: Person) -> str:
    """Name of a person: the first department's people are named above, the others invented."""
    if department == 0:
        return person.name
    return names.person(department * len(PEOPLE) + person.key + 17)
