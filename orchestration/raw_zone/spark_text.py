r"""A raw value in Spark's SQL: its type in the file, its text, and its value in a view.

Texts are what DuckDB's views give, character by character. Patterns have no backslash: Spark's
settings decide what one means in a literal.
"""

from __future__ import annotations

from orchestration.raw_zone.contract import Column
from orchestration.raw_zone.views import DECIMAL, FLOATS

INSTANT = "TIMESTAMP WITH TIME ZONE"
# In a view; unsigned integers have no type of their own in Spark.
_TYPES = {
    "VARCHAR": "string",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp_ntz",
    INSTANT: "timestamp",
    "TINYINT": "tinyint",
    "SMALLINT": "smallint",
    "INTEGER": "int",
    "BIGINT": "bigint",
    "UTINYINT": "smallint",
    "USMALLINT": "int",
    "UINTEGER": "bigint",
}
# In a file: also what a view gives as text.
_FILE_TYPES = _TYPES | {
    "JSON": "string",
    "BLOB": "binary",
    "UUID": "binary",
    "UBIGINT": "decimal(20, 0)",
    "FLOAT": "float",
    "DOUBLE": "double",
    "TIMESTAMP_NS": "bigint",
}
_NANOS = "INT64 NANOS"
_NANOS_A_SECOND = 1_000_000_000
_LIMB = 2**63
# 2 ** 126. Beyond it, digits after the 17th are zeros here; DuckDB writes those of the double.
_GREATEST_EXACT = "8.507059173023462E37D"
_ENDS = {
    "date": ("date '+5881580-07-11'", "date '-5877641-06-24'"),
    "moment": (
        "timestamp_ntz '+294247-01-10 04:00:54.775807'",
        "timestamp_ntz '-290308-12-21 19:59:05.224193'",
    ),
}


def type_in_view(data_type: str) -> str:
    """Spark's type of a view's column, from DuckDB's."""
    return data_type.lower() if DECIMAL.fullmatch(data_type) else _TYPES[data_type]


def type_in_file(data_type: str, stored: str) -> str | None:
    """The type that Spark reads a column as; None where it cannot be read as DuckDB reads it."""
    if stored.endswith(" FLOAT16"):
        return None
    if stored == _NANOS and data_type == INSTANT:
        return "bigint"
    if stored == "INT96":
        # Without a time zone in DuckDB; Spark reads it as an instant, in UTC.
        return "timestamp"
    return data_type.lower() if DECIMAL.fullmatch(data_type) else _FILE_TYPES.get(data_type)


def native(value: str, data_type: str, stored: str) -> str:
    """The value of a column that has its type in the view too."""
    if stored == "INT96":
        return f"cast({value} as timestamp_ntz)"
    if stored == _NANOS and data_type == INSTANT:
        # DuckDB cuts nanoseconds towards 1970, too.
        return f"timestamp_micros({value} div 1000)"
    return value


def text(value: str, column: Column, data_type: str, stored: str) -> str:
    """The value's text, the same as DuckDB's."""
    if data_type in ("VARCHAR", "JSON"):
        return value
    if data_type == "BLOB":
        return _text_of_bytes(value)
    if data_type == "UUID":
        parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        digits = ", ".join(f"substring(hex({value}), {start}, {size})" for start, size in parts)
        return f"lower(concat_ws('-', {digits}))"
    if data_type == "TIMESTAMP_NS":
        return _text_of_nanoseconds(value)
    if data_type in ("TIMESTAMP", INSTANT):
        moment = f"cast({native(value, data_type, stored)} as timestamp_ntz)"
        found = _text_of_date(moment, "moment")
        return f"({found} || '+00')" if data_type == INSTANT else found
    if data_type == "DATE":
        return _text_of_date(value, "date")
    if data_type in FLOATS:
        return _text_of_float(f"cast({value} as double)", column)
    found = f"cast({value} as string)"
    if column.data_type == "text" and DECIMAL.fullmatch(data_type):
        return f"regexp_replace({found}, '[.]0+$', '')"
    return found


def _text_of_bytes(value: str) -> str:
    r"""What is not UTF-8 is bad, and for people to see: its bytes as \xD0."""
    byte = f"substring({value}, i, 1)"
    # All that is printed as it is: ASCII without the backslash and quotes.
    shown = f"hex({byte}) between '20' and '7E' and hex({byte}) not in ('22', '27', '5C')"
    escaped = f"if({shown}, cast({byte} as string), char(92) || 'x' || hex({byte}))"
    places = f"sequence(1, greatest(octet_length({value}), 1))"
    return (
        f"case when {value} is not null then coalesce(try_validate_utf8(cast({value} as string)), "
        f"array_join(transform({places}, i -> {escaped}), '')) end"
    )


