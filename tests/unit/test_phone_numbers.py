"""Phone identity: the contract's clauses, and Google's library as the judge of its promise."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping

import duckdb
import phonenumbers
import pytest
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

Identify = Callable[[Iterable[str]], dict[str, str | None]]

REGIONS = ("RU", "KZ", "BY", "UA", "UZ", "GE", "AM", "DE", "US", "GB")
NUMBERS_OF_A_REGION = 150

CLAUSES = {
    "cut at a marker after a digit": {
        "8 (916) 123-45-67 доб. 12": "+79161234567",
        "8 (916) 123-45-67 ДОБ 12": "+79161234567",
        "+7 916 123-45-67 ext. 12": "+79161234567",
        "+7 916 123-45-67 EXT12": "+79161234567",
        "+7 916 123-45-67x12": "+79161234567",
        "9161234567,,5": "+79161234567",
        "9161234567;ext=5": "+79161234567",
        "9161234567#5": "+79161234567",
        "916 12\n34567 доб\n5": "+79161234567",
        "555-01-01 x 5, 8 916 123-45-67": "5550101",
    },
    "not at a marker before the first digit": {
        "x79161234567": "+79161234567",
        "доб. 89161234567": "+79161234567",
        "#, +7 916 123-45-67": "+79161234567",
    },
    "at the first marker, though nothing is left": {
        "ext 5, 89161234567": None,
        "8, 916, 1234567": None,
    },
    "a plus counts before the first digit": {
        "+89161234567": "+89161234567",
        "+8104930123456": "+8104930123456",
        "+0049301234": "+0049301234",
        "(+7)916 1234567": "+79161234567",
        "тел. + 4930123456": "+4930123456",
    },
    "and nowhere else": {
        "8916+1234567": "+79161234567",
        "5550101+": "5550101",
    },
    "810 and 00 lead abroad, in this order before all that follows": {
        "8 10 49 30 123456": "+4930123456",
        "8-10-1-212-555-0100": "+12125550100",
        "81012345678": "+12345678",
        "8101234567": "+1234567",
        "00 49 30 123456": "+4930123456",
        "0012345678": "+12345678",
        "00810123456": "+810123456",
    },
    "too little is left of them": {
        "8101234": None,
        "810123456": None,
        "00123456": None,
        "810": None,
    },
    "8 and ten digits": {
        "89161234567": "+79161234567",
        "88005550101": "+78005550101",
        "80000000000": "+70000000000",
    },
    "ten Russian digits": {
        "9161234567": "+79161234567",
        "8005550101": "+78005550101",
        "4951234567": "+74951234567",
        "3431234567": "+73431234567",
    },
    "other numbers of eleven to fifteen digits are international": {
        "79161234567": "+79161234567",
        "12125550100": "+12125550100",
        "375291234567": "+375291234567",
        "891612345678": "+891612345678",
        "123456789012345": "+123456789012345",
    },
    "other ones of seven to ten digits stay as they are": {
        "123-45-67": "1234567",
        "12345678": "12345678",
        "123456789": "123456789",
        "916123456": "916123456",
        "5550100222": "5550100222",
        "7271234567": "7271234567",
    },
    "fewer than seven digits or more than fifteen are no identity": {
        "123456": None,
        "+123456": None,
        "1234567890123456": None,
        "+1234567890123456": None,
        "+123456789012345": "+123456789012345",
        "+1234567": "+1234567",
    },
    "no digits": {"anonymous": None, "+": None, "(доб.)": None},
    "digits are 0 to 9": {"٨٩١٦١٢٣٤٥٦٧": None},
}  # fmt: skip


@pytest.fixture(scope="module")
def identify(compiled_sql: Mapping[str, str]) -> Identify:
    """The identity of each text, None for none, by way of int_phones__owner_spans."""

    def through_the_model(texts: Iterable[str]) -> dict[str, str | None]:
        phones = list(dict.fromkeys(texts))
        with duckdb.connect() as connection:
            connection.execute(
                """
                attach ':memory:' as voronka_build;
                create schema voronka_build.staging;
                create schema voronka_build.intermediate;
                create table voronka_build.staging.stg_crm__contact_phones
                    (contact_id integer, phone text);
                """
            )
            for start in range(0, len(phones), 1000):
                rows = list(enumerate(phones[start : start + 1000], start))
                connection.execute(
                    "insert into voronka_build.staging.stg_crm__contact_phones values "
                    + ", ".join(["(?, ?)"] * len(rows)),
                    [value for row in rows for value in row],
                )
            # Each phone has a contact of its own, made at a time of its own, so that none is
            # hidden behind another owner of its number.
            connection.execute(
                """
                create table voronka_build.intermediate.int_contacts__resolved as
                select
                    contact_id,
                    timestamptz '2026-01-01 00:00:00+00' + to_seconds(contact_id) as created_at
                from voronka_build.staging.stg_crm__contact_phones
                """
            )
            spans = connection.sql(compiled_sql["int_phones__owner_spans"])
            numbers = dict(spans.select("contact_id, phone_number").fetchall())
        return {phone: numbers.get(index) for index, phone in enumerate(phones)}

    return through_the_model


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_of_the_contract(clause: str, identify: Identify) -> None:
    """On numbers that tell it from the others."""
    assert identify(CLAUSES[clause]) == CLAUSES[clause]


def test_international_numbers_are_what_the_library_makes_of_them(identify: Identify) -> None:
    """Valid numbers of ten regions, with a plus, however the rest is punctuated."""
    dice = random.Random(20260301)
    expected = {
        text: e164(number)
        for region in REGIONS
        for number in valid_numbers(region, dice)
        for text in international_spellings(number, dice)
    }
    assert len(expected) > 3 * NUMBERS_OF_A_REGION * len(REGIONS)
    assert differences(identify(expected), expected) == {}


def test_numbers_dialled_abroad_from_russia_are_what_the_library_makes_of_them(
    identify: Identify,
) -> None:
    """With 8~10 in place of the plus."""
    dice = random.Random(20260302)
    expected = {}
    for region in REGIONS:
        for number in valid_numbers(region, dice):
            text = punctuated(f"8 10 {e164(number)[1:]}", dice)
            if e164(phonenumbers.parse(text, "RU")) == e164(number):
                expected[text] = e164(number)
    assert len(expected) > 0.8 * NUMBERS_OF_A_REGION * len(REGIONS)
    assert differences(identify(expected), expected) == {}


def test_russian_national_numbers_are_what_the_library_makes_of_them(identify: Identify) -> None:
    """Ten digits bare, or eleven with 8 or 7 before them, however punctuated."""
    dice = random.Random(20260303)
    expected = {}
    for number in valid_numbers("RU", dice, 4 * NUMBERS_OF_A_REGION):
        digits = str(number.national_number)
        spellings = [
            phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
            *(prefix + digits for prefix in ("", "8", "7")),
            *(punctuated(prefix + digits, dice) for prefix in ("", "8", "7")),
        ]
        for text in spellings:
            parsed = phonenumbers.parse(text, "RU")
            assert phonenumbers.is_valid_number_for_region(parsed, "RU"), text
            expected[text] = e164(parsed)
    assert len(expected) > 6 * 4 * NUMBERS_OF_A_REGION
    assert differences(identify(expected), expected) == {}


def e164(number: PhoneNumber) -> str:
    """The number as +79161234567."""
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def valid_numbers(
    region: str, dice: random.Random, count: int = NUMBERS_OF_A_REGION
) -> list[PhoneNumber]:
    """Different valid numbers of a region: an example of each type, the rest drawn around them."""
    examples = [
        number
        for kind in PhoneNumberType.values()
        if (number := phonenumbers.example_number_for_type(region, kind))
        and phonenumbers.is_valid_number_for_region(number, region)
    ]
    numbers = {e164(number): number for number in examples}
    while len(numbers) < count:
        example = dice.choice(examples)
        digits = str(example.national_number)
        kept = dice.randint(1, len(digits) - 1)
        drawn = digits[:kept] + "".join(dice.choices("0123456789", k=len(digits) - kept))
        if drawn.startswith("0"):
            continue
        number = PhoneNumber(country_code=example.country_code, national_number=int(drawn))
        if phonenumbers.is_valid_number_for_region(number, region):
            numbers[e164(number)] = number
    return list(numbers.values())


def international_spellings(number: PhoneNumber, dice: random.Random) -> Iterator[str]:
    """The number with its plus, as the library writes it and as people do."""
    yield e164(number)
    yield phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    yield phonenumbers.format_number(number, PhoneNumberFormat.RFC3966)
    yield "+" + punctuated(e164(number)[1:], dice)
    yield f"тел. (+{number.country_code}) {punctuated(str(number.national_number), dice)}"


def punctuated(digits: str, dice: random.Random) -> str:
    """The digits with blanks, hyphens, dots and brackets between some of them."""
    marks = ("", "", "", " ", "-", ".", " (", ") ", "\u00a0", "/", " - ")
    return "".join(digit + dice.choice(marks) for digit in digits)


def differences(
    found: Mapping[str, str | None], expected: Mapping[str, str | None]
) -> dict[str, tuple[str | None, str | None]]:
    """(found, expected) of the texts where they differ."""
    return {
        text: (found[text], identity)
        for text, identity in expected.items()
        if found[text] != identity
    }