def _text_of_date(value: str, kind: str) -> str:
    """A date, or a wall time, of any year; both have infinities in DuckDB."""
    last, first = _ENDS[kind]
    plain = f"cast({value} as string)"
    # Of a year before the first, DuckDB counts back from it.
    date = f"cast({value} as date)"
    before = (
        f"lpad(cast(1 - year({date}) as string), greatest(4, length(cast(1 - year({date}) as "
        f"string))), '0') || date_format({date}, '-MM-dd') || ' (BC)'"
    )
    if kind == "moment":
        before += f" || regexp_replace({plain}, '^[^ ]*', '')"
    return (
        f"case when {value} is null then null when {value} = {last} then 'infinity' "
        f"when {value} = {first} then '-infinity' when year({date}) < 1 then {before} "
        f"else ltrim('+', {plain}) end"
    )


def _text_of_nanoseconds(value: str) -> str:
    """Nanoseconds since 1970, as a wall time."""
    rest = f"pmod({value}, {_NANOS_A_SECOND})"
    seconds = f"({value} div {_NANOS_A_SECOND} - if({value} % {_NANOS_A_SECOND} < 0, 1, 0))"
    whole = f"cast(cast(timestamp_seconds({seconds}) as timestamp_ntz) as string)"
    part = f"'.' || rtrim('0', lpad(cast({rest} as string), 9, '0'))"
    return f"({whole} || if({rest} = 0, '', {part}))"


def _text_of_float(value: str, column: Column) -> str:
    """The fewest digits that read as the number, with an exponent where DuckDB writes one."""
    # Java's digits are one too many for some numbers; up to 15 of them are the only ones.
    digits = "length(regexp_replace(split(cast(v as string), 'E')[0], '^-?[.0]*|[.]|[.]?0+$', ''))"
    sizes = (
        "case when abs(v) < 1e-300 then sequence(0, 16) "
        f"when {digits} < 16 then array({digits} - 1) else sequence(14, 16) end"
    )
    # Of whole numbers below 2 ** 63 Java's last digit is not always the nearest.
    written = (
        f"if(v = rint(v) and abs(v) < {_LIMB}.0D, transform({sizes}, n -> {_whole_number()}), "
        f"transform({sizes}, n -> format_string('%.' || cast(n as string) || 'e', abs(v))))"
    )
    shortest = f"filter({written}, t -> cast(t as double) = abs(v))[0]"
    digits_of = "regexp_replace(split(t, 'e')[0], '[-.]|[.]?0+$', '')"
    parts = f"named_struct('d', {digits_of}, 'e', cast(split(t, 'e')[1] as int), 't', t)"
    power, whole = "p.e", "length(p.d) <= p.e + 1"
    plain = (
        "if(v < 0, '-', '') || case "
        f"when {power} between -4 and -1 then '0.' || repeat('0', -1 - p.e) || p.d "
        f"when {power} between 0 and 15 then if({whole}, rpad(p.d, p.e + 1, '0') || '.0', "
        "substring(p.d, 1, p.e + 1) || '.' || substring(p.d, p.e + 2)) "
        "else substring(p.d, 1, 1) || if(length(p.d) > 1, '.', '') || substring(p.d, 2) "
        "|| 'e' || split(p.t, 'e')[1] end"
    )
    found = f"transform(transform(array({shortest}), t -> {parts}), p -> {plain})[0]"
    found = (
        "when abs(v) = cast('infinity' as double) then if(v > 0, 'inf', '-inf') "
        # As Java writes them, too.
        f"when v = 0 or abs(v) >= 1e-3 and abs(v) < 1e7 and {digits} < 16 then cast(v as string) "
        f"else {found} end"
    )
    if column.data_type in ("text", "integer"):
        # An integral number is its digits.
        found = f"when v = rint(v) and abs(v) < {_GREATEST_EXACT} then {_integral_digits()} {found}"
    missing = "when v is null or isnan(v) then null"
    return f"transform(array({value}), v -> case {missing} {found})[0]"


def _whole_number() -> str:
    """A whole number v without its sign, rounded to n digits after the first, as 1.5e+16."""
    number = "cast(cast(abs(v) as bigint) as decimal(20, 0))"
    cut = f"greatest(length(cast({number} as string)) - 1 - n, 0)"
    unit = f"cast(rpad('1', {cut} + 1, '0') as bigint)"
    rounded = f"cast(({number} + {unit} div 2) div {unit} as string)"
    power = f"cast(length({rounded}) + {cut} - 1 as string)"
    return f"regexp_replace({rounded}, '^(.)', '$1.') || 'e+' || lpad({power}, 2, '0')"


def _integral_digits() -> str:
    """All digits of an integral double v, in two parts of 63 bits each."""
    above = f"floor(abs(v) / {_LIMB}.0D)"
    exact = (
        f"cast({above} as decimal(19, 0)) * cast({_LIMB} as decimal(19, 0)) "
        f"+ cast(cast(abs(v) - cast({above} as double) * {_LIMB}.0D as bigint) as decimal(19, 0))"
    )
    return (
        f"if(abs(v) < {_LIMB}.0D, cast(cast(v as bigint) as string), "
        f"if(v < 0, '-', '') || cast({exact} as string))"
    )
